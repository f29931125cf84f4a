# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""What an answer says that is an error, by Glance or by what is before it."""

import html.parser

import requests


def words(response: requests.Response) -> str:
    """Return the words of an answer on one line, '' where there are none."""
    try:
        page = _message(response.json())
    except (ValueError, RecursionError):
        page = response.text
    return ' '.join(' '.join(_Words(page).found).split())


def _message(document: object) -> str:
    """Return the message of an error, within whatever a service wraps it."""
    while isinstance(document, dict):
        if isinstance(message := document.get('message'), str):
            return message
        document = next(iter(document.values()), None)
    return ''


class _Words(html.parser.HTMLParser):
    """The words of a page, without those that repeat the status."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_title = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._is_title = tag in ('title', 'h1')

    def handle_endtag(self, tag: str) -> None:
        self._is_title = False

    def handle_data(self, data: str) -> None:
        if not self._is_title and data.strip():
            self.found.append(data)

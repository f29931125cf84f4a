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

"""A page as a browser would read it."""

import html.parser
import pathlib

import fixtures
import testtools

from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import page
from osc_glance_replicate.tests.doubles import samples

_VOID = {'meta'}


class Reader(html.parser.HTMLParser):
    """Reads a page as a browser would, and finds what is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.tags = []
        self.texts = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for found, attributes in self.tags if found == tag]


class PageTest(testtools.TestCase):
    """A run is heard of, and its page is read."""

    def setUp(self):
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        self.path = pathlib.Path(directory, 'run.html')

    def page(self, **options):
        return page.Page(
            str(self.path), 'master to slave', 'openstack ...', **options
        )

    def read(self, written, *told):
        written.write(*(told or ['as told']))
        self.assertEqual([self.path], list(self.path.parent.iterdir()))
        text = self.path.read_text('utf-8')
        self.assertTrue(text.startswith('<!DOCTYPE html>'))
        reader = Reader(text)
        self.assertEqual([], reader.open)
        return reader

    def hear(self, listening, number, result, reason='', **fields):
        verb = plan.Verb.UNCHANGED if result == 'unchanged' else plan.Verb.COPY
        action = plan.Action(
            samples.image(number, **fields),
            'slave',
            verb,
            routine=result == 'unchanged',
        )
        if verb is plan.Verb.COPY:
            listening.begun(action)
        listening.ended(
            outcomes.Outcome(action, outcomes.Result(result), reason)
        )

    def at(self, *seconds):
        clock = iter(seconds)
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{page.__name__}.Page._now', lambda page: next(clock)
            )
        )

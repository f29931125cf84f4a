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

"""What no command may ever tell: the secrets of a sandbox."""

import pathlib
import re

import yaml

from osc_glance_replicate.sandbox import keystone

# Tokens begin with the time, and a few bytes at random follow. Who prints
# half of one prints a secret as well.
_TELLING = 48  # characters


class Secrets:
    """The passwords of a sandbox, and its tokens as they are issued.

    :param directory: of the sandbox
    """

    def __init__(self, directory: pathlib.Path) -> None:
        clouds = yaml.safe_load((directory / 'clouds.yaml').read_text())
        self._known = {
            entry['auth']['password']: f'the password of {name}'
            for name, entry in clouds['clouds'].items()
        }
        self._tokens = (directory / keystone.TOKENS).open()

    def add(self, secret: str, what: str) -> None:
        """Look for something else, too.

        :param what: what it is, for people
        """
        self._known[secret] = what

    def found(self, text: str) -> set[str]:
        """Say which secrets a text holds, without telling them."""
        return {self._known[secret] for secret in self._in(text)}

    def hidden(self, text: str) -> str:
        """Give a text that may be shown."""
        for secret in self._in(text):
            rest = re.compile(re.escape(secret) + r'[\w-]*')
            text = rest.sub(f'<{self._known[secret]}>', text)
        return text

    def _in(self, text: str) -> list[str]:
        for token in self._tokens:
            self._known[token[:_TELLING]] = 'a token'
        return [secret for secret in self._known if secret in text]

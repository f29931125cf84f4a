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

import shlex

import testtools

from osc_glance_replicate.commands import command_line


class TestShown(testtools.TestCase):
    def test_it_can_be_pasted(self):
        words = [
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy', '--to',
            'slave', 'golden image', '--name=debian-*',
        ]  # fmt: skip
        shown = command_line.shown(words)
        self.assertEqual(['openstack', *words], shlex.split(shown))

    def test_secrets_are_not_there(self):
        for words in (
            ['--os-password', 'secret'],
            ['--os-password=secret'],
            ['--os-passw', 'secret', '--os-cloud', 'master'],
            ['--os-auth-url', 'http://me:secret@keystone/v3'],
            ['--set-property', 'url=http://me:secret@example.org/'],
            ['--os-application-credential-secret', 'secret'],
            ['--os-token', 'secret'],
            ['--os-beta-command', '--os-password', 'secret'],
            ['--os-some-flag', '--os-password', 'secret'],
        ):
            shown = command_line.shown(words)
            self.assertNotIn('secret', shown.replace('credential-secret', ''))

    def test_what_follows_a_flag_is_shown(self):
        shown = command_line.shown(['--os-beta-command', 'image'])
        self.assertEqual('openstack --os-beta-command image', shown)

    def test_nothing_steers_a_terminal(self):
        self.assertNotIn('\x1b', command_line.shown(['\x1b[2J\n']))

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

"""What --help, help and complete tell of the commands."""

import re
import shlex

import fixtures

from osc_glance_replicate.tests.functional import base

#: In an order in which the examples of one prepare those of the next.
_VERBS = 'livecopy', 'dump', 'compare', 'size', 'verify', 'load', 'ec2ids'


class TestExamples(base.FunctionalTest):
    def test_examples_work(self):
        self.cloud('master:RegionTwo')
        for name in 'debian-13', 'debian-12-old', 'golden image':
            self.master.create(name=name, visibility='public')
        base.pass_a_second()
        srv = self.useFixture(fixtures.TempDir()).path
        for verb in _VERBS:
            if verb == 'load':
                self.slave.wipe()
            for example in self.examples(verb):
                openstack, *words = shlex.split(example)
                self.assertEqual('openstack', openstack)
                self.assertIn(verb, words)
                self.openstack(*(w.replace('/srv', srv, 1) for w in words))
        self.assertEqual(3, len(self.slave.ids()))

    def examples(self, verb):
        """Read the examples as they are shown, which is to fit 80 columns."""
        shown = self.openstack(
            'image', 'replicate', verb, '--help',
            environment={'COLUMNS': '80'},
        ).stdout  # fmt: skip
        _, _, end = shown.partition('\nExamples:\n\n')
        self.assertLessEqual(max(map(len, end.splitlines())), 80)
        examples = re.findall(r'^  (openstack (?:.*\\\n)*.*)', end, re.M)
        self.assertGreaterEqual(len(examples), 2)
        return [example.replace('\\\n', '') for example in examples]


class TestListed(base.FunctionalTest):
    def test_help_and_complete(self):
        wanted = {f'image replicate {verb}' for verb in _VERBS}
        listed = self.openstack('help', 'image', 'replicate').stdout
        found = {line.strip() for line in listed.splitlines()}
        self.assertEqual(
            wanted, {line for line in found if 'replicate' in line}
        )
        (completed,) = re.findall(
            r"cmds_image_replicate='(.*)'",
            self.openstack('complete').stdout,
        )
        self.assertEqual(set(_VERBS), set(completed.split()))

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

import testtools

from osc_glance_replicate.reporting import legible

_LONG = 'x' * 11_000_000


class TestLegible(testtools.TestCase):
    def test_names_that_glance_takes_are_whole(self):
        for name in 'debian', '東' * 255, '', 'x' * 255:
            self.assertEqual(name, legible.name(name))

    def test_what_is_long_says_so(self):
        for shown, most in (
            (legible.name(_LONG), 255),
            (legible.text(_LONG), 4000),
        ):
            self.assertEqual(f'{_LONG[:most]}… (11000000 characters)', shown)
        self.assertEqual(
            f"'{_LONG[:254]}… (11000002 characters)", legible.value(_LONG)
        )
        self.assertTrue(legible.name('y' * 256).startswith('y' * 255 + '…'))

    def test_nothing_steers_the_terminal(self):
        evil = '\x1b[2J' * 5000
        for show in legible.name, legible.text, legible.value:
            self.assertTrue(show(evil).isprintable())
            self.assertLess(len(show(evil)), 17_000)

    def test_values_are_as_in_python(self):
        for value in 'a', None, ['a', 'b'], {'p': 'accepted'}:
            self.assertEqual(repr(value), legible.value(value))

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

from osc_glance_replicate.commands import last_words
from osc_glance_replicate import errors


class TestEnsured(testtools.TestCase):
    def end_with(self, exc):
        with last_words.ensured():
            raise exc

    def test_words_stay(self):
        for exc in ValueError('x'), errors.ReplicateError('y'):
            self.assertIs(
                exc, self.assertRaises(type(exc), self.end_with, exc)
            )
        self.assertRaises(KeyboardInterrupt, self.end_with, KeyboardInterrupt)
        with last_words.ensured():
            pass

    def test_lack_of_memory_says_what_to_do(self):
        exc = MemoryError()
        error = self.assertRaises(errors.ReplicateError, self.end_with, exc)
        self.assertIn('not enough memory', str(error))
        self.assertIn('ulimit -v', str(error))
        # It held all that has filled it.
        self.assertIsNone(exc.__traceback__)

    def test_others_are_named(self):
        for exc in AssertionError(), OSError(' \n'):
            error = self.assertRaises(
                errors.ReplicateError, self.end_with, exc
            )
            name = type(exc).__name__
            self.assertEqual(
                f'unexpected {name}; --debug tells where', str(error)
            )
            self.assertIs(exc, error.__cause__)

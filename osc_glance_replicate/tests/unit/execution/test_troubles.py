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

from osc_glance_replicate import errors
from osc_glance_replicate.execution import troubles

SLOW = errors.TransientError('slave', 'Read timed out')


def answer(status, words=''):
    return errors.TransientError('slave', f'HTTP {status}{words}', 0.0, status)


class TestTold(testtools.TestCase):
    def told(self, *met):
        found = troubles.Troubles()
        for trouble in met[:-1]:
            found.add(trouble)
        return found.told(met[-1])

    def test_one_kind_is_told_as_it_was_last(self):
        self.assertEqual('slave: Read timed out', self.told(SLOW, SLOW))
        broken = [
            errors.TransientError('slave', f'broke at byte {n} (req-{n})')
            for n in (1, 22)
        ]
        self.assertEqual(
            'slave: broke at byte 22 (req-22)', self.told(*broken)
        )

    def test_several_kinds_are_all_told(self):
        short = errors.DataError('slave', 'has 1 byte')
        self.assertEqual(
            'slave: Read timed out (2 times); then slave: has 1 byte',
            self.told(SLOW, SLOW, short),
        )

    def test_what_was_last_is_told_last(self):
        other = errors.TransientError('slave', 'is busy')
        self.assertEqual(
            'slave: is busy; then slave: Read timed out (3 times)',
            self.told(SLOW, other, SLOW, SLOW, SLOW),
        )

    def test_answers_of_other_statuses_are_others(self):
        self.assertEqual(
            'slave: HTTP 500: Oops; then slave: HTTP 503: Oops',
            self.told(answer(500, ': Oops'), answer(503, ': Oops')),
        )

    def test_that_others_were_at_work_is_no_trouble(self):
        for kind in errors.BusyError, errors.DroppedError:
            self.assertEqual(
                'slave: Read timed out', self.told(kind('slave', 'x'), SLOW)
            )


class TestUploads(testtools.TestCase):
    def uploaded(self, *met):
        found = troubles.Troubles()
        for trouble, whole in met:
            found.add(trouble)
            found.add_upload(trouble, whole)
        return found

    def test_same_answer_to_all_of_it_is_final(self):
        gone = answer(503)
        gone.unanswered = True
        for met, final in (
            ([(answer(408), True)], False),
            ([(answer(408, ' (req-1)'), True)] * 2, True),
            ([(answer(408, ' (req-1)'), True), (answer(408), True)], True),
            ([(answer(500), True)] * 3, True),
            ([(answer(408), True), (answer(500), True)], False),
            ([(answer(500), False)] * 2, False),
            ([(answer(500), True), (answer(500), False)], False),
            ([(SLOW, True)] * 2, False),
            ([(gone, True)] * 2, False),
            ([(answer(429), True)] * 2, False),
        ):
            self.assertIs(final, self.uploaded(*met).are_final, met)

    def test_what_may_be_left_in_the_store(self):
        for met, words in (
            ([(answer(500), False)], False),
            ([(answer(500), False)] * 2, True),
            ([(answer(500), True)] * 2, True),
            # When it is answered is a race.
            ([(answer(500), True), (answer(500), False)], True),
            ([(answer(500), True), (SLOW, True)], False),
            ([(answer(408), True)] * 2, False),
        ):
            told = self.uploaded(*met).told(met[-1][0])
            self.assertEqual(words, 'rbd rm POOL/ID' in told, told)

    def test_object_of_an_upload_that_succeeded_is_not_in_the_way(self):
        late = errors.RefusedError('slave', 'may not publish')
        found = self.uploaded(*[(answer(500), False)] * 2)
        self.assertNotIn('rbd', found.told(late))
        found.forget_uploads()
        trouble = answer(500)
        found.add(trouble)
        found.add_upload(trouble, True)
        self.assertNotIn('rbd', found.told(trouble))
        self.assertFalse(found.are_final)

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

import errno
import os
import signal

import fixtures

from osc_glance_replicate.engine import verify
from osc_glance_replicate.model import results
from osc_glance_replicate.reporting import verify_report
from osc_glance_replicate import signals
from osc_glance_replicate.tests.doubles import dumps


class TestSummary(dumps.VerifyTest):
    def test_what_to_do_next(self):
        image = self.put_image()
        self.assertTrue(self.told().summary.endswith(' s'))
        self.put(f'{image.id}.img', b'datA')
        self.assertIn(
            '1 damaged; 0 bytes verified in 0 s; remove what is damaged, '
            'then dump or copy it again',
            self.told().summary,
        )
        self.put(f'{image.id}.img', b'da')
        self.assertTrue(
            self.told().summary.endswith(' s; dump or copy it again')
        )

    def test_files_of_another_user(self):
        image = self.put_image()

        def open_or_not(name, *arguments, **options):
            if name == closed:
                raise PermissionError(errno.EACCES, 'Permission denied')
            return os_open(name, *arguments, **options)

        # Root may read anything.
        os_open = os.open
        self.useFixture(fixtures.MonkeyPatch('os.open', open_or_not))
        for closed in image.id, f'{image.id}.img':
            (finding,) = self.verify()
            self.assertEqual('unread', finding.result)
            self.assertIn('Permission denied', finding.reason)
            tell = self.told()
            self.assertEqual(1, tell.exit_code)
            self.assertIn('as a user who may read', tell.summary)
            self.assertNotIn('remove', tell.summary)

    def test_interrupted(self):
        def findings():
            yield verify.Finding(
                '', '', 4, results.Result.UNREAD, 'interrupted'
            )
            raise signals.Ended(signal.SIGINT)

        tell = verify_report.VerifyReport()
        list(tell.rows(findings))
        self.assertTrue(
            tell.summary.endswith(
                '; interrupted: run the same command again for the rest'
            )
        )

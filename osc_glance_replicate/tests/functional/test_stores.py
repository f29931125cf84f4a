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

"""Images that are not in files: those of a Swift, in clouds of their own.

Ceph and S3 need more than PyPI has: see functional-stores and matrix in
tox.ini.
"""

import sys

from testtools import content

from osc_glance_replicate.tests.functional import test_sandbox

_MATRIX = 'osc_glance_replicate.tests.matrix.test_matrix'
_TESTS = (
    'TestVerbs.test_livecopy_compare_and_again',
    'TestVerbs.test_dump_verify_and_load',
    'TestInterrupted.test_the_next_run_completes',
    'TestInterrupted.test_source_that_breaks_is_picked_up',
)


class TestSwift(test_sandbox.SandboxTest):
    def test_from_swift_to_swift(self) -> None:
        code, out, _ = self.run_to_the_end(
            *('--store', 'master:swift', '--store', 'slave:swift', '--'),
            *(sys.executable, '-m', 'testtools.run'),
            *(f'{_MATRIX}.{test}' for test in _TESTS),
        )
        self.addOnException(
            lambda exc_info: self.addDetail('out', content.text_content(out))
        )
        self.assertEqual(0, code)
        self.assertIn(f'Ran {len(_TESTS)} tests', out)
        self.assertNotIn('skipped', out)

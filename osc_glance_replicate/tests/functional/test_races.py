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

"""Others who change the same images at the same time."""

import uuid

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links

_ROUNDS = base.often(2, 20)


class TestTwoReplicators(links.BrokenLinksTest):
    alone = False

    def test_started_together_over_and_over(self):
        """Neither says that all is well while an image is missing."""
        for _ in range(_ROUNDS):
            images = [
                self.image(size, visibility='public')
                for size in (1, 1000, 100_000, base.MIB, *[8 * base.MIB] * 2)
            ]
            ids = {image.id for image in images}
            runs = [self._start(ids) for _ in 'ab']
            results = [self.finish(run) for run in runs]
            for result in results:
                self.assertEqual(ids, set(result.results))
                self.assertLessEqual(
                    set(result.results.values()),
                    {'copied', 'updated', 'unchanged'},
                )
                self.assertNotIn('Traceback', result.stderr)
            for image in images:
                self.assertCopied(image)
            self.assertEqual(self.data.keys(), self.there())

    def _start(self, ids):
        return self.start(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '-f', 'json', '--to', 'slave', '--show-all', *ids,
        )  # fmt: skip


class TestMeanwhile(links.BrokenLinksTest):
    alone = False

    def test_created_between_plan_and_transfer(self):
        """Someone else is faster, with the same data or with other."""
        # Records are made in the order of their IDs.
        ids = sorted(str(uuid.uuid4()) for _ in 'abc')
        same, other, queued = (
            self.image(id=image_id, name=name, visibility='public')
            for image_id, name in zip(
                ids, ('same', 'other', 'queued'), strict=True
            )
        )
        base.pass_a_second()
        for number, (image, data) in enumerate(
            (
                (same, self.data[same.id]),
                (other, b'other data'),
                (queued, None),
            )
        ):
            self._create_before_post(number + 1, image, data)
        result = self.livecopy(
            *('--transfers', '1', '--show-all', *self.data),
            environment=self.environment,
            expect=1,
        )
        self.assertEqual(
            {same.id: 'updated', other.id: 'conflict', queued.id: 'copied'},
            result.results,
        )
        self.assertCopied(same, puts=0)
        self.assertCopied(queued, puts=1)
        self.assertEqual([], self.puts(other))
        self.assertEqual(b'other data', self.slave.data(other.id))
        self.assertEqual(set(ids), self.there())

    def _create_before_post(self, number, image, data):
        self.destination.on(
            'POST',
            '/images$',
            faults.Fault(
                before=lambda call: self.slave.create(
                    data, id=image.id, name=image.name
                )
            ),
            first=number,
        )

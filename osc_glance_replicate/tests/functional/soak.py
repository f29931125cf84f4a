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

"""Images copied over bad links by a command that is killed over and over.

On demand, for as long as it takes::

    tox run -e soak -- --images 300 --seed 5
"""

import argparse
import hashlib
import random
import signal
import sys
import time
import unittest
import uuid

from testtools import content

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import chaos
from osc_glance_replicate.tests.functional import history
from osc_glance_replicate.tests.functional import links


class Soak(links.BrokenLinksTest):
    """A livecopy from master to slave, that has to be done in the end."""

    def soak(self, images, largest, kills, seed, limit):
        """Begin a livecopy again and again, until one says that all is there.

        :param images: how many there are
        :param largest: MiB of the largest of them, at the most
        :param kills: how many livecopies are killed; those after them have
            no more than the links to fight with
        :param seed: of all that is left to chance
        :param limit: seconds that it may take
        """
        self.tell(
            f'--images {images} --largest {largest} --kills {kills} '
            f'--seed {seed}'
        )
        self._numbers = random.Random(seed)
        self._deadline = time.monotonic() + limit
        self._images = dict(
            self._create(number, largest) for number in range(images)
        )
        self._history = self.useFixture(history.History(self.slave))
        trouble = chaos.Chaos(random.Random(seed), largest * base.MIB)
        trouble.upset_source(self.source)
        trouble.upset_destination(self.destination)
        while not self._copied(kill=kills > 0):
            kills -= 1
        self._assert_replicas()

    def tell(self, line):
        """Tell how it goes; what is needed to repeat it comes first."""
        self._told = [*getattr(self, '_told', ()), line]
        text = '\n'.join(self._told)
        self.addDetail('soak', content.text_content(text))

    def _create(self, number, largest):
        """Create an image of a random size, small ones more often.

        :returns: its ID and what its data is known by
        """
        size = int(largest * base.MIB * self._numbers.random() ** 4)
        # Of no byte and of one are among them.
        data = client.as_raw(
            self._numbers.randbytes(size if number > 1 else number)
        )
        image = self.master.create(
            data,
            id=str(uuid.UUID(int=self._numbers.getrandbits(128), version=4)),
            name=f'image {number}',
            visibility=self._numbers.choice(('private', 'public')),
            protected=self._numbers.random() < 0.2,
            tags=[f'{number % 3}'],
            number=f'{number}',
        )
        return image.id, (len(data), hashlib.sha512(data).hexdigest())

    def _copied(self, kill):
        """Run one livecopy, and say whether there is nothing left to do."""
        patience = len(self.destination.calls) + self._numbers.randint(1, 40)
        process = self.start(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '-f', 'json', '--to', 'slave', *self.loud(),
            environment=self.environment,
        )  # fmt: skip
        while process.poll() is None:
            self.assertLess(time.monotonic(), self._deadline, 'too late')
            if kill and len(self.destination.calls) >= patience:
                # Not always at the beginning of a request.
                time.sleep(self._numbers.random() / 2)
                process.kill()
                process.wait()
            time.sleep(0.01)
        left = len(self._images) - self._active()
        self.tell(f'exit code {process.returncode}, {left} images left')
        self._assert_harmless()
        if process.returncode == -signal.SIGKILL:
            return False
        result = self.finish(process, expect=None)
        for row in result.rows:
            self.assertIn(row['Result'], ('copied', 'updated', 'failed'), row)
            self.assertNotIn('unexpected', row['Reason'])
        return process.returncode == 0

    def _active(self):
        ((count,),) = self.slave.sql(
            "SELECT count(*) FROM images WHERE status = 'active'"
        )
        return count

    def _assert_replicas(self):
        compared = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'compare',
            '-f', 'json', '--to', 'slave', '--extra', '--show-all',
        )  # fmt: skip
        self.assertEqual(
            dict.fromkeys(self._images, 'same'),
            {row['ID']: row['Difference'] for row in compared.rows},
        )
        for image_id, (_, digest) in self._images.items():
            stored = self.slave.stored(image_id).read_bytes()
            self.assertEqual(digest, hashlib.sha512(stored).hexdigest())

    def _assert_harmless(self):
        """Find no time so far at which anything was wrong."""
        for state in self._history.states():
            self.assertFalse(state.deleted, state)
            if state.status == 'active':
                known = self._images[state.image_id]
                self.assertEqual(known, (state.size, state.digest), state)
            else:
                self.assertIn(state.status, ('queued', 'saving'), state)
                self.assertEqual('private', state.visibility, state)


def main():
    """Soak as the command line says, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog='tox run -e soak --',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for name, kind, default, meaning in (
        ('images', int, 300, 'how many there are'),
        ('largest', int, 64, 'MiB of the largest, at the most'),
        ('kills', int, 10**6, 'livecopies that are killed'),
        ('seed', int, random.randrange(10**6), 'of all left to chance'),
        ('limit', float, 24.0, 'hours that it may take'),
    ):
        parser.add_argument(
            f'--{name}', type=kind, default=default, help=meaning
        )
    options = parser.parse_args()

    class OnDemand(Soak):
        def tell(self, line):
            print(line, flush=True)

        def test(self):
            self.soak(
                options.images,
                options.largest,
                options.kills,
                options.seed,
                options.limit * 3600,
            )

    result = unittest.TextTestRunner().run(OnDemand('test'))
    return 0 if result.wasSuccessful() else 1


if __name__ == '__main__':
    sys.exit(main())

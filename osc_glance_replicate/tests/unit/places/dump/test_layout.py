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

from osc_glance_replicate.places.dump import layout
from osc_glance_replicate.tests.doubles import samples

IMAGE, OTHER = samples.image(1), samples.image(2)


class TestNames(testtools.TestCase):
    def test_names(self):
        self.assertEqual(f'{IMAGE.id}.img', layout.data_name(IMAGE))
        self.assertEqual(f'{IMAGE.id}.img.part', layout.part_name(IMAGE))
        self.assertEqual(f'{IMAGE.id}.members', layout.members_name(IMAGE))


class TestStrays(testtools.TestCase):
    def told(self, *names):
        return [
            (stray.result.value, stray.image_id, stray.reason.split()[0])
            for stray in layout.strays(dict.fromkeys(names, 4))
        ]

    def test_a_whole_dump_has_none(self):
        self.assertEqual(
            [],
            self.told(
                IMAGE.id,
                layout.data_name(IMAGE),
                layout.members_name(IMAGE),
                layout.LOCK,
                layout.PROJECTS,
                'SHA512SUMS',
                'MD5SUMS',
            ),
        )

    def test_each_kind(self):
        data, part = layout.data_name(OTHER), layout.part_name(IMAGE)
        members = layout.members_name(OTHER)
        self.assertEqual(
            [
                ('leftover', IMAGE.id, f'{part}:'),
                ('missing', OTHER.id, data),
                ('foreign', OTHER.id, members),
                ('leftover', '', 'SHA512SUMS.part:'),
                ('foreign', '', 'notes.img'),
            ],
            self.told(
                IMAGE.id, part, data, members, 'SHA512SUMS.part', 'notes.img'
            ),
        )

    def test_unfinished(self):
        third = samples.image(3)
        names = [
            IMAGE.id,
            layout.part_name(IMAGE),
            layout.part_name(OTHER),
            layout.data_name(OTHER),
            layout.data_name(third),
            layout.members_name(samples.image(4)),
            'SHA512SUMS.part',
            'notes.img',
        ]
        self.assertEqual(
            [OTHER.id, third.id], layout.unfinished(dict.fromkeys(names, 4))
        )

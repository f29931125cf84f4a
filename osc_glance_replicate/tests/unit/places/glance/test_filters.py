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

import datetime

import testtools

from osc_glance_replicate.model import image_selection
from osc_glance_replicate.places.glance import filters


class TestFilters(testtools.TestCase):
    def of(self, **fields):
        return filters.of(image_selection.Selection(**fields))

    def test_what_glance_can_be_trusted_with(self):
        zone = datetime.timezone(datetime.timedelta(hours=2))
        since = datetime.datetime(2026, 1, 2, 1, 0, 0, 5, zone)
        for fields, expected in (
            ({}, {}),
            ({'properties': [('os_distro', 'd')]}, {'os_distro': 'd'}),
            ({'tags': ['a', 'b']}, {'tag': ['a', 'b']}),
            ({'visibilities': ['public']}, {'visibility': 'public'}),
            ({'owner': 'p'}, {'owner': 'p'}),
            ({'disk_format': 'raw'}, {'disk_format': 'eq:raw'}),
            ({'min_size': 1, 'max_size': 0}, {
                'size_min': '1', 'size_max': '0',
            }),
            ({'updated_since': since}, {
                'updated_at': 'gte:2026-01-01T23:00:00Z',
            }),
        ):  # fmt: skip
            self.assertEqual(expected, self.of(**fields))

    def test_what_it_would_mistake_is_not_asked_for(self):
        for fields in (
            # Its own parameters and columns, and ranges.
            {'properties': [('limit', '1'), ('name', 'x')]},
            {'properties': [('hw_x_min', '1'), ('os_x_max', '1')]},
            {'tags': [' a']},
            {'visibilities': ['shared']},
            {'visibilities': ['public', 'private']},
            {'min_size': 0},
            # It knows no globs.
            {'names': ['a*'], 'excludes': ['b']},
        ):
            self.assertEqual({}, self.of(**fields))

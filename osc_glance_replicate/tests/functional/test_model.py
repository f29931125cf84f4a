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

"""The model of Glance held against real Glances."""

import concurrent.futures
import random
from unittest import mock

import fixtures
import hypothesis

from osc_glance_replicate.commands import livecopy
from osc_glance_replicate import retry
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.oracle import catalogues
from osc_glance_replicate.tests.oracle import model

#: How many catalogues are replayed.
_CASES = base.often(25, 250)

#: What two Glances cannot have in common.
_INCOMPARABLE = frozenset(
    'created_at updated_at virtual_size file self schema stores '
    'direct_url'.split()
)

#: Fields that the API does not set, or not to any value.
_BY_SQL = (
    'status',
    'size',
    'checksum',
    'os_hash_algo',
    'os_hash_value',
    'owner',
    'updated_at',
)


class TestModel(base.FunctionalTest):
    def setUp(self):
        super().setUp()
        self.owners = {
            cloud.name: dict(
                zip(
                    catalogues.OWNERS,
                    (cloud.project_id(), cloud.project_id('demo')),
                    strict=True,
                )
            )
            for cloud in (self.master, self.slave)
        }
        # There is nobody who would end what looks like an upload.
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._BUSY_TIMEOUT', 0.0)
        )
        self.pool = concurrent.futures.ThreadPoolExecutor(4)
        self.addCleanup(self.pool.shutdown)

    def test_model_does_what_glance_does(self):
        replayed = []
        written = set()

        # Always the same catalogues: this is about the model.
        @hypothesis.settings(
            max_examples=_CASES,
            phases=[hypothesis.Phase.generate],
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(
            catalogues.cases(catalogues.Kind(real=True), most_destinations=1)
        )
        def replay(case):
            written.update(self._replay(case))
            replayed.append(case)

        replay()
        self.assertEqual(_CASES, len(replayed))
        # They were worth it.
        self.assertLessEqual(
            {'copied', 'updated', 'unchanged', 'skipped', 'conflict'}, written
        )

    def test_no_property_publishes_a_replica(self):
        """Glance strips the names in a PATCH, and takes this for its own."""
        for data, status in ((b'data', 'active'), (None, 'queued')):
            self.master.wipe()
            self.slave.wipe()
            replica = self.slave.create(data)
            base.pass_a_second()
            self.master.create(
                b'data', id=replica.id, **{'visibility ': 'public'}
            )
            self.livecopy(expect=1)
            replica = self.slave.get(replica.id)
            self.assertEqual('private', replica.record['visibility'])
            self.assertEqual(status, replica.status)

    def _replay(self, case):
        """Carry out a plan twice: in the model, and in the real clouds.

        :returns: what livecopy reported
        """
        (destination,) = case.destinations
        for cloud, place in (
            (self.master, case.source),
            (self.slave, destination),
        ):
            cloud.wipe()
            self._plant(cloud, place)
        outcomes = self._livecopy(case)
        expected = {
            outcome.action.image.id: destination.apply(
                outcome.action, case.source
            )
            for outcome in outcomes
        }
        self.assertEqual(
            expected,
            {outcome.action.image.id: outcome.result for outcome in outcomes},
            [outcome.reason for outcome in outcomes],
        )
        for cloud, place in (
            (self.master, case.source),
            (self.slave, destination),
        ):
            self.assertEqual(
                {
                    image_id: self._known(cloud, stored)
                    for image_id, stored in place.stored.items()
                },
                self._found(cloud, place),
                [(o.action.image.id, o.result, o.reason) for o in outcomes],
            )
        return set(expected.values())

    def _livecopy(self, case):
        command = livecopy.LivecopyImages(mock.Mock(), None)
        args = command.get_parser('livecopy').parse_args(
            [*_options(case), '--to', 'slave', '--retries', '0']
        )
        if case.selection.owner:
            args.project = self.owners['master'][case.selection.owner]
        connection = self.master.connections['']
        command.own_cloud = lambda: connection
        return list(command.engine(args).replicate())

    def _plant(self, cloud, place):
        """Make a real cloud hold what a model does."""
        list(
            self.pool.map(
                lambda stored: self._plant_image(cloud, stored),
                place.stored.values(),
            )
        )
        for image_id in place.taken:
            cloud.create(None, id=image_id)
            cloud.request('DELETE', f'/images/{image_id}')
        # Two images of one ID and of one second look like one service.
        cloud.sql(
            'UPDATE images SET created_at = created_at - %s * '
            "interval '1 hour'",
            random.randrange(1, 10**6),
        )

    def _plant_image(self, cloud, stored):
        record = stored.record
        cloud.create(
            stored.data,
            **{
                field: record[field]
                for field in (
                    'id',
                    'tags',
                    *model.SHARED,
                    *model.properties(record),
                )
            },
        )
        values = {**record, 'owner': self._owner(cloud, record)}
        assignments = ', '.join(
            f'{field} = %s' for field in self._columns(record)
        )
        cloud.sql(
            f'UPDATE images SET {assignments} WHERE id = %s',
            *(values[field] for field in self._columns(record)),
            record['id'],
        )

    def _columns(self, record):
        return [field for field in _BY_SQL if field in record]

    def _owner(self, cloud, record):
        return self.owners[cloud.name][record['owner']]

    def _known(self, cloud, stored):
        """Give what the model says of an image."""
        record = {
            field: value
            for field, value in stored.record.items()
            if field not in _INCOMPARABLE
        }
        record['owner'] = self._owner(cloud, record)
        record['tags'] = sorted(record['tags'])
        return record, stored.data

    def _found(self, cloud, place):
        """Give what there is in a real cloud, by ID."""
        listings = (
            cloud.request(
                'GET', f'/images?visibility=all&limit=1000&os_hidden={hidden}'
            )
            for hidden in ('false', 'true')
        )
        listed = {
            record['id']: record
            for listing in listings
            for record in listing.json()['images']
        }
        # Glance does not list all that it has.
        for image_id in place.stored.keys() - listed.keys():
            listed[image_id] = cloud.get(image_id).record
        found = {}
        for image_id, image in listed.items():
            record = {
                field: value
                for field, value in image.items()
                if field not in _INCOMPARABLE
            }
            record['tags'] = sorted(record['tags'])
            file = cloud.stored(image_id)
            data = file.read_bytes() if file.exists() else None
            found[image_id] = record, data
        return found


def _options(case):
    """Write a selection as it is given on the command line."""
    selection = case.selection
    options = [
        *(('--name', glob) for glob in selection.names),
        *(('--exclude', glob) for glob in selection.excludes),
        *(('--property', f'{k}={v}') for k, v in selection.properties),
        *(('--tag', tag) for tag in selection.tags),
    ]
    for option, value in (
        ('--disk-format', selection.disk_format),
        ('--min-size', selection.min_size),
        ('--max-size', selection.max_size),
        ('--updated-since', selection.updated_since),
    ):
        if value is not None:
            options.append((option, str(value)))
    words = [word for option in options for word in option]
    words += [f'--{visibility}' for visibility in selection.visibilities]
    if selection.include_hidden:
        words.append('--include-hidden')
    if case.metadata_only:
        words.append('--metadata-only')
    return [*words, *selection.images]

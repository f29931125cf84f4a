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

from osc_glance_replicate.commands import compare
from osc_glance_replicate.commands import dump
from osc_glance_replicate.commands import requests
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.tests.doubles import parsing


class TestRequests(parsing.ParserTest):
    def test_what_is_not_asked_for_is_the_default_of_the_values(self):
        parsed = self.parse('--to', 'x')
        self.assertEqual(
            image_selection.Selection(), requests.selection(parsed)
        )
        self.assertEqual(options.Replica(), requests.replica(parsed))
        self.assertEqual(options.Delivery(), requests.delivery(parsed))
        self.assertEqual(options.Run(), requests.run(parsed))
        self.assertEqual(options.Checks(), requests.checks(parsed))
        self.assertEqual((options.To('x'),), requests.to_clouds(parsed))

    def test_how_replicas_are_read(self):
        for words, run in (
            ((), options.Run()),
            (
                ('--transfers', '1', '--bandwidth', '2', '--retries', '0'),
                options.Run(transfers=1, bandwidth=2, retries=0),
            ),
        ):
            parsed = self.parse(
                '--to', 'x', '--data', *words, command=compare.CompareImages
            )
            self.assertEqual(run, requests.reading(parsed))

    def test_selection(self):
        parsed = self.parse(
            'debian', '--to', 'x', '--name', 'd*', '--exclude', 'e',
            '--property', 'os=debian', '--tag', 't', '--public', '--shared',
            '--include-hidden', '--encrypted', '--project', 'p',
            '--disk-format', 'raw', '--min-size', '1k', '--max-size', '1Ki',
            '--updated-since', '2026-11-21T09:30:00Z',
        )  # fmt: skip
        self.assertEqual(
            image_selection.Selection(
                images=('debian',),
                names=('d*',),
                excludes=('e',),
                properties=(('os', 'debian'),),
                tags=('t',),
                visibilities=('public', 'shared'),
                include_hidden=True,
                encrypted=True,
                owner='p',
                disk_format='raw',
                min_size=1000,
                max_size=1024,
                updated_since=datetime.datetime(
                    2026, 11, 21, 9, 30, tzinfo=datetime.UTC
                ),
            ),
            requests.selection(parsed),
        )

    def test_replica(self):
        parsed = self.parse(
            '--to', 'x', '--dont-replicate', 'hw_*', '--set-property', 'a=b',
            '--visibility', 'private', '--owner', 'by-name',
            '--map-owner', 'p=q', '--members', '--exact',
            '--map-format', 'gpt=raw',
        )  # fmt: skip
        self.assertEqual(
            options.Replica(
                left_out=('hw_*',),
                properties=(('a', 'b'),),
                visibility='private',
                owner=options.Owner.BY_NAME,
                map_owners=(('p', 'q'),),
                members=True,
                exact=True,
                map_formats=(('gpt', 'raw'),),
            ),
            requests.replica(parsed),
        )
        parsed = self.parse('--to', 'x', '--visibility', 'keep')
        self.assertIsNone(requests.replica(parsed).visibility)

    def test_run_and_checks(self):
        parsed = self.parse(
            '--to', 'x', '--dry-run', '--metadata-only', '--transfers', '9',
            '--bandwidth', '1M', '--retries', '0', '--fail-fast',
            '--no-checksum', '--no-format-check',
        )  # fmt: skip
        self.assertEqual(
            options.Run(True, True, 9, 10**6, 0, True), requests.run(parsed)
        )
        self.assertEqual(options.Checks(False, False), requests.checks(parsed))

    def test_delivery(self):
        parsed = self.parse(
            '--to', 'x', '--method', 'import', '--store', 'a', '--store', 'b'
        )
        delivery = options.Delivery(options.Method.IMPORT, ('a', 'b'))
        self.assertEqual(delivery, requests.delivery(parsed))
        self.assertEqual(
            (options.To('x', delivery=delivery),),
            requests.to_clouds(parsed, delivery=delivery),
        )

    def test_dump(self):
        parsed = self.parse('/x', command=dump.DumpImages)
        self.assertEqual(options.Run(), requests.run(parsed))
        (to,) = requests.to_dump('/x', members=True)
        self.assertEqual(
            options.To('/x', options.Replica(members=True), is_dump=True), to
        )

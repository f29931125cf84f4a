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

"""All verbs with no more rights than the documents ask for."""

import copy
import csv
import os
import pathlib
import uuid

import yaml

from osc_glance_replicate.tests.functional import dumps

_CALLS = (
    pathlib.Path(__file__).parents[3] / 'doc/source/user/security-calls.csv'
)

_DATA = {
    'service': 'image',
    'method': 'GET',
    'path': '/v2/images/{image_id}/file',
}


class TestRights(dumps.DumpTest):
    """Application credentials whose access rules are those of the page."""

    alone = False

    def rules(self, column, verb):
        """Give the access rules that the page has for a verb."""
        with _CALLS.open() as table:
            return [
                {
                    'service': row['Service'],
                    'method': row['Method'],
                    'path': row['Path'],
                }
                for row in csv.DictReader(table)
                if verb in row[column].split()
            ]

    def entry(self, cloud, rules):
        """Make a credential, and an entry of clouds.yaml that has it."""
        connection = cloud.connections['']
        path = f'/users/{connection.current_user_id}/application_credentials'
        made = connection.identity.post(
            path,
            json={
                'application_credential': {
                    'name': f'replicate {uuid.uuid4().hex}',
                    'access_rules': rules,
                }
            },
        ).json()['application_credential']
        self.addCleanup(connection.identity.delete, f'{path}/{made["id"]}')
        original = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        entry = yaml.safe_load(original.read_text())['clouds'][cloud.name]
        entry['auth_type'] = 'v3applicationcredential'
        entry['auth'] = {
            'auth_url': entry['auth']['auth_url'],
            'application_credential_id': made['id'],
            'application_credential_secret': made['secret'],
        }
        return entry

    def run_verb(self, verb, *words, source='source', **options):
        """Run a verb with what the page has for it, and with nothing else."""
        environment = self.clouds_yaml(
            source=self.entry(self.master, self.rules('As source of', verb)),
            destination=self.entry(
                self.slave, self.rules('As destination of', verb)
            ),
        )
        return self.replicate(
            verb, *words, source=source, environment=environment, **options
        )

    def test_every_verb(self):
        demo = self.master.project_id('demo')
        image = self.master.create(b'image', name='image', tags=['a'])
        public = self.master.create(
            b'public', name='public', visibility='public', protected=True
        )
        shared = self.master.create(
            b'shared', name='shared', visibility='shared'
        )
        self.master.request(
            'POST', f'/images/{shared.id}/members', json={'member': demo}
        )
        ids = [image.id, public.id, shared.id]
        to = ('--to', 'destination')
        (row,) = self.run_verb('size', *ids, *to).rows
        self.assertEqual(3, row['Images'])
        self.run_verb('ec2ids', *ids)
        copied = self.run_verb('livecopy', *ids[:2], *to, '--method', 'import')
        self.assertEqual(dict.fromkeys(ids[:2], 'copied'), copied.results)
        members = ('--members', '--owner', 'by-name')
        copied = self.run_verb('livecopy', shared.id, *to, *members)
        self.assertEqual({shared.id: 'copied'}, copied.results)
        self.check_what_follows(image, shared, to, members)
        self.run_verb('compare', *ids[:2], *to, '--data')
        self.run_verb('dump', str(self.path), *ids, '--members')
        self.verify()
        other = self.put(b'other')
        loaded = self.run_verb(
            'load', str(self.path), other.id, source='destination'
        )
        self.assertEqual({other.id: 'copied'}, loaded.results)

    def check_what_follows(self, image, shared, to, members):
        """Metadata, withdrawals and members."""
        self.master.patch(image.id, name='new')
        for act, told in ('deactivate', 'updated'), ('reactivate', 'updated'):
            self.master.request('POST', f'/images/{image.id}/actions/{act}')
            result = self.run_verb('livecopy', image.id, *to)
            self.assertEqual({image.id: told}, result.results)
        alt = self.master.project_id('alt')
        path = f'/images/{shared.id}/members'
        self.master.request('POST', path, json={'member': alt})
        self.master.request(
            'DELETE', f'{path}/{self.master.project_id("demo")}'
        )
        result = self.run_verb('livecopy', shared.id, *to, *members, '--exact')
        self.assertEqual({shared.id: 'updated'}, result.results)

    def test_download(self):
        """The destination fetches what its own user may read."""
        for column in 'As source of', 'As destination of':
            self.assertIn(_DATA, self.rules(column, 'livecopy'))
        rules = self.rules('As destination of', 'livecopy')
        without = [rule for rule in rules if rule != _DATA]
        source = self.entry(
            self.master, self.rules('As source of', 'livecopy')
        )
        for rules, told in (without, 'failed'), (rules, 'copied'):
            # Glance lets nobody import one again whose import has failed.
            image = self.master.create(b'image', name='image')
            destination = self.entry(self.master, rules)
            del destination['regions']
            destination['region_name'] = 'RegionTwo'
            result = self.replicate(
                'livecopy', image.id, '--to', 'destination',
                '--method', 'glance-download', source='source',
                environment=self.clouds_yaml(
                    source=copy.deepcopy(source), destination=destination
                ),
                expect=int(told == 'failed'),
            )  # fmt: skip
            self.assertEqual({image.id: told}, result.results)

    def test_what_is_not_in_the_table_is_refused(self):
        """Else the rules of these tests would mean nothing."""
        image = self.master.create(b'image', name='image')
        rules = self.rules('As source of', 'livecopy')
        rules.remove(_DATA)
        environment = self.clouds_yaml(source=self.entry(self.master, rules))
        result = self.replicate(
            'livecopy', image.id, '--to', 'slave', source='source',
            environment=environment, expect=1,
        )  # fmt: skip
        self.assertEqual({image.id: 'failed'}, result.results)
        self.assertIn('HTTP 401', result.rows[0]['Reason'])

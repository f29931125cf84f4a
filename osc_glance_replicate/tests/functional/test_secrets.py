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

"""No token, no password and no signed URL is told, however loud a command.

Every functional test searches what its commands tell. These make sure that
it would find something, and bring in what the others have not.
"""

import os
import pathlib
import stat
import uuid

import testtools
import yaml

from osc_glance_replicate.sandbox import keystone
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links
from osc_glance_replicate.tests.functional import proxy


class TestSearch(base.FunctionalTest):
    """Secrets are known, and a test in which one gets out is red."""

    def test_passwords_are_random(self):
        clouds = yaml.safe_load(self._file('clouds.yaml').read_text())
        auths = [entry['auth'] for entry in clouds['clouds'].values()]
        self.assertEqual(9, len({auth['password'] for auth in auths}))
        for auth in auths:
            self.assertGreater(len(auth['password']), 40)

    def test_leak_turns_a_test_red(self):
        token = self.master.connections['-demo'].session.get_token()
        auth = self.slave.connections['-alt'].config.auth
        password = auth['password']
        planted = f'{token[:60]} {password}'

        class Leaking(base.FunctionalTest):
            def take_turn(self):
                """It is the turn of the test around it."""

            def test(self):
                self.master.create(name=planted)
                # Once as a row, once as an argument.
                self.livecopy('--dry-run', '--name', planted, *self.loud())

        result = testtools.TestResult()
        Leaking('test').run(result)
        ((_, told),) = result.failures
        for word in ('stdout', 'stderr', '--log-file', 'a token',
                     'the password of slave-alt'):  # fmt: skip
            self.assertIn(word, told)
        for secret in token[:60], token[50:60], password:
            self.assertNotIn(secret, told)

    def test_tokens_are_noted_for_their_owner_alone(self):
        token = self.slave.connections['-alt'].session.get_token()
        notes = self._file(keystone.TOKENS)
        self.assertIn(token, notes.read_text().splitlines())
        self.assertEqual(0o600, stat.S_IMODE(notes.stat().st_mode))

    def _file(self, name):
        return pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE']).parent / name


class TestLoud(base.FunctionalTest):
    """What only --debug would tell is not told either."""

    def test_locations_of_a_source(self):
        """Its Glance shows where the data is, with what opens the store."""
        secure = self.cloud('secure')
        image = secure.create(b'data')
        key, signature = (uuid.uuid4().hex for _ in range(2))
        secure.sql(
            "UPDATE image_locations SET value = value || '?temp_url_sig=' "
            '|| %s',
            signature,
        )
        secure.sql(
            'INSERT INTO image_locations (image_id, value, meta_data, status, '
            "created_at, updated_at, deleted) SELECT image_id, "
            "'swift+https://user:' || %s || '@store/images/x', meta_data, "
            'status, created_at, updated_at, deleted FROM image_locations',
            key,
        )
        shown = str(secure.get(image.id).record)
        for secret in key, signature:
            self.assertIn(secret, shown)
            base.secrets().add(secret, 'a key of the store')
        log = self.loud()
        result = self.livecopy(*log, source='secure')
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertReplica(image, b'data')
        # There was something to search.
        self.assertIn(image.id, pathlib.Path(log[-1]).read_text())

    def test_source_that_redirects(self):
        """To its store, where whoever has the URL gets the data."""
        image = self.master.create()
        signature = uuid.uuid4().hex
        base.secrets().add(signature, 'a signature')
        link = self.useFixture(proxy.Proxy(self.master.glance.url))
        location = f'https://store.example/x?temp_url_sig={signature}'
        elsewhere = faults.Answer(302, {'Location': location})
        link.on('GET', 'file$', faults.Fault(answer=elsewhere), times=None)
        result = self.livecopy(
            *self.loud(),
            expect=1,
            environment=self.clouds_yaml(master=links.behind(link)),
        )
        self.assertEqual({image.id: 'failed'}, result.results)
        self.assertEqual(302, link.seen('GET', 'file$')[0].status)

    def test_login_that_fails(self):
        password = uuid.uuid4().hex
        base.secrets().add(password, 'a password that is refused')
        for cloud in 'master', 'slave':
            result = self.livecopy(
                *self.loud(),
                expect=1,
                environment=self.clouds_yaml(
                    **{cloud: {'auth': {'password': password}}}
                ),
            )
            self.assertIn(f"Cannot use cloud '{cloud}':", result.stderr)

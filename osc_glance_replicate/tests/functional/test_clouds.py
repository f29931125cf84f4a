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

"""Which clouds are used, and what is said of those that cannot be."""

import os
import pathlib
import time

import fixtures
import trustme
import yaml

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import proxy


def _fails(status):
    return faults.Fault(answer=faults.Answer(status))


class TestUnusable(base.FunctionalTest):
    """One line that names the cloud, exit code 1, nothing created."""

    alone = False

    def setUp(self):
        super().setUp()
        self.image = self.master.create()

    def _assert_refused(self, cloud, *words, **options):
        result = self.livecopy(self.image.id, expect=1, **options)
        self.assertIn(result.stdout.strip(), ('', '[]'))
        (line,) = result.stderr.splitlines()
        for word in (cloud, *words):
            self.assertIn(word, line)
        self.assertNotIn(self.image.id, self.slave.ids())
        self.assertIn(self.image.id, self.master.ids())

    def test_unknown_destination(self):
        self._assert_refused(
            "Cannot use cloud 'ghost':",
            'not found; its name has to be one in clouds.yaml',
            to='ghost',
        )

    def test_unknown_source(self):
        self._assert_refused('ghost', source='ghost')

    def test_unknown_region(self):
        self._assert_refused("'slave:Mars'", 'Mars', to='slave:Mars')

    def test_wrong_password(self):
        for cloud in ('master', 'slave'):
            environment = self.clouds_yaml(
                **{cloud: {'auth': {'password': 'x'}}}
            )
            self._assert_refused(
                f"Cannot use cloud '{cloud}':", '401', environment=environment
            )

    def test_no_password(self):
        self._assert_refused(
            "Cannot use cloud 'slave':",
            "password is a required attribute; it belongs into its 'auth'",
            environment=self.clouds_yaml(slave={'auth': {'password': None}}),
        )

    def test_versions_that_are_gone(self):
        environment = self.clouds_yaml(slave={'image_api_version': '1'})
        self._assert_refused(
            "Cannot use cloud 'slave':",
            'image_api_version',
            'OS_IMAGE_API_VERSION',
            environment=environment,
        )
        # As version 2 of Keystone had it, which knew no domains.
        variables = {'OS_IDENTITY_API_VERSION': '2'}
        original = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        clouds = yaml.safe_load(original.read_text())['clouds']
        for entry in clouds.values():
            del entry['identity_api_version']
        old = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'old')
        old.write_text(yaml.safe_dump({'clouds': clouds}))
        result = self.livecopy(
            self.image.id,
            environment={'OS_CLIENT_CONFIG_FILE': str(old), **variables},
            expect=1,
        )
        last = result.stderr.splitlines()[-1]
        for words in "Cannot use cloud 'master'", 'OS_IDENTITY_API_VERSION':
            self.assertIn(words, last)

    def test_dead_identity_endpoint(self):
        for cloud in ('master', 'slave'):
            url = self._dead_url('/v3')
            environment = self.clouds_yaml(
                **{cloud: {'auth': {'auth_url': url}}}
            )
            self._assert_refused(
                f"Cannot use cloud '{cloud}': its Keystone at {url} refuses "
                'connections; see whether it is up',
                environment=environment,
            )

    def test_dead_image_endpoint(self):
        for cloud in ('master', 'slave'):
            url = self._dead_url('/v2')
            dead = {'image_endpoint_override': url}
            for entry in (dead, {**dead, 'image_api_version': '2'}):
                self._assert_refused(
                    f"Cannot use cloud '{cloud}': its image service at {url} "
                    'refuses connections; see',
                    environment=self.clouds_yaml(**{cloud: entry}),
                )

    def test_image_service_that_is_down_behind_its_keystone(self):
        silent = self.useFixture(base.Silence())
        broken = self._keystone('slave')
        broken.on('.*', '', _fails(503), times=None)
        secure = self.cloud('secure')
        for url, told in (
            (self._dead_url(''), 'refuses connections; see'),
            (broken.url, 'answers: Service Unavailable (HTTP 503)'),
            (secure.glance.url, 'cannot be reached: [SSL: CERTIFICATE'),
            (silent.url, 'does not answer (2 s); see'),
        ):
            for path in '', '/v2':
                self._assert_refused(
                    "Cannot use cloud 'slave': its image service at "
                    f'{url}{path or "/"} {told}',
                    environment=self._with_images_at(
                        url + path, api_timeout=2 if url == silent.url else 60
                    ),
                )
        self.assertEqual(2 * 3, len(broken.seen('GET')))
        self.assertEqual(2, len(silent.calls))

    def test_image_service_that_breaks_is_tried_again(self):
        link = self.useFixture(proxy.Proxy(self.slave.glance.url))
        link.on('GET', '^/$', _fails(503), times=2)
        # Its versions lead past the proxy, which has had its say.
        self.livecopy(
            '--dry-run',
            self.image.id,
            environment=self._with_images_at(link.url),
        )
        self.assertLess(2, len(link.seen('GET', '^/$')))

    def test_catalogue_without_an_image_service(self):
        self._assert_refused(
            "Cannot use cloud 'slave': its catalogue has no image service in "
            'region RegionOne',
            environment=self._with_images_at(None),
        )

    def _with_images_at(self, url, **beside):
        """Return an environment: a catalogue with another image service."""

        def lead(document):
            catalogue = document['token']['catalog']
            for service in catalogue.copy():
                if service['type'] == 'image':
                    for endpoint in service['endpoints']:
                        endpoint['url'] = url
                    if not url:
                        catalogue.remove(service)
            return document

        keystone = self._keystone('slave')
        keystone.on('POST', 'tokens', faults.Fault(rewrite=lead), times=None)
        auth = {'auth_url': f'{keystone.url}/v3'}
        return self.clouds_yaml(slave={'auth': auth, **beside})

    def test_identity_that_stays_broken(self):
        for fault, told in (
            (faults.Fault(before=lambda call: faults.reset()), 'breaks the'),
            (_fails(503), 'answers: Service Unavailable (HTTP 503)'),
        ):
            keystone = self._keystone('slave')
            keystone.on('.*', '', fault, times=None)
            self._assert_refused(
                "Cannot use cloud 'slave': its Keystone at "
                f'{keystone.url}/v3 {told}',
                environment=self._behind('slave', keystone),
            )
            self.assertEqual(3, len(keystone.seen('GET', '/v3$')))
            self.assertEqual(3, len(keystone.calls))

    def test_login_that_breaks_is_tried_again(self):
        for cloud, fault in (
            ('master', faults.Fault(before=lambda call: faults.close())),
            ('slave', _fails(503)),
        ):
            keystone = self._keystone(cloud)
            keystone.on('.*', '', fault, times=2)
            self.livecopy(
                '--dry-run', self.image.id,
                environment=self._behind(cloud, keystone),
            )  # fmt: skip
            self.assertLess(2, len(keystone.calls))

    def test_login_is_refused_once(self):
        keystone = self._keystone('slave')
        environment = self.clouds_yaml(
            slave={'auth': {'password': 'x', 'auth_url': f'{keystone.url}/v3'}}
        )
        self._assert_refused("'slave'", 'HTTP 401', environment=environment)
        (login,) = keystone.seen('POST', '/auth/tokens')
        self.assertEqual(401, login.status)

    def _keystone(self, cloud):
        url = self._entry(cloud)['auth']['auth_url']
        return self.useFixture(proxy.Proxy(url))

    def _behind(self, cloud, keystone):
        return self.clouds_yaml(
            **{cloud: {'auth': {'auth_url': f'{keystone.url}/v3'}}}
        )

    def test_identity_endpoint_that_never_answers(self):
        for cloud in ('master', 'slave'):
            silent = self.useFixture(base.Silence())
            self._assert_refused(
                f"Cannot use cloud '{cloud}': its Keystone at {silent.url}/v3 "
                'does not answer (2 s); see whether it is up',
                environment=self._impatient(cloud, silent),
            )
            self.assertEqual(1, len(silent.calls))

    def test_identity_endpoint_that_spins_out_its_answers(self):
        """Bytes, and answers: the time is for all of them together."""
        for cloud in ('master', 'slave'):
            slow = self._keystone(cloud)
            late = faults.Fault(before=lambda call: time.sleep(1.5))
            dribble = faults.Fault(download=faults.dribble(1, 0.1))
            slow.on('GET', '', late)
            slow.on('POST', '', dribble, times=None)
            start = time.monotonic()
            self._assert_refused(
                f"Cannot use cloud '{cloud}': its Keystone at {slow.url}/v3/"
                'auth/tokens does not answer (2 s)',
                environment=self._impatient(cloud, slow),
            )
            # The answer has some thousand bytes.
            self.assertLess(time.monotonic() - start, 60)

    def _impatient(self, cloud, keystone):
        auth = {'auth_url': f'{keystone.url}/v3'}
        return self.clouds_yaml(**{cloud: {'auth': auth, 'api_timeout': 2}})

    def _dead_url(self, path):
        return f'http://{self.useFixture(base.Nobody()).address}{path}'

    def test_same_cloud(self):
        self._assert_refused(
            "Cannot use cloud 'master':",
            self.master.glance.url,
            to='master',
        )

    def test_same_service_as_another_project(self):
        self._assert_refused(
            "'master-demo'", self.master.glance.url, to='master-demo'
        )

    def test_same_destination_twice(self):
        region = 'slave:RegionOne'
        environment = self.clouds_yaml(
            slave={'region_name': 'other', 'regions': ['RegionOne', 'other']}
        )
        result = self.livecopy(
            '--to', region, self.image.id, environment=environment, expect=1
        )
        self.assertEqual(
            f"Cannot use cloud '{region}': it is named twice: give each --to "
            'once\n',
            result.stderr,
        )
        self.assertNotIn(self.image.id, self.slave.ids())

    def test_same_service_by_another_url(self):
        url = self.master.glance.url.replace('127.0.0.1', 'localhost')
        environment = self.clouds_yaml(
            alias={
                **self._entry('master'),
                'image_endpoint_override': f'{url}/v2',
                'image_api_version': '2',
            }
        )
        self._assert_refused(
            "Cannot use cloud 'alias':",
            "'master'",
            to='alias',
            environment=environment,
        )

    def test_twins_that_a_tenant_makes_in_two_regions(self):
        """He may choose the ID and the second, and stops nobody by it."""
        other = self.cloud('master:RegionTwo')
        twin = self.master.create(b'x', 'demo', visibility='community')
        other.create(b'x', 'demo', id=twin.id, visibility='community')
        for cloud in self.master, other:
            cloud.sql(
                "UPDATE images SET created_at = '2026-01-01', "
                "updated_at = '2026-01-01' WHERE id = %s",
                twin.id,
            )
        result = self.livecopy(
            self.image.id, twin.id, to='master:RegionTwo', expect=None
        )
        self.assertEqual('copied', result.results[self.image.id])

    def test_openrc_of_the_destination_in_the_environment(self):
        """OS_AUTH_URL and the like win over --os-cloud for the source."""
        auth = self._entry('slave')['auth']
        environment = {
            f'OS_{name.upper()}': value for name, value in auth.items()
        }
        self._assert_refused(
            "Cannot use cloud 'slave':",
            self.slave.glance.url,
            'OS_',
            environment=environment,
        )

    def test_openrc_of_a_third_cloud_in_the_environment(self):
        image = self.cloud('secure').create()
        entry = self._entry('secure')
        environment = {
            f'OS_{name.upper()}': value
            for name, value in entry['auth'].items()
        }
        result = self.livecopy(
            image.id, environment={**environment, 'OS_CACERT': entry['cacert']}
        )
        self.assertEqual({image.id: 'copied'}, result.results)
        warning, _ = result.stderr.splitlines()
        for word in "'master'", 'OS_AUTH_URL', entry['auth']['auth_url']:
            self.assertIn(word, warning)

    def _entry(self, cloud):
        path = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        return yaml.safe_load(path.read_text())['clouds'][cloud]


class TestShared(base.FunctionalTest):
    """Regions of one Keystone."""

    alone = False

    def test_they_share_a_login(self):
        image = self.slave.create()
        path = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        auth = yaml.safe_load(path.read_text())['clouds']['master']['auth']
        keystone = self.useFixture(proxy.Proxy(auth['auth_url']))
        regions = [f'master:{name}' for name in ('RegionOne', 'RegionTwo')]
        result = self.livecopy(
            '--to', regions[1], image.id, '--dry-run',
            source='slave',
            to=regions[0],
            environment=self.clouds_yaml(
                master={'auth': {'auth_url': f'{keystone.url}/v3'}}
            ),
        )  # fmt: skip
        self.assertEqual({*regions}, {row['To'] for row in result.rows})
        self.assertEqual(1, len(keystone.seen('GET', '/v3$')))
        self.assertEqual(1, len(keystone.seen('POST', '/auth/tokens$')))


class TestTls(base.FunctionalTest):
    """A private authority, named in clouds.yaml, on either side."""

    def setUp(self):
        super().setUp()
        self.secure = self.cloud('secure')

    def test_to_and_from(self):
        image = self.master.create(b'data' * 100000, visibility='public')
        self.livecopy(*self.loud(), to='secure')
        self.assertReplica(image, b'data' * 100000, self.secure)
        self.livecopy(*self.loud(), source='secure')
        self.assertReplica(image, b'data' * 100000)

    def test_nothing_of_the_sources_settings_reaches_a_destination(self):
        """An openrc and global options of the source, wrong elsewhere."""
        image = self.master.create(b'data', user='demo')
        path = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        clouds = yaml.safe_load(path.read_text())['clouds']
        auth = clouds['master-demo']['auth']
        environment = {
            f'OS_{name.upper()}': value for name, value in auth.items()
        }
        nobodys = trustme.CA().cert_pem
        with nobodys.tempfile() as authority:
            result = self.openstack(
                '--os-cacert', authority, '--os-region-name', 'RegionOne',
                '--os-interface', 'public',
                'image', 'replicate', 'livecopy', image.id, '-f', 'json',
                '--to', 'secure', environment=environment,
            )  # fmt: skip
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertEqual(
            self.secure.project_id(),
            self.secure.get(image.id).record['owner'],
        )

    def test_unknown_authority_is_refused(self):
        self.master.create()
        self.secure.create()
        environment = self.clouds_yaml(secure={'cacert': None})
        for options in ({'to': 'secure'}, {'source': 'secure'}):
            result = self.livecopy(
                expect=1, environment=environment, **options
            )
            (line,) = result.stderr.splitlines()
            self.assertIn("Cannot use cloud 'secure':", line)
            self.assertIn('CERTIFICATE_VERIFY_FAILED', line)
        self.assertEqual(set(), self.slave.ids())

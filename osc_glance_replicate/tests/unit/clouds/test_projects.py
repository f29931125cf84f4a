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

import json
import types
import urllib.parse

import fixtures
import requests
import testtools

from osc_glance_replicate.clouds import projects
from osc_glance_replicate import errors
from osc_glance_replicate.model import ownership


def project(number, name='demo', domain='d1'):
    return {'id': f'{number:032x}', 'name': name, 'domain_id': domain}


class FakeKeystone:
    """Answers what is asked for by path.

    :ivar answers: by path, status and document; others are 403
    :ivar headers: of all answers
    """

    def __init__(self):
        self.asked = []
        self.answers = {}
        self.headers = {}

    def get(self, path):
        self.asked.append(path)
        status, document = self.answers.get(path, (403, {}))
        found = requests.Response()
        found.status_code = status
        found.headers.update(self.headers)
        found._content = json.dumps(document).encode()
        found.url = f'http://keystone{path}'
        return found


class ProjectsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.keystone = FakeKeystone()
        self.waits = []
        self.useFixture(fixtures.MonkeyPatch('time.sleep', self.waits.append))
        access = types.SimpleNamespace(
            project_domain_id='own', project_domain_name='Own'
        )
        auth = types.SimpleNamespace(
            get_access=lambda session: access, auth_url='http://keystone'
        )
        self.config = types.SimpleNamespace(
            config={},
            get_endpoint=lambda name: None,
            get_endpoint_from_catalog=lambda name: self.listed_at,
        )
        self.listed_at = 'http://keystone/v3'
        self.known = projects.KeystoneProjects(
            'slave',
            types.SimpleNamespace(
                identity=self.keystone,
                session=types.SimpleNamespace(auth=auth),
                config=self.config,
            ),
        )

    def answer(self, path, document, status=200):
        self.keystone.answers[path] = status, document

    def listed(self, *listed, truncated=False):
        self.answer(
            '/projects', {'projects': list(listed), 'truncated': truncated}
        )


class TestDomains(ProjectsTest):
    def test_names(self):
        self.listed(project(1, domain='d1'), project(2, domain='own'))
        self.answer('/domains', {'domains': [{'id': 'd1', 'name': 'One'}]})
        names = [each.domain for each in self.known.known().values()]
        self.assertEqual(['One', 'Own'], names)
        self.assertEqual(['/projects', '/domains'], self.keystone.asked)

    def test_who_is_refused_one_is_refused_all(self):
        self.listed(*[project(n, domain=f'd{n}') for n in range(500)])
        names = [each.domain for each in self.known.known().values()]
        self.assertEqual([f'd{n}' for n in range(500)], names)
        self.assertEqual(
            ['/projects', '/domains', '/auth/domains', '/domains/d0'],
            self.keystone.asked,
        )

    def test_id_leads_nowhere_else(self):
        self.listed(project(1, domain='../auth/tokens'))
        self.known.known()
        self.assertEqual(
            '/domains/..%2Fauth%2Ftokens', self.keystone.asked[-1]
        )


class TestNotAll(ProjectsTest):
    """Keystone lists but some of the projects (list_limit)."""

    def setUp(self):
        super().setUp()
        self.answer('/domains', {'domains': [{'id': 'd1', 'name': 'One'}]})
        self.listed(project(1), truncated=True)

    def query(self, name):
        return f'/projects?{urllib.parse.urlencode({"name": name})}'

    def test_those_that_are_asked_for(self):
        wanted = project(2, 'a b&c')
        self.answer(f'/projects/{wanted["id"]}', {'project': wanted})
        self.answer(self.query('a b&c'), {'projects': [wanted, project(3)]})
        for _ in range(2):
            self.assertEqual('a b&c', self.known.project(wanted['id']).name)
            self.assertEqual({wanted['id']}, set(self.known.of_name('a b&c')))
        self.assertEqual(4, len(self.keystone.asked))

    def test_names_that_are_cut_off(self):
        self.answer(
            self.query('demo'), {'projects': [project(2)], 'truncated': True}
        )
        for _ in range(2):
            error = self.assertRaises(LookupError, self.known.of_name, 'demo')
            self.assertIn('list_limit', str(error))
        self.assertEqual(1, self.keystone.asked.count(self.query('demo')))
        error = self.assertRaises(
            errors.SelectionError, ownership.find, self.known, 'demo'
        )
        self.assertIn("slave: Keystone lists but some", str(error))

    def test_keystone_that_fails_concerns_one_image(self):
        self.answer(self.query('demo'), {}, 500)
        error = self.assertRaises(LookupError, self.known.of_name, 'demo')
        self.assertIn("'slave'", str(error))
        owners = ownership.ByName(self.known, self.known)
        error = self.assertRaises(LookupError, owners.at, project(1)['id'])
        self.assertIn('run again', str(error))

    def test_one_that_is_refused_is_not_known(self):
        self.assertIsNone(self.known.project(project(7)['id']))
        self.assertEqual({}, self.known.of_name('other'))


class TestOtherRegions(ProjectsTest):
    """The catalogue may have Keystone in one region only."""

    def test_it_is_where_one_logs_in(self):
        self.listed(project(1))
        self.known.known()
        self.assertEqual({}, self.config.config)
        self.listed_at = None
        projects.KeystoneProjects('slave', self.known._connection).known()
        self.assertEqual(
            {
                'identity_endpoint_override': 'http://keystone/v3',
                'identity_api_version': '3',
            },
            self.config.config,
        )


class TestLimits(ProjectsTest):
    def test_limit_of_requests_is_waited_for(self):
        for status, headers, waits in (
            (429, {}, [1.0, 1.0, 1.0]),
            (403, {'Retry-After': '5'}, [5.0] * 3),
            (413, {'Retry-After': '500'}, [60.0] * 3),
        ):
            self.waits.clear()
            self.keystone.headers = headers
            self.answer('/projects', {}, status)
            error = self.assertRaises(errors.CloudError, self.known.known)
            self.assertIn(f'{status}', str(error))
            self.assertEqual(waits, self.waits)

    def test_what_is_refused_is_not_asked_again(self):
        self.answer('/auth/projects', {'projects': [project(1)]})
        self.assertEqual({project(1)['id']}, set(self.known.known()))
        self.assertEqual([], self.waits)

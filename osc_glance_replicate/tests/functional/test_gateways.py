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

"""What stands between a user and a Glance, and several Glances as one."""

import gzip

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links


def _pack(blocks):
    return [gzip.compress(b''.join(blocks))]


#: An answer that is packed, though nobody has asked for that.
PACKED = faults.Fault(
    headers={'content-encoding': 'gzip', 'content-length': None},
    download=_pack,
)


def answer(status, **headers):
    return faults.Fault(answer=faults.Answer(status, headers))


class TestGateways(links.BrokenLinksTest):
    alone = False

    def test_packed_answers(self):
        image = self.image(name='image')
        for link in self.source, self.destination:
            link.on('GET', '/v2/', PACKED, times=None)
        result = self.copy(image.id)
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertCopied(image)

    def test_what_is_called_packed_and_is_not(self):
        image = self.image(name='image')
        plain = faults.Fault(headers={'content-encoding': 'utf-8'})
        for link in self.source, self.destination:
            link.on('GET', '/v2/', plain, times=None)
        result = self.copy(image.id)
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertCopied(image)

    def test_what_is_packed_and_broken(self):
        image = self.image(name='image')
        broken = faults.Fault(
            headers=PACKED.headers,
            download=lambda blocks: [_pack(blocks)[0][: base.MIB]],
        )
        self.source.on('GET', f'{image.id}/file$', broken)
        result = self.copy(image.id)
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertCopied(image)

    def test_proxy_that_is_down(self):
        """It is named, not the cloud that it would lead to."""
        image = self.image(10, name='image')
        nobody = self.useFixture(base.Nobody()).address
        proxy = {
            'http_proxy': f'http://user:pass@{nobody}',
            'no_proxy': '',
        }
        result = self.openstack(
            *self.words(image.id),
            environment={**self.environment, **proxy},
            expect=1,
        )
        (line,) = result.stderr.splitlines()
        self.assertIn(f'the proxy at {nobody}, by which its Keystone', line)
        self.assertIn('refuses connections', line)
        self.assertIn('no_proxy', line)
        self.assertNotIn('user:pass', line)

    def test_limits_of_requests(self):
        """Each service has a form of its own to say so."""
        limits = {
            'mod': answer(429, **{'Retry-After': '1'}),
            'old': answer(413, **{'Retry-After': '1'}),
            'gateway': answer(403, **{'Retry-After': '1'}),
            'swift': answer(498),
        }
        for name, limited in limits.items():
            image = self.image(10, name=name)
            self.destination.on('POST', '/v2/images$', limited)
            self.source.on('GET', f'{image.id}/file$', limited)
            result = self.copy(image.id)
            self.assertEqual({image.id: 'copied'}, result.results, name)

    def test_page_that_takes_a_gateway_too_long(self):
        image = self.image(10, name='image', tags=['slow'])
        self.source.on(
            'GET', r'[?&]limit=(1000|250)\b', answer(504), times=None
        )
        result = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy', '-f',
            'json', '--to', 'slave', '--name', image.name, '--tag', 'slow',
            environment=self.environment,
        )  # fmt: skip
        self.assertEqual({image.id: 'copied'}, result.results)

    def test_one_glance_lacks_a_file(self):
        image = self.image(10, name='image')
        lacking = faults.Fault(answer=faults.Answer(404))
        self.source.on('GET', f'{image.id}/file$', lacking, times=2)
        result = self.copy(image.id)
        self.assertEqual({image.id: 'copied'}, result.results)
        self.data.clear()
        gone = self.image(10, name='gone')
        self.source.on('GET', f'{gone.id}/file$', lacking, times=None)
        result = self.copy(gone.id, expect=1)
        self.assertReasons(result, gone='lost or damaged')


class TestDatabasesThatLag(links.BrokenLinksTest):
    """A Glance that has not heard yet of a record that another has made."""

    alone = False

    def unheard(self, image, method, path, times):
        self.destination.on(
            method,
            f'{image.id}{path}',
            answer(404),
            times=times,
            when=lambda call: self.made(image),
        )

    def made(self, image):
        return bool(self.destination.seen('POST', '/v2/images$'))

    def test_each_kind_of_request(self):
        for method, path, times in (
            ('PUT', '/file$', 2),
            ('PATCH', '$', 3),
            ('GET', '$', 3),
            ('PUT', '/stage$', 2),
            ('POST', '/import$', 3),
        ):
            image = self.image(
                10, name=f'{method} {path}', visibility='public'
            )
            self.destination.calls.clear()
            self.unheard(image, method, path, times)
            way = 'import' if 'stage' in path or 'import' in path else 'upload'
            result = self.copy('--method', way, image.id)
            self.assertEqual({image.id: 'copied'}, result.results, path)
            self.assertCopied(image, puts=None)

    def test_what_is_gone_is_called_so(self):
        image = self.image(10, name='gone')
        self.unheard(image, 'GET|PUT|PATCH', '', None)
        result = self.copy(image.id, '--retries', '1', expect=1)
        (row,) = result.rows
        self.assertIn('purge_images_table', row['Reason'])

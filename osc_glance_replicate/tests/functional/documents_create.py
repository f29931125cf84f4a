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

"""Creates an image, for the pages' hidden parts: see documents.sh.

``openstack image create`` takes two seconds to start, and pages have images
by the dozen::

    python -m osc_glance_replicate.tests.functional.documents_create \\
        CLOUD ID BYTES NAME [OPTION ...]
"""

import argparse
import functools
import json
import os
import ssl
from typing import Any
import urllib.request

import yaml

_CLOUDS = '~/.config/openstack/clouds.yaml'


def _parser() -> argparse.ArgumentParser:
    """Take the options that ``openstack image create`` has, too."""
    parser = argparse.ArgumentParser()
    for name in 'cloud', 'id', 'bytes', 'name':
        parser.add_argument(name)
    parser.add_argument('--disk-format', default='raw')
    parser.add_argument('--container-format', default='bare')
    parser.add_argument('--project')
    parser.add_argument('--tag', action='append', default=[])
    parser.add_argument('--property', action='append', default=[])
    for visibility in 'public', 'private', 'shared', 'community':
        parser.add_argument(
            f'--{visibility}',
            dest='visibility',
            action='store_const',
            const=visibility,
        )
    for field in 'hidden', 'protected':
        parser.add_argument(f'--{field}', action='store_true')
    return parser


class _Cloud:
    def __init__(self, name: str) -> None:
        with open(os.path.expanduser(_CLOUDS)) as file:
            self._entry = yaml.safe_load(file)['clouds'][name]
        self._tls = ssl.create_default_context(
            cafile=self._entry.get('cacert')
        )
        self._token = ''

    def ask(
        self, method: str, url: str, body: object, kind: str = 'json'
    ) -> Any:
        """Send a request, and give its answer."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        request = urllib.request.Request(
            url,
            method=method,
            data=body,
            headers={
                'Content-Type': f'application/{kind}',
                'X-Auth-Token': self._token,
            },
        )
        return urllib.request.urlopen(request, context=self._tls)

    @functools.cached_property
    def glance(self) -> str:
        """The URL of the image service; we are logged in then."""
        auth = self._entry['auth']
        domain = {'id': 'default'}
        user = {
            'name': auth['username'],
            'password': auth['password'],
            'domain': domain,
        }
        project = {'name': auth['project_name'], 'domain': domain}
        with self.ask(
            'POST',
            f'{auth["auth_url"]}/auth/tokens',
            {
                'auth': {
                    'identity': {
                        'methods': ['password'],
                        'password': {'user': user},
                    },
                    'scope': {'project': project},
                }
            },
        ) as answer:
            self._token = answer.headers['X-Subject-Token']
            catalogue = json.load(answer)['token']['catalog']
        return next(
            str(endpoint['url'])
            for service in catalogue
            if service['type'] == 'image'
            for endpoint in service['endpoints']
            if endpoint['interface'] == 'public'
            and endpoint['region'] == self._entry['region_name']
        )

    def project(self, name: str) -> str:
        """Look up the ID of a project."""
        auth_url = self._entry['auth']['auth_url']
        with self.ask(
            'GET', f'{auth_url}/projects?name={name}', None
        ) as found:
            return str(json.load(found)['projects'][0]['id'])


def main() -> None:
    args = _parser().parse_args()
    cloud = _Cloud(args.cloud)
    images = f'{cloud.glance}/v2/images'
    record = {
        'id': args.id,
        'name': args.name,
        'disk_format': args.disk_format,
        'container_format': args.container_format,
        'tags': args.tag,
        'protected': args.protected,
        'os_hidden': args.hidden,
        **dict(each.split('=', 1) for each in args.property),
    }
    if args.visibility:
        record['visibility'] = args.visibility
    if args.project:
        record['owner'] = cloud.project(args.project)
    cloud.ask('POST', images, record)
    line = f'{args.name}\n'.encode()
    size = int(args.bytes)
    data = (line * (size // len(line) + 1))[:size]
    cloud.ask('PUT', f'{images}/{args.id}/file', data, 'octet-stream')


if __name__ == '__main__':
    main()

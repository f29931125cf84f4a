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

"""An image for the documentation's hidden parts, made quickly.

``openstack image create`` does the same, and takes two seconds to start.
"""

import argparse
import json
import pathlib
import ssl
import sys
from typing import Any
import urllib.request

import yaml


class _Glance:
    """A Glance, and a token for it.

    :param entry: of clouds.yaml
    """

    def __init__(self, entry: dict[str, Any], region: str) -> None:
        auth = entry['auth']
        self._tls = ssl.create_default_context(cafile=entry.get('cacert'))
        user = {
            'name': auth['username'],
            'domain': {'name': auth['user_domain_name']},
            'password': auth['password'],
        }
        project = {
            'name': auth['project_name'],
            'domain': {'name': auth['project_domain_name']},
        }
        wanted = {
            'identity': {'methods': ['password'], 'password': {'user': user}},
            'scope': {'project': project},
        }
        self._headers: dict[str, str] = {}
        self._keystone = auth['auth_url']
        token, answer = self._send(
            'POST', f'{self._keystone}/auth/tokens', {'auth': wanted}
        )
        self._headers = {'X-Auth-Token': token['X-Subject-Token']}
        self._url = next(
            endpoint['url']
            for service in json.loads(answer)['token']['catalog']
            for endpoint in service['endpoints']
            if service['type'] == 'image'
            and endpoint['interface'] == 'public'
            and endpoint['region'] == region
        )

    def _send(
        self, method: str, url: str, body: dict[str, Any] | bytes | None
    ) -> tuple[Any, bytes]:
        kind = 'octet-stream'
        if isinstance(body, dict):
            kind, body = 'json', json.dumps(body).encode()
        request = urllib.request.Request(
            url,
            body,
            {'Content-Type': f'application/{kind}', **self._headers},
            method=method,
        )
        with urllib.request.urlopen(request, context=self._tls) as answer:
            return answer.headers, answer.read()

    def project(self, name: str) -> Any:
        """Look up the ID of a project."""
        url = f'{self._keystone}/projects?name={name}'
        _, answer = self._send('GET', url, None)
        return json.loads(answer)['projects'][0]['id']

    def create(self, record: dict[str, Any], data: bytes | None) -> None:
        """Make an image, or where there is no data a queued record."""
        url = f'{self._url}/v2/images/{record["id"]}'
        self._send('POST', f'{self._url}/v2/images', record)
        if data is not None:
            self._send('PUT', f'{url}/file', data)
        _, answer = self._send('GET', url, None)
        made = json.loads(answer)
        wanted = ('queued', None) if data is None else ('active', len(data))
        if (made['status'], made['size']) != wanted:
            sys.exit(f'{record["id"]} is not {wanted}: {made}')


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument('cloud')
    parser.add_argument('id')
    # Or - for none.
    parser.add_argument('size')
    parser.add_argument('name')
    parser.add_argument('--disk-format', default='raw')
    parser.add_argument('--container-format', default='bare')
    parser.add_argument('--project')
    parser.add_argument('--tag', action='append', default=[])
    parser.add_argument('--property', action='append', default=[])
    parser.add_argument('--protected', action='store_true')
    parser.add_argument('--hidden', action='store_true')
    for visibility in 'public', 'private', 'shared', 'community':
        parser.add_argument(
            f'--{visibility}',
            dest='visibility',
            action='store_const',
            const=visibility,
            default='shared',
        )
    return parser.parse_args(arguments)


def main() -> None:
    options = _parse(sys.argv[1:])
    config = pathlib.Path.home() / '.config/openstack/clouds.yaml'
    cloud, _, region = options.cloud.partition(':')
    entry = yaml.safe_load(config.read_text())['clouds'][cloud]
    glance = _Glance(entry, region or entry['region_name'])
    record = {
        'id': options.id,
        'name': options.name,
        'disk_format': options.disk_format,
        'container_format': options.container_format,
        'visibility': options.visibility,
        'tags': options.tag,
        'protected': options.protected,
        'os_hidden': options.hidden,
        **dict(pair.split('=', 1) for pair in options.property),
    }
    if options.project:
        record['owner'] = glance.project(options.project)
    data = None
    if options.size != '-':
        size = int(options.size)
        line = f'{options.name}\n'.encode()
        data = (line * (size // len(line) + 1))[:size]
    glance.create(record, data)


if __name__ == '__main__':
    main()

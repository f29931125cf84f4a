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

"""What to do about a cloud that cannot be used, by what is said of it."""

_AUTHORITY = "give the file of its authority as 'cacert' in clouds.yaml"

_PROXIES = 'see http_proxy, https_proxy and all_proxy there'
_IDENTITY_2 = (
    "of version 2 of Keystone, which 'identity_api_version', "
    'OS_IDENTITY_API_VERSION or auth_url may still ask for, nothing is left: '
    'leave it out'
)
#: What to do about a problem, by a part of its message.
_HINTS = {
    'issuer certificate': _AUTHORITY,
    'signed certificate': _AUTHORITY,
    'certificate has expired': 'who operates it has to renew that',
    'refuses connections': 'see whether it is up, and whether that is its URL',
    'does not answer (': 'see whether it is up; if it is but slow, give its '
    "entry in clouds.yaml a longer 'api_timeout'",
    'the proxy at': 'it is that of the environment (http_proxy, https_proxy, '
    'all_proxy), which no_proxy can keep from a host',
    'HTTP 407': f'it is the proxy of the environment that says so: {_PROXIES}',
    'proxy URL': _PROXIES,
    'for SOCKS support': _PROXIES,
    'to find domain in': _IDENTITY_2,
    'Cannot use v2 authentication': _IDENTITY_2,
    "unexpected keyword argument 'user_domain": _IDENTITY_2,
    'could not convert string to float': "its 'api_timeout' is no number",
    'No endpoint data found': "give its entry in clouds.yaml "
    "image_api_version: '2', or have its versions told at that URL",
    'HTTP 401': "check its 'auth' in clouds.yaml, and the environment for "
    'OS_* variables',
    ' was not found.': 'its name has to be one in clouds.yaml, which is '
    'looked for here, in ~/.config/openstack and in /etc/openstack, or is the '
    'file that OS_CLIENT_CONFIG_FILE names',
    'is a required attribute': "it belongs into its 'auth' in clouds.yaml",
    'any supported versions': 'versions that its entry in clouds.yaml '
    "(image_api_version), or the environment (OS_IMAGE_API_VERSION), asks for "
    'are gone: leave them out',
    'auth-url required': 'name a cloud of clouds.yaml with --os-cloud',
}


def about(problem: str) -> list[str]:
    """Return what to do about a problem; nothing where nobody knows.

    :param problem: in the words of keystoneauth, openstacksdk or our own
    """
    return [hint for sign, hint in _HINTS.items() if sign in problem]

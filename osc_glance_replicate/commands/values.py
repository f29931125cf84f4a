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

"""Argument types: each reads the value of an option from its text."""

import argparse
from collections.abc import Callable
import datetime
import ipaddress
import re
import urllib.parse

_SECONDS = {'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}


def at_least(lowest: int) -> Callable[[str], int]:
    """Return an argument type: a whole number, not below the lowest."""

    def number(text: str) -> int:
        value = int(text)
        if value < lowest:
            raise argparse.ArgumentTypeError(f'{text} is less than {lowest}')
        return value

    return number


def size(text: str) -> int:
    """Read a size: a number of bytes, or of k, M, G, T, Ki, Mi, Gi or Ti.

    :returns: the size in bytes
    """
    from oslo_utils import strutils

    number = text.removesuffix('B')
    try:
        value: int = (
            int(number)
            if number.isascii() and number.isdecimal()
            else strutils.string_to_bytes(
                f'{number}B', unit_system='mixed', return_int=True
            )
        )
    except ValueError:
        value = -1
    if not 0 <= value < 2**63:
        joined = ''.join(text.split())
        if joined != text and _is_size(joined):
            raise argparse.ArgumentTypeError(
                f'{text!r} has a blank in it: give {joined}'
            )
        raise argparse.ArgumentTypeError(
            f'{text!r} is no size: give bytes, or a number with k, M, G, Ki, '
            'Mi or Gi'
        )
    return value


def _is_size(text: str) -> bool:
    try:
        size(text)
    except argparse.ArgumentTypeError:
        return False
    return True


def rate(text: str) -> int:
    """Read a rate: a size per second, which must not be zero.

    :returns: the rate in bytes per second
    """
    if not (value := size(text.removesuffix('/s'))):
        raise argparse.ArgumentTypeError('nothing would ever arrive')
    return value


def time(text: str) -> datetime.datetime:
    """Read a time: how long ago, or ISO 8601 (UTC unless it has an offset).

    :returns: the time, in UTC
    """
    ago = re.fullmatch(r'(\d+)([smhdw])', text, re.ASCII)
    try:
        if ago:
            seconds = int(ago[1]) * _SECONDS[ago[2]]
            now = datetime.datetime.now(datetime.UTC)
            return now - datetime.timedelta(seconds=seconds)
        value = datetime.datetime.fromisoformat(text)
        if not value.tzinfo:
            value = value.replace(tzinfo=datetime.UTC)
        return value.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as exc:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no time: give 2026-11-21, 2026-11-21T09:30:00Z, or '
            'how long ago, such as 36h or 7d'
        ) from exc


def key_value(text: str) -> tuple[str, str]:
    """Read KEY=VALUE of a custom property; the value may be empty."""
    from osc_glance_replicate.model import image_record

    key, equals, value = text.partition('=')
    if not key or not equals:
        raise argparse.ArgumentTypeError(f'{text!r} is not KEY=VALUE')
    if not image_record.is_property(key):
        raise argparse.ArgumentTypeError(
            f'{key} is no custom property, of which this is about'
        )
    return key, value


def mark(text: str) -> str:
    """Read the name of which replicas are marked to be ones."""
    if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9._:-]{0,99}', text):
        raise argparse.ArgumentTypeError(
            f'{text!r} is no name of up to 100 letters, digits and . _ : -'
        )
    return text


def source_destination(text: str) -> tuple[str, str]:
    """Read SOURCE=DESTINATION."""
    source, _, destination = text.partition('=')
    if not source or not destination:
        raise argparse.ArgumentTypeError(f'{text!r} is not SOURCE=DESTINATION')
    return source, destination


def formats(text: str) -> tuple[str, str]:
    """Read OLD=NEW, two disk formats that data can be found to be of."""
    from osc_glance_replicate.transfer import format_inspection

    old, equals, new = text.partition('=')
    if not (old and equals and new):
        raise argparse.ArgumentTypeError(f'{text!r} is not OLD=NEW')
    if old == new:
        raise argparse.ArgumentTypeError(f'{old} is called {new} anyway')
    known = format_inspection.KNOWN
    for name in old, new:
        if name not in known:
            raise argparse.ArgumentTypeError(
                f'no data can be found to be {name!r}; formats that it can '
                f'be found to be: {", ".join(sorted(known))}'
            )
    return old, new


def property_glob(text: str) -> str:
    """Read a glob for names of properties, of which none is a list."""
    outside = re.sub(r'\[[^]]*\]', '', not_empty(text))
    if re.search(r'[\s,]', outside):
        raise argparse.ArgumentTypeError(
            f'{text!r} is taken for a list: repeat the option for each; ? '
            'fits a blank or a comma'
        )
    return text


def owner(text: str) -> str:
    """Read whose the replicas are."""
    from osc_glance_replicate.model import options

    known = [each.value for each in options.Owner]
    if text not in known:
        raise argparse.ArgumentTypeError(
            f'{text!r} is none of {", ".join(known)}; for a project: '
            f'--map-owner SOURCE={text}'
        )
    return text


def directory(text: str) -> str:
    """Read the path of a dump directory."""
    if _is_url(not_empty(text)):
        raise argparse.ArgumentTypeError(
            f'{text!r} is a URL: a dump is a directory of this machine'
        )
    return text


def _is_cloud(text: str) -> bool:
    from osc_glance_replicate.clouds import entries

    return entries.has(text)


def _is_url(text: str) -> bool:
    return bool(re.match(r'[A-Za-z][A-Za-z0-9+.-]*://', text))


def not_empty(text: str) -> str:
    """Read any text but an empty one, as of an unset variable in a script."""
    if not text:
        raise argparse.ArgumentTypeError('it is empty')
    return text


def metrics_file(text: str) -> str:
    """Read the path of a file that node_exporter collects."""
    if not text.endswith('.prom') or text.endswith('/.prom'):
        raise argparse.ArgumentTypeError(
            f'{text!r} does not end in NAME.prom: node_exporter would not '
            'read it'
        )
    return text


def cloud(text: str) -> str:
    """Read CLOUD or CLOUD:REGION."""
    if _is_url(text):
        raise argparse.ArgumentTypeError(
            f'{text!r} is a URL: give the name of an entry of clouds.yaml'
        )
    is_odd = not {'/', ','}.isdisjoint(text)
    if is_odd and _is_cloud(text):
        return text
    if '/' in text:
        raise argparse.ArgumentTypeError(
            f'{text!r} is a path, which dump, load and compare --dump take'
        )
    if ',' in text:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no cloud: repeat the option for each'
        )
    name, colon, region = text.partition(':')
    if not name or (colon and not region):
        raise argparse.ArgumentTypeError(
            f'{text!r} is neither CLOUD nor CLOUD:REGION'
        )
    return text


def scheduler(text: str) -> str:
    """Read the address of a Dask scheduler that strangers cannot use.

    :returns: the address, with its scheme
    """
    scheme, separator, address = text.rpartition('://')
    scheme = scheme if separator else 'tcp'
    # Dask knows no users, and nobody is to see somebody's password.
    _, user, host = address.rpartition('@')
    text = f'{scheme}://{host}'
    parts = urllib.parse.urlsplit(f'//{host}')
    try:
        complete = (
            parts.hostname and parts.port and not parts.path and not user
        )
    except ValueError:
        complete = False
    if scheme not in ('tcp', 'tls') or not complete:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no address of a scheduler: give tls://HOST:PORT'
        )
    if scheme == 'tcp' and not _is_loopback(parts.hostname or ''):
        raise argparse.ArgumentTypeError(
            f'{text}: whoever reaches a scheduler can have its workers, which '
            'hold the passwords of the clouds, run anything, and plain tcp '
            f'asks nobody who he is: give tls://{parts.netloc}, with '
            'certificates in distributed.comm.tls of Dask\'s configuration '
            'here, at the scheduler and at the workers'
        )
    return f'{scheme}://{parts.netloc}'


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'

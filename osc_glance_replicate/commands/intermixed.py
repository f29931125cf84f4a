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

"""Options and images in any order, and images that begin with a dash."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

#: Put before a dash that begins no option; no argument can have it.
_MEANT = '\0'

#: What is a path need be no text in this locale.
_PATHS = frozenset(('path', 'dump', 'report', 'nova_map', 'nova_map_to'))


def parse(
    parser: argparse.ArgumentParser,
) -> Callable[..., argparse.Namespace]:
    """Return what parses arguments, instead of ``parser.parse_args``.

    argparse refuses `image1 --to slave image2` unless it is asked to parse
    intermixed, and then takes what follows `--` for options again
    (see fact-arguments).
    """

    def parse_args(
        arguments: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        before, dashes, after = _split(arguments)
        meant = (
            f'{_MEANT}{each}' if each.startswith('-') else each
            for each in after
        )
        parsed = parser.parse_intermixed_args([*before, *meant], namespace)
        for name, value in vars(parsed).items():
            if dashes:
                value = _as_given(value)
                setattr(parsed, name, value)
            if name not in _PATHS and (no_text := _no_text(value)):
                parser.error(
                    f'{no_text!r} is no text in this locale: see LC_ALL and '
                    'LANG'
                )
        return parsed

    return parse_args


def shown(message: str) -> str:
    """Return a message of the parser without what was put before dashes."""
    return message.replace(_MEANT, '').replace(repr(_MEANT)[1:-1], '')


def _no_text(value: Any) -> str:
    """Return what of a value cannot be told to a cloud; '' for nothing."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(_no_text, value)), '')
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return str(value)
    return ''


def _split(
    arguments: Sequence[str],
) -> tuple[Sequence[str], bool, Sequence[str]]:
    """Return what is before and after the first ``--``, if there is one."""
    if '--' not in arguments:
        return arguments, False, ()
    end = arguments.index('--')
    return arguments[:end], True, arguments[end + 1 :]


def _as_given(value: Any) -> Any:
    """Return a value without what was put before it."""
    if isinstance(value, list):
        return [_as_given(each) for each in value]
    return value.removeprefix(_MEANT) if isinstance(value, str) else value

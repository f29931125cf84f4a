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

"""What was probably meant by a command line that is wrong."""

from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
import os
import re
from typing import TypeVar

from osc_glance_replicate import errors

_Item = TypeVar('_Item')

_GLOB = re.compile(r'[*?\[]')


def about_options(message: str, usage: str) -> str:
    """Return what was probably meant by an option that is unknown.

    :param message: of the parser
    :param usage: of the command, with all its options
    :returns: what may follow the message; empty for no idea
    """
    import difflib

    _, unknown, options = message.partition('unrecognized arguments: ')
    given = re.findall(r'(?<!\S)--[\w-]+', options) if unknown else []
    for option in given:
        known = re.findall(r'--[\w-]+', usage)
        for close in difflib.get_close_matches(option, known, 1, 0.75):
            return f'; did you mean {close}?'
    return ''


def explained(items: Callable[[], Iterable[_Item]]) -> Iterable[_Item]:
    """Return items; of an image that is not there, say what may be meant.

    :param items: called at once
    :raises NoImageError: here or while iterating; with a hint, if there is one
    """
    with _hinting():
        found = items()

    def each() -> Iterator[_Item]:
        with _hinting():
            yield from found

    return each()


@contextlib.contextmanager
def _hinting() -> Iterator[None]:
    try:
        yield
    except errors.NoImageError as exc:
        exc.args = (f'{exc}{_about_image(exc.name)}',)
        raise


def _about_image(name: str) -> str:
    """Return what was probably meant by an image that is not there."""
    if _GLOB.search(name):
        return '; a glob goes into --name'
    if _is_cloud(name):
        return f'; it is a cloud: give it as --to {name}'
    if os.sep in name:
        return '; it is a path, which comes first where a command takes one'
    if os.path.lexists(name):
        return '; a file here is called so: was a glob not quoted?'
    return ''


def about_nothing(globs: Iterable[str]) -> str:
    """Return what is told where no image fits the options.

    :param globs: of names, which a shell may have taken for those of files
    """
    nothing = 'no image fits the options'
    for name in filter(os.path.lexists, globs):
        return errors.line(
            f"{nothing} (a file here is called '{name}': was a glob not "
            'quoted?)'
        )
    return nothing


def refuse_path(path: str, instead: str, images: Sequence[str] = ()) -> None:
    """Refuse a directory that is not there, if something else is called so.

    One whose path has a slash is always meant.

    :param instead: what a cloud of this name is given to, with {}
    :param images: that were named after it
    :raises UsageError: says both ways to mean it
    """
    if os.sep in path or os.path.lexists(path):
        return
    meant = f'write ./{path} for a directory of that name'
    if _GLOB.search(path):
        raise errors.UsageError(
            f'{path!r} is a glob, which goes into --name; {meant}'
        )
    if _is_cloud(path):
        raise errors.UsageError(
            f'{path!r} is a cloud: {instead.format(path)}; {meant}'
        )
    if paths := [image for image in images if os.sep in image]:
        raise errors.UsageError(
            f'the directory comes first: {paths[0]} {path}; {meant}'
        )


def _is_cloud(name: str) -> bool:
    """Return whether clouds.yaml has a cloud of a name."""
    from osc_glance_replicate.clouds import entries

    return entries.has(name)

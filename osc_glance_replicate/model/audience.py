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

"""Who may see an image."""

from collections.abc import Collection

from osc_glance_replicate.model import image_record

#: From those that the fewest can see to those that everybody can.
_WIDTHS = ('private', 'shared', 'community', 'public')

#: What everybody may see who knows the ID.
_OPEN = frozenset(('community', 'public'))


def may_see(project: str | None, image: image_record.Image) -> bool:
    """Return whether the users of a project may see an image.

    A member may, whatever it has said to that: see fact-pending-members.

    :param project: its ID
    :param image: with its members, if it is shared; none are taken for
        members that were not looked at
    """
    return (
        image.visibility in _OPEN
        or image.owner == project
        or (image.visibility == 'shared' and project in (image.members or ()))
    )


def may_all_see(image: image_record.Image, needed: image_record.Image) -> bool:
    """Return whether whoever may see an image may see one that it needs.

    :param needed: that one
    """
    if image.visibility in _OPEN:
        return needed.visibility in _OPEN
    members: Collection[str] = (
        image.members or () if image.visibility == 'shared' else ()
    )
    return all(may_see(project, needed) for project in (image.owner, *members))


def is_wider(one: str, other: str) -> bool:
    """Return whether more can see an image by the first of the two."""
    return _WIDTHS.index(one) > _WIDTHS.index(other)


def narrower(one: str, other: str) -> str:
    """Return that of two visibilities by which fewer can see an image."""
    return min(one, other, key=_WIDTHS.index)

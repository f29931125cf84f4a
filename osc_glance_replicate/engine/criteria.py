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

"""What is asked for, understood by the places that it is about."""

from collections.abc import Sequence
import dataclasses

import openstack.connection

from osc_glance_replicate.clouds import endpoints
from osc_glance_replicate.clouds import projects
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.places import glance


def selection_of(
    connection: openstack.connection.Connection,
    source: glance.Source,
    asked: image_selection.Selection,
) -> image_selection.Selection:
    """Return a selection as the cloud that it is about understands it.

    :raises ReplicateError: the cloud does not know what it names
    """
    if asked.disk_format:
        known = source.schema.formats.get('disk_format', ())
        if known and asked.disk_format not in known:
            raise errors.SelectionError(
                f"{source.name} knows no disk format '{asked.disk_format}' "
                f'({", ".join(sorted(known))})'
            )
    if asked.owner:
        asked = dataclasses.replace(
            asked, owner=projects.find_id(connection, asked.owner)
        )
    return asked


def selection_in(
    source: ownership.Projects, asked: image_selection.Selection
) -> image_selection.Selection:
    """Return a selection as a source that is no cloud understands it.

    :raises ReplicateError: it does not know the project that is named
    """
    if asked.owner:
        asked = dataclasses.replace(
            asked, owner=ownership.find(source, asked.owner)
        )
    return asked


def refuse_unknown_owners(
    destinations: Sequence[options.To], source: ownership.Projects
) -> None:
    """Refuse to map a project of the source that it does not have.

    :raises ReplicateError: names it
    """
    for to in destinations:
        for project, _ in to.replica.map_owners:
            ownership.find(source, project)


def template(
    asked: options.Replica,
    source: ownership.Projects,
    to: str,
    connection: openstack.connection.Connection,
) -> replica_template.Template:
    """Return what replicas at a destination are to be.

    :param to: its name
    :param connection: to it
    :raises ReplicateError: a project that is to be mapped is not there
    """
    whose = ownership.Owners()
    if asked.owner is options.Owner.BY_NAME:
        whose = ownership.ByName(
            source, projects.KeystoneProjects(to, connection)
        )
    elif asked.owner is options.Owner.SAME:
        whose = ownership.Same()
    if asked.map_owners:
        explicit = {
            ownership.find(source, one): (
                # Whether it is there need not be known.
                other
                if ownership.ID.fullmatch(other)
                else projects.find_id(connection, other)
            )
            for one, other in asked.map_owners
        }
        whose = ownership.Mapped(explicit, whose)
    return replica_template.Template(
        left_out=asked.left_out,
        properties=dict(asked.properties),
        visibility=asked.visibility,
        owners=whose,
        members=asked.members,
        formats=dict(asked.map_formats),
    )


def delivered(
    to: options.To,
    source: openstack.connection.Connection,
    connection: openstack.connection.Connection,
) -> options.To:
    """Return a destination, with how data gets there from a cloud.

    :param connection: to the destination
    :raises CloudError: it could not download from the source
    """
    if to.delivery.method is not options.Method.DOWNLOAD:
        return to
    delivery = dataclasses.replace(
        to.delivery,
        region=endpoints.shared_region(source, to.name, connection),
    )
    return dataclasses.replace(to, delivery=delivery)

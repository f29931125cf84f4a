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

"""The projects of one cloud found among those of another."""

from collections.abc import Mapping
import dataclasses
import re
from typing import Protocol

from osc_glance_replicate import errors


#: What the ID of a project looks like.
ID = re.compile(r'[0-9a-f]{32}|[0-9a-f-]{36}')


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """A project as people know it: its ID is another in every Keystone.

    :param domain: name of its domain
    """

    name: str
    domain: str

    def __str__(self) -> str:
        return f"'{self.name}' of domain '{self.domain}'"


@dataclasses.dataclass(frozen=True, slots=True)
class Runner:
    """Who runs a replication, as one cloud knows him.

    :param owners: what Glance may record as the owner of an image that he
        makes: his project or, on old clouds, himself; empty where nobody
        is told apart
    :param is_admin: whether he may change what belongs to others
    :param project: ID of his project, where that is known
    """

    owners: frozenset[str] = frozenset()
    is_admin: bool = True
    project: str | None = None

    @property
    def reader(self) -> str | None:
        """ID of the project that he reads as; None for an administrator.

        That one sees what nobody has shown to him.
        """
        return None if self.is_admin else self.project or ''

    def owns(self, owner: str | None) -> bool:
        """Return whether an image of this owner is his own.

        One that has no owner is nobody else's.
        """
        return not self.owners or owner is None or owner in self.owners


class Projects(Protocol):
    """The projects that can be known of a place."""

    #: What the place is called.
    name: str

    def known(self) -> Mapping[str, Project]:
        """Return the projects by ID; the answer does not change.

        They need not be all: see the other methods.
        """

    def project(self, project_id: str) -> Project | None:
        """Return the project with this ID, if it can be known.

        :raises LookupError: that cannot be told
        """
        return self.known().get(project_id)

    def of_name(self, name: str) -> Mapping[str, Project]:
        """Return the projects of this name, in whatever domain, by ID.

        :raises LookupError: that cannot be told
        """
        return {
            project_id: project
            for project_id, project in self.known().items()
            if project.name == name
        }

    def is_owner(self, project: str) -> bool:
        """Return whether its images name a project as their owner by this ID.

        :returns: False, too, where that is not looked at
        """


def find(projects: Projects, text: str) -> str:
    """Find the ID of a project by its name or ID.

    What looks like an ID is taken for one: that of a project that was
    deleted, or whose name nobody could read, is in the records all the same.
    Before Keystone, and with some of its drivers, IDs were any text.

    :raises SelectionError: no project bears the name, or several do, or
        nobody tells
    """
    if ID.fullmatch(text):
        return text
    try:
        if text in projects.known() or projects.project(text):
            return text
        found = projects.of_name(text)
    except LookupError as exc:
        raise errors.SelectionError(str(exc.args[0])) from exc
    if len(found) > 1:
        raise errors.SelectionError(
            f"Several projects in {projects.name} are named '{text}': give "
            f'the ID of one ({", ".join(sorted(found))})'
        )
    if found:
        return next(iter(found))
    if projects.is_owner(text):
        return text
    raise errors.SelectionError(
        f"There is no project '{text}' in {projects.name} that can be seen"
    )


class Owners:
    """Which project of a destination stands for one of the source.

    All replicas are the runner's, unless a subclass knows better.
    """

    def at(self, project: str) -> str | None:
        """Return the ID of the project at the destination.

        :param project: ID of the project at the source
        :returns: None for the runner's own
        :raises LookupError: there is none; says which, and what to do
        """
        return None


class Same(Owners):
    """Projects have the same IDs everywhere."""

    def at(self, project: str) -> str | None:
        """Return the very project."""
        return project


@dataclasses.dataclass(frozen=True, slots=True)
class ByName(Owners):
    """Projects of the same name, in domains of the same name, are the same.

    :param source: the projects of the source
    :param destination: those of the destination
    """

    source: Projects
    destination: Projects

    def at(self, project: str) -> str | None:
        """Return the ID of the project of the same name."""
        known = self.source.project(project)
        if known is None:
            raise LookupError(
                f'the name of the project {project} cannot be read in '
                f'{self.source.name}: give --map-owner {project}=...'
            )
        for found, candidate in self.destination.of_name(known.name).items():
            if candidate == known:
                return found
        raise LookupError(
            f'there is no project {known} in {self.destination.name} that '
            f'this user can see: create it, or give --map-owner {project}=...'
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Mapped(Owners):
    """Some projects are mapped by hand, the others as the option says.

    :param explicit: ID at the source → ID at the destination
    :param others: for the projects that are not in it
    """

    explicit: Mapping[str, str]
    others: Owners

    def at(self, project: str) -> str | None:
        """Return the ID of the project that it is mapped to."""
        return self.explicit.get(project) or self.others.at(project)

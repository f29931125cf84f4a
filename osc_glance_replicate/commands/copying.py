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

"""What livecopy, dump and load share: a copy, and the page about it."""

import abc
import argparse
from collections.abc import Iterator
import sys
from typing import TYPE_CHECKING, TypeAlias

from osc_glance_replicate.commands import base

if TYPE_CHECKING:
    from osc_glance_replicate.engine import engine
    from osc_glance_replicate.model import outcomes
    from osc_glance_replicate.reporting import page

#: As a text: the module takes long to import.
Engine: TypeAlias = 'engine.Engine'


class CopyCommand(base.ReplicateCommand):
    """A command that copies images: livecopy, dump or load."""

    _page: 'page.Page | None' = None

    @abc.abstractmethod
    def engine(self, parsed_args: argparse.Namespace) -> Engine:
        """Return the engine that copies the selected images."""

    def take_action(self, parsed_args: argparse.Namespace) -> base.Table:
        """Copy, and report what became of each image."""
        from osc_glance_replicate.reporting import report

        return self.show(
            report.CopyReport(
                dry_run=parsed_args.dry_run,
                show_all=parsed_args.show_all,
                for_people=base.for_people(parsed_args),
                fold=parsed_args.formatter == 'table',
                tell_unusable=base.has_blanks(parsed_args),
            ),
            lambda: self._outcomes(parsed_args),
            parsed_args.metrics,
            parsed_args.fail_fast,
        )

    def _command(self) -> str:
        """Return what was typed, or in openstack's own shell the verb."""
        from osc_glance_replicate.commands import command_line

        typed = sys.argv[1:]
        if 'replicate' not in typed:
            typed = str(self.cmd_name).split()
        return command_line.shown(typed)

    def _outcomes(
        self, parsed_args: argparse.Namespace
    ) -> 'Iterator[outcomes.Outcome]':
        """Copy while the terminal and the page listen."""
        from osc_glance_replicate.execution import events
        from osc_glance_replicate.reporting import page

        if parsed_args.report:
            # A cloud that cannot be used belongs on the page, too.
            self._page = page.Page(
                parsed_args.report,
                str(self.cmd_name),
                self._command(),
                parsed_args.show_all,
            )
        ready = self.engine(parsed_args)
        self._report.to = ready.to
        self._report.unusable = ready.unusable
        wanted = False if parsed_args.dry_run else parsed_args.progress
        with self.listening(parsed_args, wanted) as listener:
            if self._page:
                self._page.title = f'{ready.source} to {", ".join(ready.to)}'
                listener = events.Listeners([listener, self._page])
            yield from ready.replicate(listener)

    def keep(self) -> None:
        """Write the page.

        :raises ReplicateError: it cannot be written
        """
        if self._page:
            summary = [self._report.summary]
            if isinstance(self._report.trouble, Exception):
                summary.append(str(self._report.trouble))
            self._page.write(
                '; '.join(filter(None, summary)), dict(self._report.unusable)
            )

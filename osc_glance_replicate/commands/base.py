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

"""What the verbs have in common."""

import abc
import argparse
import collections
from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
import inspect
import logging
import os
import sys
import textwrap
from typing import Any, ClassVar, IO, TYPE_CHECKING, TypeVar

from osc_lib.command import command

if TYPE_CHECKING:
    import openstack.connection

    from osc_glance_replicate.engine import engine
    from osc_glance_replicate.execution import events as watch
    from osc_glance_replicate.execution import outcomes
    from osc_glance_replicate.reporting import page
    from osc_glance_replicate.reporting import report

_Item = TypeVar('_Item')


class _Paragraphs(argparse.HelpFormatter):
    """Fills paragraphs one by one, and leaves examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        # The two colons are for the command reference, which is reST.
        paragraphs = text.replace('::\n', ':\n').split('\n\n')
        return '\n\n'.join(
            part if part.startswith(' ') else fill(part, width, indent)
            for part in paragraphs
        )


class ReplicateCommand(command.Lister):
    """A list of rows on stdout, a summary on stderr, an exit code."""

    # openstackclient would log in before the command runs, and its errors
    # name no cloud; own_cloud() does it instead.
    auth_required = False

    #: What one may type, for the end of --help: as a shell takes it.
    examples: ClassVar[str]

    def get_epilog(self) -> str:
        """Give the end of --help, in reST."""
        examples = textwrap.indent(inspect.cleandoc(self.examples), '  ')
        told = super().get_epilog().strip()
        return f'Examples::\n\n{examples}\n\n{told}'

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Make a parser whose help keeps the lines of the examples."""
        parser = super().get_parser(prog_name)
        usual: Any = parser.formatter_class
        kept: Any = type('HelpFormatter', (_Paragraphs, usual), {})
        parser.formatter_class = kept
        self._parser = parser
        return parser

    def own_cloud(self) -> 'openstack.connection.Connection':
        """Connect to the command's own cloud, as openstackclient would.

        :raises CloudError: it cannot be used
        """
        from osc_glance_replicate.clouds import login as clouds

        if not self.app.options.debug:
            clouds.hush()
        name = self.app.options.cloud or self.app.cloud.name or 'defaults'
        with clouds.named_in_errors(name):
            if self.app.cloud.config.get('api_timeout') is None:
                # As if it were a global option, which openstackclient lacks.
                self.app.options.api_timeout = clouds.TIMEOUT
            self.auth_required = True
            return clouds.log_in(self._connect)

    def _connect(self) -> 'openstack.connection.Connection':
        from osc_glance_replicate.clouds import login as clouds

        self.app.prepare_to_run_command(self)
        connection = self.app.client_manager.sdk_connection
        clouds.limit(connection)
        return connection

    def show(
        self,
        report: 'report.Report[_Item]',
        items: Callable[[], Iterable[_Item]],
    ) -> tuple[tuple[str, ...], Iterable[Any]]:
        """Give what cliff prints; what it was decides the exit code.

        :param items: called when the report is ready for whatever happens
        """
        self._report = report
        self._rows = report.rows(items)
        return report.columns, self._rows

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Any],
    ) -> int:
        """Print the rows; an empty table is nothing rather than a line."""
        try:
            # cliff looks at them when all rows have come.
            self._generate_columns_and_selector(parsed_args, column_names)
        except ValueError as exc:
            self._parser.error(str(exc))
        if self.app.stdout.isatty():
            # They would run into what is shown there meanwhile.
            data = list(data)
        if parsed_args.formatter == 'table' and not parsed_args.print_empty:
            data = list(data)
            if not data:
                return 0
        return int(super().produce_output(parsed_args, column_names, data))

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command, then say how it went."""
        from osc_glance_replicate import errors
        from osc_glance_replicate import signals

        if not self.app.options.debug:
            # A log that cannot be written is no reason for a traceback.
            logging.raiseExceptions = False
        self._open_closed_streams()
        try:
            with signals.heeded():
                self._print(parsed_args)
        except signals.Ended as exc:
            # Where the run could not come to an end by itself.
            return exc.exit_code
        try:
            self.keep(self._report)
        except errors.ReplicateError as exc:
            self._report.trouble = self._report.trouble or exc
        self._tell(self._report.problems)
        if self.app.options.verbose_level:
            self._tell(filter(None, [self._report.summary]))
        if isinstance(self._report.trouble, Exception):
            raise self._report.trouble
        return self._report.exit_code

    def _open_closed_streams(self) -> None:
        """Give way to no other file where stdout or stderr was closed.

        Writing to stdout fails all the same: there is no report.
        """
        if self.app.stdout is None:
            closed = os.open(os.devnull, os.O_RDONLY)
            # cliff asks the latter how wide it is.
            self.app.stdout = sys.stdout = os.fdopen(closed, 'w')
        if self.app.stderr is None:
            self.app.stderr = open(os.devnull, 'w')

    def keep(self, report: 'report.Report[Any]') -> None:
        """Write what is wanted of the run besides what is printed.

        :raises ReplicateError: it cannot be written
        """

    def watching(
        self, wanted: bool | None
    ) -> 'contextlib.AbstractContextManager[watch.Watcher]':
        """Show how far a run is to who waits for it.

        :param wanted: whether it was asked for; None if nothing was said
        """
        from osc_glance_replicate.reporting import progress

        verbosity = self.app.options.verbose_level
        return progress.watching(
            self.app.stderr, wanted if verbosity else False, verbosity > 1
        )

    def _tell(self, lines: Iterable[str]) -> None:
        """Write to stderr; where that is not possible, the code tells."""
        try:
            for line in lines:
                self.app.stderr.write(f'{line}\n')
            self.app.stderr.flush()
        except OSError:
            _silence(self.app.stderr)

    def _print(self, parsed_args: argparse.Namespace) -> None:
        """Print the rows as they come; whoever reads them may be gone."""
        from osc_glance_replicate import errors
        from osc_glance_replicate import signals

        try:
            super().run(parsed_args)
            # Where both go to one file, what is said of the rows comes after.
            self.app.stdout.flush()
        except signals.Ended as exc:
            if not hasattr(self, '_report'):
                # Modules were still being imported.
                raise
            # While rows were being written, of which some are lost.
            self._report.trouble = exc
        except OSError as exc:
            _silence(self.app.stdout)
            if not isinstance(exc, BrokenPipeError):
                # The work is worth doing without a report of it.
                collections.deque(self._rows, maxlen=0)
            self._report.trouble = self._report.trouble or (
                errors.ReplicateError(
                    f'The report could not be written to stdout: '
                    f'{exc.strerror}; run again to see the state'
                )
            )


def _silence(stream: IO[str]) -> None:
    """Let what is still to be flushed fail no more at the end."""
    with open(os.devnull, 'w') as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


class CopyCommand(ReplicateCommand):
    """What copies images: livecopy, dump and load."""

    _page: 'page.Page | None' = None

    @abc.abstractmethod
    def engine(self, parsed_args: argparse.Namespace) -> 'engine.Engine':
        """Get ready to copy."""

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[Any]]:
        """Copy, and tell what became of each image."""
        from osc_glance_replicate.reporting import report

        tell = report.Outcomes(
            rehearsal=parsed_args.dry_run,
            show_all=parsed_args.show_all,
            for_people=for_people(parsed_args),
        )
        return self.show(tell, lambda: self._outcomes(parsed_args))

    def _outcomes(
        self, parsed_args: argparse.Namespace
    ) -> 'Iterator[outcomes.Outcome]':
        """Copy, and show how far it is to who waits."""
        from osc_glance_replicate.execution import events as watch
        from osc_glance_replicate.reporting import page

        if parsed_args.report:
            # That a cloud cannot be used belongs into it, too.
            self._page = page.Page(
                parsed_args.report, str(self.cmd_name), parsed_args.show_all
            )
        ready = self.engine(parsed_args)
        wanted = False if parsed_args.dry_run else parsed_args.progress
        with self.watching(wanted) as watcher:
            if self._page:
                self._page.title = f'{ready.source} to {", ".join(ready.to)}'
                watcher = watch.Several([watcher, self._page])
            yield from ready.replicate(watcher)

    def keep(self, report: 'report.Report[Any]') -> None:
        """Write the page."""
        if self._page:
            trouble = report.trouble
            told = [report.summary]
            if isinstance(trouble, Exception):
                told.append(str(trouble))
            self._page.write('; '.join(filter(None, told)))


def for_people(parsed_args: argparse.Namespace) -> bool:
    """Say whether the output is for people rather than for programs."""
    return parsed_args.formatter not in ('json', 'yaml')

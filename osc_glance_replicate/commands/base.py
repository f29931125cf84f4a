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

"""The frame of every command: rows, a summary, an exit code."""

import abc
import argparse
import collections
from collections.abc import Callable, Iterable, Sequence
import contextlib
import shutil
from typing import Any, ClassVar, NoReturn, TYPE_CHECKING, TypeVar

from osc_lib.command import command

if TYPE_CHECKING:
    import openstack.connection

    from osc_glance_replicate.execution import events
    from osc_glance_replicate.reporting import metrics
    from osc_glance_replicate.reporting import report

_Item = TypeVar('_Item')

#: What cliff prints: the names of the columns, and the rows.
Table = tuple[tuple[str, ...], Iterable[Any]]


class ReplicateCommand(command.Lister):
    """A list of rows on stdout, a summary on stderr, an exit code."""

    # openstackclient would log in before the command runs, and its errors
    # name no cloud, see fact-cloud-errors; own_cloud() does it instead.
    auth_required = False

    _metrics: 'metrics.Metrics | None' = None

    #: Examples for the end of --help, as a shell takes them.
    examples: ClassVar[str]

    def get_epilog(self) -> str:
        """Return the end of --help, in reST: examples, and what cliff says."""
        from osc_glance_replicate.commands import help_text

        return help_text.epilog(self.examples, super().get_epilog())

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return a parser that takes images and options in any order.

        Its help keeps paragraphs, and examples as they are.
        """
        from osc_glance_replicate.commands import help_text
        from osc_glance_replicate.commands import intermixed
        from osc_glance_replicate.commands import mistakes
        from osc_glance_replicate import errors

        self._parser = super().get_parser(prog_name)
        help_text.keep_paragraphs(self._parser)
        # cliff calls this one.
        setattr(self._parser, 'parse_args', intermixed.parse(self._parser))
        parser = self._parser

        def refuse_safely(message: str) -> NoReturn:
            # It quotes the command line, which may hold a password. The usage
            # would be two pages.
            words = errors.line(intermixed.shown(message))
            hint = mistakes.about_options(words, parser.format_usage())
            parser.exit(2, f'{words}{hint}; see {parser.prog} --help\n')

        setattr(self._parser, 'error', refuse_safely)
        self.add_options(self._parser)
        return self._parser

    @abc.abstractmethod
    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command."""

    def own_cloud(self) -> 'openstack.connection.Connection':
        """Connect to the cloud of --os-cloud or of the environment.

        Errors name it, and it is tried as patiently as a destination is.

        :raises CloudError: the cloud cannot be used
        """
        from osc_glance_replicate.commands import own_cloud

        self.auth_required = True
        return own_cloud.connect(self)

    def listening(
        self, parsed_args: argparse.Namespace, wanted: bool | None
    ) -> 'contextlib.AbstractContextManager[events.Listener]':
        """Return a context in which stderr shows how far the command is.

        :param wanted: whether it was asked for; None if nothing was said
        """
        from osc_glance_replicate.reporting import progress

        return progress.listening(
            self.app.stderr,
            wanted,
            self.app.options.verbose_level,
            rows_follow=self.app.stdout.isatty() and _tells_why(parsed_args),
        )

    def show(
        self,
        report: 'report.Report[_Item]',
        items: Callable[[], Iterable[_Item]],
        metrics: str | None = None,
        fail_fast: bool = False,
    ) -> Table:
        """Return what cliff prints, and keep the report for what comes after.

        :param items: called when the report is ready for whatever happens
        :param metrics: path of the file for Prometheus, if there is to be one
        :param fail_fast: whether the first failure ends the run
        :raises ReplicateError: it cannot be written
        """
        from osc_glance_replicate.commands import mistakes

        counted = items
        if metrics:
            counted = self._counting(metrics, fail_fast, items)
        self._report = report
        self._rows = report.rows(lambda: mistakes.explained(counted))
        return report.columns, self._rows

    def _counting(
        self, path: str, fail_fast: bool, items: Callable[[], Iterable[Any]]
    ) -> Callable[[], Iterable[Any]]:
        """Return the same items, which are counted for Prometheus."""
        from osc_glance_replicate.reporting import metrics

        verb = str(self.cmd_name).rpartition(' ')[2]
        kept = self._metrics = metrics.Metrics(path, verb, fail_fast)
        return lambda: kept.counting(items())

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Any],
    ) -> int:
        """Print the rows; of an empty table, nothing rather than a line."""
        from osc_glance_replicate.commands import narrow

        try:
            # cliff looks at them when all rows have come, and has no public
            # method to do it earlier.
            self._generate_columns_and_selector(parsed_args, column_names)
        except ValueError as exc:
            self._parser.error(str(exc))
        omit_empty = (
            parsed_args.formatter == 'table' and not parsed_args.print_empty
        )
        is_terminal = self.app.stdout.isatty()
        # On a terminal they would run into what is shown there meanwhile.
        if omit_empty or is_terminal:
            data = list(data)
        if omit_empty and not data:
            return 0
        lines: list[str] = []
        if is_terminal and _is_as_usual(parsed_args):
            terminal = shutil.get_terminal_size().columns
            column_names, data, lines = narrow.fitted(
                column_names, list(data), terminal
            )
            # Else cliff would fold any of its columns.
            parsed_args.max_width = max(
                terminal, narrow.wide(column_names, data)
            )
        code = int(super().produce_output(parsed_args, column_names, data))
        for line in lines:
            self.app.stdout.write(f'{line}\n')
        return code

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command, and print how it went.

        cliff would exit with 0 in any case: see fact-exit-code.

        :returns: the exit code
        """
        from osc_glance_replicate.commands import last_words

        with last_words.ensured():
            return self._run(parsed_args)

    def _run(self, parsed_args: argparse.Namespace) -> int:
        from osc_glance_replicate.commands import mistakes
        from osc_glance_replicate.commands import requests
        from osc_glance_replicate.commands import safe_log
        from osc_glance_replicate.commands import streams
        from osc_glance_replicate import errors
        from osc_glance_replicate.reporting import legible
        from osc_glance_replicate import signals

        streams.prepare(self.app)
        safe_log.install()
        try:
            with signals.heeded():
                self._print(parsed_args)
        except signals.Ended as exc:
            # Where the run could not come to an end by itself.
            return exc.exit_code
        is_known = not (self._report.trouble or self._report.unusable)
        if is_known and requests.chooses(parsed_args):
            self._report.nothing = mistakes.about_nothing(parsed_args.names)
        if isinstance(self._report.trouble, errors.UsageError):
            self._parser.error(str(self._report.trouble))
        for keep in self.keep, self._keep_metrics:
            try:
                keep()
            except errors.ReplicateError as exc:
                self._report.trouble = self._report.trouble or exc
        problems = map(legible.text, self._report.problems)
        streams.write_lines(self.app.stderr, problems)
        if self.app.options.verbose_level:
            summary = filter(None, [self._report.summary])
            streams.write_lines(self.app.stderr, summary)
        else:
            # With -q nothing has been said of these so far.
            untold = map(legible.text, self._report.untold)
            streams.write_lines(self.app.stderr, untold)
        if isinstance(self._report.trouble, Exception):
            raise self._report.trouble
        return self._report.exit_code

    def keep(self) -> None:
        """Write what is asked for besides what is printed.

        :raises ReplicateError: it cannot be written
        """

    def _keep_metrics(self) -> None:
        """Write the file for Prometheus, if there is to be one.

        :raises ReplicateError: it cannot be written
        """
        if self._metrics:
            self._metrics.write(self._report)

    def _print(self, parsed_args: argparse.Namespace) -> None:
        """Print the rows as they come; their reader may be gone."""
        from osc_glance_replicate.commands import streams
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
            streams.silence(self.app.stdout)
            if not isinstance(exc, BrokenPipeError):
                # The work is worth doing without a report of it.
                collections.deque(self._rows, maxlen=0)
            self._report.trouble = self._report.trouble or (
                errors.ReplicateError(
                    f'The report could not be written to stdout: '
                    f'{exc.strerror}; run again to see the state'
                )
            )


def _is_as_usual(parsed_args: argparse.Namespace) -> bool:
    """Return whether nobody has said how the table is to be."""
    return parsed_args.formatter == 'table' and not (
        parsed_args.columns
        or parsed_args.sort_columns
        or parsed_args.max_width
        or parsed_args.fit_width
    )


def for_people(parsed_args: argparse.Namespace) -> bool:
    """Return whether the output is for people rather than for programs."""
    return parsed_args.formatter not in ('json', 'yaml')


def _tells_why(parsed_args: argparse.Namespace) -> bool:
    """Return whether the rows say why something failed."""
    columns = [column.lower() for column in parsed_args.columns]
    return not columns or not {'reason', 'detail'}.isdisjoint(columns)


def has_blanks(parsed_args: argparse.Namespace) -> bool:
    """Return whether a field of a row may be left out in the output.

    A script that reads lines would take what is there for an image.
    """
    return parsed_args.formatter not in ('csv', 'value')

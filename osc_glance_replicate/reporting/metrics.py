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

"""A run in Prometheus' text format, for node_exporter's textfile collector."""

import collections
from collections.abc import Iterable, Iterator
import dataclasses
import importlib.util
import pathlib
import time
from typing import Any, TYPE_CHECKING, TypeVar

from osc_glance_replicate.engine import comparison
from osc_glance_replicate import errors
from osc_glance_replicate.model import difference
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import output_file
from osc_glance_replicate.reporting import report

if TYPE_CHECKING:
    from prometheus_client import metrics_core

_Item = TypeVar('_Item', outcomes.Outcome, comparison.Finding)

_PREFIX = 'glance_replicate_'

#: What there is, by name without prefix; in the order of the file.
_HELP = {
    'last_run_timestamp_seconds': 'When the last run ended.',
    'last_success_timestamp_seconds': 'When the last run with exit code 0 '
    'ended; 0: never.',
    'last_run_duration_seconds': 'How long the last run took.',
    'last_run_exit_code': 'How the last run ended; 0: all is well.',
    'destination_usable': 'Whether the destination could be used: 1 or 0.',
    'images': 'Images of the last run, by result.',
    'bytes': 'Bytes of the images whose data was copied, or read, by the '
    'last run.',
    'oldest_missing_timestamp_seconds': 'When the oldest image that should '
    'be at the destination, and is not, was last changed at the source; 0: '
    'none is missing.',
    'oldest_conflict_timestamp_seconds': 'When the oldest image in conflict '
    'was last changed at the source; 0: there is none.',
}

#: What no run has found out so far: an alert has to have something to see.
_NEVER = {'last_success_timestamp_seconds': 0.0}

#: What goes on ageing where a run finds out nothing.
_AGEING = (
    'oldest_missing_timestamp_seconds',
    'oldest_conflict_timestamp_seconds',
)

#: The results that each verb may have: one that has not come is a 0.
_COPYING = (
    outcomes.Result.COPIED,
    outcomes.Result.UPDATED,
    outcomes.Result.UNCHANGED,
    outcomes.Result.SKIPPED,
    outcomes.Result.CONFLICT,
    outcomes.Result.FAILED,
)
_COMPARING = tuple(
    found
    for found in difference.Difference
    if found is not difference.Difference.UNKNOWN
)

#: For those who collect it.
_MODE = 0o644

#: Bytes of a file that is there; one of a thousand destinations has fewer.
_MOST = 4 * 1024**2

#: A sample: its labels, as items in the order of their names, and its value.
_Labels = tuple[tuple[str, str], ...]
_Samples = dict[str, dict[_Labels, float]]


@dataclasses.dataclass
class _There:
    """What a run has found at one destination.

    :ivar missing: when the oldest missing image was changed; 0: none
    :ivar conflict: likewise for one in conflict
    """

    results: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    bytes: int = 0
    missing: float = 0.0
    conflict: float = 0.0


class Metrics:
    """The file that a run leaves for Prometheus.

    :param path: of the file; its stem is the label job
    :param verb: livecopy, dump, load or compare
    :param fail_fast: whether the first failure ends the run
    :raises ReplicateError: it cannot be written, is none of ours, or
        prometheus_client is not installed
    """

    def __init__(self, path: str, verb: str, fail_fast: bool = False) -> None:
        if importlib.util.find_spec('prometheus_client') is None:
            raise errors.ReplicateError(
                '--metrics needs prometheus_client: pip install '
                "'osc-glance-replicate[metrics]'"
            )
        self._path = path
        self._run = {'job': pathlib.PurePath(path).stem, 'verb': verb}
        self._found: dict[str, _There] = collections.defaultdict(_There)
        self._fail_fast = fail_fast
        self._is_cut_short = False
        self._began = time.monotonic()
        with output_file.named_in_errors('metrics', self._path):
            self._file = output_file.OutputFile(path, _MODE)
        try:
            self._before()
        except errors.ReplicateError:
            self._file.discard()
            raise

    def counting(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """Yield items, and count them."""
        for item in items:
            self._count(item)
            yield item

    def _count(self, item: outcomes.Outcome | comparison.Finding) -> None:
        if isinstance(item, outcomes.Outcome):
            result: str | None = item.result
            if item.result.is_failure:
                self._is_cut_short = self._fail_fast
            arrived = item.result.has_arrived
            is_missing = item.result is outcomes.Result.FAILED
        else:
            result = item.difference
            arrived = item.data is outcomes.Result.OK
            is_missing = result in (
                difference.Difference.MISSING,
                difference.Difference.INCOMPLETE,
                difference.Difference.FAILED,
            )
        if result is None:
            return
        action = item.action
        there = self._found[action.to]
        there.results[result] += 1
        there.bytes += arrived * (action.image.size or 0)
        if is_missing and not _has_data(action):
            there.missing = _older(there.missing, _changed(action.image))
        if result == outcomes.Result.CONFLICT.value:
            there.conflict = _older(there.conflict, _changed(action.image))

    def write(self, told: report.Report[Any]) -> None:
        """Write the file, whatever has come of the run.

        :param told: its report
        :raises ReplicateError: it cannot be written
        """
        from prometheus_client import exposition
        from prometheus_client import registry

        before = self._before()
        samples = {
            name: {
                labels: value
                for labels, value in found.items()
                if ('verb', self._run['verb']) not in labels
                # It did not come so far as to know where.
                or (name in _AGEING and not told.to)
            }
            for name, found in before.items()
        }
        for name, labels, value in self._samples(told):
            key = tuple(sorted({**self._run, **labels}.items()))
            if value is None:
                value = before.get(name, {}).get(key, _NEVER.get(name))
            if value is not None:
                samples.setdefault(name, {})[key] = value
        families = registry.CollectorRegistry()
        families.register(_Collector(samples))
        with output_file.named_in_errors('metrics', self._path):
            self._file.write(exposition.generate_latest(families))

    def _samples(
        self, told: report.Report[Any]
    ) -> Iterator[tuple[str, dict[str, str], float | None]]:
        """Yield what is known of the run: name, labels, value.

        What is not known has None: it is what it was before.
        """
        now = time.time()
        code = told.exit_code
        yield 'last_run_timestamp_seconds', {}, now
        yield 'last_success_timestamp_seconds', {}, None if code else now
        seconds = time.monotonic() - self._began
        yield 'last_run_duration_seconds', {}, seconds
        yield 'last_run_exit_code', {}, code
        results = _COMPARING if self._run['verb'] == 'compare' else _COPYING
        for to in told.to:
            there, labels = self._found[to], {'to': to}
            usable = to not in told.unusable
            yield 'destination_usable', labels, usable
            for result in results:
                counted = {**labels, 'result': result.value}
                yield 'images', counted, there.results[result]
            yield 'bytes', labels, there.bytes
            # Half a listing does not tell which is the oldest.
            is_half = told.trouble or self._is_cut_short
            is_known = usable and not is_half
            missing = there.missing if is_known else None
            yield 'oldest_missing_timestamp_seconds', labels, missing
            conflict = there.conflict if is_known else None
            yield 'oldest_conflict_timestamp_seconds', labels, conflict

    def _before(self) -> _Samples:
        """Return what is in the file by now.

        :raises ReplicateError: it is none of ours
        """
        from prometheus_client import parser

        with output_file.named_in_errors('metrics', self._path):
            content = self._file.there(_MOST)
        found: _Samples = {}
        try:
            families = parser.text_string_to_metric_families(content.decode())
            for family in families:
                for sample in family.samples:
                    name = sample.name.removeprefix(_PREFIX)
                    if name == sample.name or name not in _HELP:
                        raise ValueError(f'it has {sample.name}')
                    labels = tuple(sorted(sample.labels.items()))
                    found.setdefault(name, {})[labels] = sample.value
        except (ValueError, KeyError, IndexError) as exc:
            raise errors.ReplicateError(
                f'{self._path} is no file of --metrics: {errors.line(exc)}; '
                'move it away, or give another name'
            ) from exc
        return found


class _Collector:
    """Samples, as prometheus_client takes them."""

    def __init__(self, samples: _Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator['metrics_core.Metric']:
        from prometheus_client import metrics_core

        for name, words in _HELP.items():
            found = self._samples.get(name)
            if found:
                family = metrics_core.GaugeMetricFamily(_PREFIX + name, words)
                for labels, value in sorted(found.items()):
                    family.add_sample(_PREFIX + name, dict(labels), value)
                yield family


def _has_data(action: plan.Action) -> bool:
    """Return whether the destination has an image, however old it is there."""
    replica = action.replica
    return replica is not None and replica.status in image_record.SETTLED


def _changed(image: image_record.Image) -> float:
    """Return when an image was last changed; now, where it does not tell.

    It is never 0, which is none.
    """
    changed = image.updated_at or image.created_at
    return max(1.0, changed.timestamp()) if changed else time.time()


def _older(one: float, other: float) -> float:
    """Return the earlier of two times, of which 0 is none."""
    return min(filter(None, (one, other)), default=0.0)

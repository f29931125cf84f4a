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

"""One action carried out, in as many tries as it takes."""

from collections.abc import Container
import contextlib
import functools
import logging
import time

from osc_glance_replicate import errors
from osc_glance_replicate.execution import arrival
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import outages
from osc_glance_replicate.execution import planned
from osc_glance_replicate.execution import troubles
from osc_glance_replicate.execution import updating
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.planning import decisions
from osc_glance_replicate import retry
from osc_glance_replicate.transfer import fan_out
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import upload_body

LOG = logging.getLogger(__name__)


class Task:
    """One image on its way to one destination.

    :param action: what is to be done, as planned
    :param destination: where it goes
    :param planner: asked again when the destination has changed meanwhile
    :param reading: how the data is read; its retries are those of the task
    :param shared: the reading that is shared with other destinations
    :param down: names of the destinations at which nothing is tried again;
        it may change
    """

    def __init__(
        self,
        action: plan.Action,
        destination: places.Destination,
        planner: decisions.Planner,
        reading: image_reading.Reading,
        shared: fan_out.FanOut | None = None,
        listener: events.Listener = events.Listener(),
        down: Container[str] = (),
    ) -> None:
        self._down = down
        self._silence = outages.Silence(destination)
        self._planned = planned.Planned(
            action, reading.source, destination, planner
        )
        self._updating = updating.Updating(
            self._planned, destination, reading, listener
        )
        self._arrival = arrival.Arrival(
            self._planned, destination, reading, listener
        )
        self._listener = listener
        self._destination = destination
        self._reading = reading
        self._shared = shared
        # The data may be there, so that it is looked at before it is sent
        # again.
        self._sent = False
        self._troubles = troubles.Troubles()

    def carry_out(self) -> outcomes.Outcome:
        """Do what is to be done, and raise nothing, whatever happens."""
        try:
            return self._try_until_done()
        except errors.StoppedError:
            return self._failed(outcomes.INTERRUPTED)
        except errors.ReplicateError as exc:
            return self._failed(self._troubles.told(exc), exc)
        except Exception as exc:
            LOG.debug('defect while copying', exc_info=True)
            return self._failed(errors.unexpected(exc), exc)
        finally:
            self._leave()

    def _failed(
        self, reason: str, trouble: Exception | None = None
    ) -> outcomes.Outcome:
        """Return the outcome of a failure.

        :param trouble: what has gone wrong; None for the end of the run
        """
        told = self._updating.after_withdrawal(reason)
        if trouble is None:
            return outcomes.failed(self._action, told)
        return outcomes.failed(
            self._action,
            told,
            outcomes.cause_of(trouble),
            self._silence.since(trouble),
        )

    def _leave(self) -> None:
        """Let the other destinations begin to read without this one."""
        if self._shared:
            self._shared.leave(self._destination.name)
            self._shared = None

    def _try_until_done(self) -> outcomes.Outcome:
        retries = retry.Retries(self._reading.retries)
        again = False
        while not self._reading.stop.is_set():
            self._silence.begin()
            try:
                if again:
                    self._listener.begun(self._action)
                if again or self._planned.is_old:
                    self._decide_again()
                return self._try()
            except errors.TransientError as exc:
                self._leave()
                self._troubles.add(exc)
                if self._troubles.are_final:
                    raise
                if self._silence.since(exc) and self._action.to in self._down:
                    raise
                retries = retries.after(exc)
                self._listener.retried(self._action, exc)
                LOG.debug('%s: trying again: %s', self._action.image.id, exc)
                again = True
                self._wait(retries.delay)
        raise errors.StoppedError(self._destination.name, 'interrupted')

    def _wait(self, seconds: float) -> None:
        """Wait before the next try, unless nothing more is tried."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._action.to in self._down:
                break
            if self._reading.stop.wait(min(left, 1.0)):
                break

    @property
    def _action(self) -> plan.Action:
        return self._planned.action

    def _decide_again(self) -> None:
        """Plan anew, from what the destination has by now."""
        # What was sent may be there, and is looked at first.
        if self._planned.renew(
            but_not=lambda replica: self._sent and not replica.empty
        ):
            self._sent = False

    def _try(self) -> outcomes.Outcome:
        if self._sent:
            return self._arrival.finish()
        try:
            return self._start()
        except errors.TakenError as exc:
            self._decide_again()
            if self._action.replica:
                # Another run has been faster.
                return self._start()
            return outcomes.Outcome(
                self._action,
                outcomes.Result.CONFLICT,
                f'{exc} by an image that this user cannot see or that was '
                "deleted: only 'glance-manage db purge_images_table' frees "
                'an ID',
            )

    def _start(self) -> outcomes.Outcome:
        action, destination = self._action, self._destination
        if action.verb is plan.Verb.UPDATE and action.replica:
            return self._updating.try_once() or self._start()
        if action.verb is plan.Verb.UNCHANGED and (
            done := self._updating.lost()
        ):
            return done
        if action.verb is not plan.Verb.COPY:
            return outcomes.as_planned(action)
        if action.replica and action.replica.busy:
            raise errors.BusyError(
                action.to,
                f'{action.image.id} is {action.replica.status} there: it is '
                'being uploaded by someone else',
            )
        if destination.fetch:
            destination.stage(action)
            self._let_fetch(destination.fetch)
        else:
            self._send()
        self._listener.arrived(self._action)
        return self._arrival.finish(answered=True)

    def _let_fetch(self, fetch: places.Fetch) -> None:
        try:
            fetch(self._action.image)
        except errors.BusyError:
            raise
        except errors.TransientError:
            # The answer may have been lost rather than the data.
            self._sent = True
            raise
        self._sent = True

    def _send(self) -> None:
        """Create the record and send its data.

        The first bytes are inspected before there is a record.
        """
        image = self._action.image
        with contextlib.ExitStack() as stack:
            part, kept = stack.enter_context(self._destination.kept(image))
            data = stack.enter_context(self._open(part, kept))
            # What was kept may be damaged, which the write repairs.
            if not kept:
                data.look_ahead()
            body = upload_body.UploadBody(
                data,
                image.size or 0,
                functools.partial(self._listener.sent, self._action),
            )
            self._destination.stage(self._action)
            try:
                self._write(body)
                if bring_in := self._destination.importer(image):
                    self._judge_again()
                    self._arrival.require_evidence()
                    bring_in(self._action.image)
            except errors.BusyError as exc:
                # Not sent; the record tells whether it is busy still.
                raise errors.TransientError(exc.place, exc.problem) from exc
            except errors.TransientError as exc:
                # The answer may have been lost rather than the data.
                self._sent = True
                if not self._destination.importer(image):
                    self._troubles.add_upload(exc, body.is_taken)
                raise
            except errors.DataError as exc:
                if not kept:
                    raise
                # Perhaps what was kept is damaged.
                raise errors.TransientError(
                    exc.place,
                    f'{exc.problem}; what an earlier run had left of it was '
                    'removed: try again',
                ) from exc
        self._sent = True

    def _write(self, body: upload_body.UploadBody) -> None:
        """Send the data, and keep what it was hashed to on its way."""
        try:
            self._destination.write(self._action.image, body)
        finally:
            # Of what is staged nothing is sent again.
            self._arrival.digests = body.digests or self._arrival.digests
        self._troubles.forget_uploads()

    def _judge_again(self) -> None:
        """Judge what waits for its import, as staging it may take long.

        :raises PlaceError: it is not to be copied any more
        """
        if not self._planned.is_old:
            return
        self._planned.renew(but_not=lambda replica: False)
        action = self._action
        if action.verb is not plan.Verb.COPY:
            raise errors.PlaceError(
                action.to,
                f'{action.image.id} is not imported, as by now it is not to '
                f'be copied: {action.reason or action.verb.value}; run again',
            )

    def _open(
        self, part: places.Data | None, kept: int
    ) -> contextlib.AbstractContextManager[upload_body.Blocks]:
        """Open the data: shared with other destinations the first time."""
        shared, self._shared = self._shared, None
        if shared and (branch := shared.branch(self._destination.name)):
            return branch
        return self._reading.open(
            self._action.image,
            self._destination.inspects,
            self._destination.to_hash(self._action.image),
            part,
            kept,
            renamed=self._planned.renamed,
        )

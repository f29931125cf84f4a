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

"""Whether what has arrived is what was sent, and what becomes of it."""

from collections.abc import Mapping
import dataclasses
import functools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import planned
from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import proof
from osc_glance_replicate import places
from osc_glance_replicate import retry
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import proving


class Arrival:
    """The end of one image's way to one destination.

    :param current: what is to be done, as planned by now
    :param destination: where it goes
    :param reading: how the source's data is read, to prove it
    :ivar digests: hashes of what was sent, by algorithm
    """

    def __init__(
        self,
        current: planned.Planned,
        destination: places.Destination,
        reading: image_reading.Reading,
        listener: events.Listener,
    ) -> None:
        self.digests: Mapping[str, str] = {}
        self._planned = current
        self._destination = destination
        self._reading = reading
        self._listener = listener

    def finish(self, answered: bool = False) -> outcomes.Outcome:
        """Compare the replica with its source, then publish it.

        :param answered: whether the place has just said that it has the data
        :raises BusyError: its Glance is not done with it yet
        :raises TransientError: it has no data, or another try may do
        """
        image, destination = self._planned.action.image, self._destination
        replica = self._look() if answered else destination.find(image.id)
        if replica and replica.busy:
            raise errors.BusyError(
                destination.name,
                f'{image.id} is {replica.status} after it was sent',
            )
        if replica is None or replica.status != 'active':
            status = replica.status if replica else 'gone'
            raise errors.TransientError(
                destination.name,
                f'{image.id} is {status} after it was sent',
            )
        same, evidence, _ = self._compare(replica)
        if same:
            self._planned.narrow()
            # Its source may have been hashed meanwhile.
            same, evidence, reason = self._compare(replica)
        if not same and self._is_converted(replica):
            return self._finish_converted(replica)
        if not same:
            return self._quarantine(replica, evidence)
        return self._publish(self._planned.action, replica, reason)

    def _look(self) -> image_record.Image | None:
        """Return the replica, once it is known everywhere that it has data."""
        image, destination = self._planned.action.image, self._destination
        for seconds in retry.UNHEARD:
            replica = destination.find(image.id)
            if replica and replica.status != 'queued':
                return replica
            if self._reading.stop.wait(seconds):
                break
        return destination.find(image.id)

    def _publish(
        self, action: plan.Action, replica: image_record.Image, reason: str
    ) -> outcomes.Outcome:
        self._destination.publish(action, replica)
        return outcomes.Outcome(action, outcomes.Result.COPIED, reason)

    def _is_converted(self, replica: image_record.Image) -> bool:
        action = self._planned.action
        return (
            action.conversion is not conversions.Conversion.NONE
            and conversions.is_converted(action.wanted, replica)
        )

    def _finish_converted(
        self, replica: image_record.Image
    ) -> outcomes.Outcome:
        """Publish what its Glance has made of the data, where that will do.

        Nothing proves the last hop. What was sent is proven: the reading has
        held it against what the source had recorded.
        """
        self._planned.narrow()
        action = self._planned.action
        if action.conversion is not conversions.Conversion.ACCEPTED:
            return self._refuse_converted(replica)
        # Its source may have been hashed meanwhile.
        sent, recorded = self.digests, action.image.digests
        algorithm = proof.common(recorded, sent)
        if algorithm and recorded[algorithm] != sent[algorithm]:
            return self._quarantine(replica, algorithm, as_sent=True)
        found = dataclasses.replace(
            action.image, noted={**sent, **action.image.noted}
        )
        told = [conversions.THERE]
        if not recorded:
            told.append('the source recorded no hash')
        elif not sent and not self._destination.fetch:
            # An earlier run has staged it.
            told.append(proof.SIZE_ONLY)
        return self._publish(
            dataclasses.replace(
                action, source_hash=conversions.source_hash(found)
            ),
            replica,
            ', '.join(told),
        )

    def _refuse_converted(
        self, replica: image_record.Image
    ) -> outcomes.Outcome:
        """Keep the replica from being used, and tell what to do."""
        action = self._planned.action
        was, made = conversions.formats(action.wanted, replica)
        # Whatever comes of it, the others are to know.
        action = dataclasses.replace(action, converted=made)
        self._planned.action = action
        end = self._withdraw(f'{action.image.id} was converted to {made}')
        return outcomes.failed(
            action,
            f'{self._destination.name}: {action.image.id} was converted from '
            f'{was} to {made} there, and was left {end}, its ID used up: '
            f'{conversions.FREE}; for it and others of its format '
            f'{action.conversion.advice}',
        )

    def require_evidence(self) -> None:
        """See whether a converted replica could be told again.

        :raises PlaceError: it could not, and is not to be imported
        """
        action = self._planned.action
        accepted = action.conversion is conversions.Conversion.ACCEPTED
        if accepted and not (action.image.recorded_hash or self.digests):
            raise errors.PlaceError(
                action.to,
                f'{action.image.id} was staged by an earlier run, and '
                f'{conversions.UNTOLD}: have its administrator set it back to '
                "'queued' in Glance's database",
            )

    def _compare(self, replica: image_record.Image) -> tuple[bool, str, str]:
        """Return whether a replica has the right data.

        :returns: (whether it has, what tells, what is to be told of that)
        """
        image = self._planned.action.image
        same, evidence = proof.same_data(image, replica)
        if not same or evidence != proof.SIZE or not image.size:
            return same, evidence, ''
        evidence = self._evidence(replica)
        if evidence == proof.SIZE:
            return True, evidence, proof.SIZE_ONLY
        same = self.digests[evidence] == replica.digests[evidence]
        told = '' if image.digests else 'the source recorded no hash'
        return same, evidence, told

    def _evidence(self, replica: image_record.Image) -> str:
        """Return what tells whether what was sent has arrived.

        Nothing that the source has recorded does.
        """
        algorithm = proof.common(replica.digests, self.digests)
        if algorithm or not self._destination.to_hash(
            self._planned.action.image
        ):
            return algorithm or proof.SIZE
        # An earlier run has staged it, or the destination hashes by another
        # algorithm than before.
        algorithm = proof.to_read_for(replica)
        if algorithm:
            self.digests = {algorithm: self._read(algorithm)}
        return algorithm or proof.SIZE

    def _read(self, algorithm: str) -> str:
        """Return the hash of the source's data, by reading it."""
        action = self._planned.action
        tell = functools.partial(self._listener.checked, action)
        return proving.digest(self._reading, action.image, algorithm, tell)

    def _quarantine(
        self, replica: image_record.Image, evidence: str, as_sent: bool = False
    ) -> outcomes.Outcome:
        """Keep wrong bytes from being used.

        :param evidence: what of them is not as the source has recorded
        :param as_sent: they have arrived like that
        """
        image, destination = self._planned.action.image, self._destination
        imports = destination.imports
        how = 'was imported with other data' if imports else 'arrived damaged'
        sent = self.digests.get(evidence)
        if as_sent or (sent and sent == replica.digests.get(evidence)):
            how = (
                'arrived as it was sent, and its source, which has recorded a '
                'hash since, is damaged or has recorded a wrong one'
            )
        elif evidence in image.digests and not sent:
            # What has passed was not held against it.
            how += ', or its record was made with a wrong hash'
        damage = f'{image.id} {how}: {evidence} differs'
        end = self._withdraw(damage)
        return outcomes.Outcome(
            self._planned.action,
            outcomes.Result.CONFLICT if imports else outcomes.Result.FAILED,
            f'{destination.name}: {damage}; it was left {end}',
        )

    def _withdraw(self, why: str) -> str:
        """Deactivate the replica, which is private.

        :param why: told where that is still to be done
        :returns: how it was left
        """
        destination = self._destination
        try:
            destination.quarantine(self._planned.action.image)
        except errors.TransientError as exc:
            raise errors.TransientError(
                destination.name,
                f'{why}; it is private and still to be deactivated: {exc}',
            ) from exc
        except errors.RefusedError:
            return 'private; have it deactivated'
        return 'private and deactivated'

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

"""Which destinations are down, and what has got no answer from them."""

import collections
from collections.abc import Callable, Collection
import logging
import math
import threading
import time

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate import places

LOG = logging.getLogger(__name__)

#: Images in a row that get no usable answer before a destination is down.
_IN_A_ROW = 4

#: Seconds after which one that is down is asked again.
_INTERVAL = 30.0

#: How often one may be back, and be down again before it has done anything.
_MAX_IN_VAIN = 1


class Silence:
    """Since when a destination has given no usable answer, for one image.

    An answer to any request of the run counts: an image that only the
    destination's proxy will not have does not make it silent.

    :param place: the destination
    """

    def __init__(self, place: places.Destination) -> None:
        self._place = place
        self._since = 0.0
        self._begun = 0.0

    def begin(self) -> None:
        """Note that another try begins."""
        self._begun = time.monotonic()

    def since(self, trouble: Exception) -> float:
        """Return since when it has, now that a try has failed.

        :returns: as of time.time; 0 where it has answered, or was not asked
        """
        is_silent = (
            isinstance(trouble, errors.PlaceError)
            and trouble.unanswered
            and trouble.place == self._place.name
            and self._place.answered_at <= self._begun
        )
        self._since = (self._since or time.time()) if is_silent else 0.0
        return self._since


class Outages:
    """Notes what got no usable answer, and asks those who give none.

    :param greet: finds out whether the destination of a name answers; raises
        PlaceError where it does not
    :param over: called in another thread with the name of one that was down,
        and whether it is back
    :param answered: returns when the destination of a name last gave a usable
        answer, as of time.monotonic
    """

    def __init__(
        self,
        greet: Callable[[str], None],
        over: Callable[[str, bool], None],
        answered: Callable[[str], float],
    ) -> None:
        self._greet = greet
        self._over = over
        self._answered = answered
        #: By destination, what got no answer since the last that did.
        self._missed: dict[str, list[outcomes.Outcome]] = {}
        #: When the latest of that was noted, as of time.monotonic.
        self._noted: dict[str, float] = {}
        self._since: dict[str, float] = {}
        #: How often one was back since an image has arrived there.
        self._in_vain: collections.Counter[str] = collections.Counter()
        self._asked: set[str] = set()
        self._at_once = threading.Event()
        self._stop = threading.Event()

    def is_down(self, to: str) -> bool:
        """Return whether a destination is down."""
        return to in self._since

    def is_lost(self, to: str) -> bool:
        """Return whether one that is down is not asked any more."""
        return to in self._since and to not in self._asked

    def not_tried(self, action: plan.Action) -> outcomes.Outcome:
        """Return what becomes of an action at one that is lost."""
        return outcomes.failed(
            action,
            f'{self.words(action.to)}: {outcomes.NOT_TRIED}',
            unanswered=self._since[action.to],
        )

    def since(self, to: str) -> float:
        """Return since when one that is down is, as of time.time."""
        return self._since[to]

    def words(self, to: str) -> str:
        """Return since when one that is down is."""
        since = time.strftime('%H:%M', time.localtime(self._since[to]))
        return f'{to} is down since {since}'

    @property
    def missed(self) -> Collection[plan.Key]:
        """What got no answer, and may get one yet."""
        return {
            outcome.action.key
            for missed in self._missed.values()
            for outcome in missed
        }

    def note(self, outcome: outcomes.Outcome, is_enough: bool = False) -> bool:
        """Note what got no answer.

        :param is_enough: no other is on its way whose answer would tell more;
            once, as it may be the image that gets none
        :returns: whether its destination is down from now on
        """
        to = outcome.action.to
        missed = self._missed.setdefault(to, [])
        missed.append(outcome)
        self._noted[to] = time.monotonic()
        is_enough = is_enough and not self._in_vain[to]
        if self.is_down(to) or not (is_enough or len(missed) >= _IN_A_ROW):
            return False
        self._since[to] = min(each.unanswered for each in missed)
        # What answers to nothing but a greeting is of no use.
        if self._in_vain[to] <= _MAX_IN_VAIN:
            self._asked.add(to)
            self._at_once.clear()
            asking = background.start(self._ask_again, to)
            asking.add_done_callback(
                lambda done: self._over(to, done.result())
            )
        return True

    def _ask_again(self, to: str) -> bool:
        """Ask from time to time; return whether it answers at last."""
        while not self._stop.is_set():
            is_last = self._at_once.wait(_INTERVAL)
            try:
                self._greet(to)
            except Exception as exc:
                # Whatever it is, it is no answer.
                LOG.debug('%s is still down: %s', to, exc)
                if is_last:
                    break
            else:
                return True
        return False

    def ask_at_once(self) -> bool:
        """Ask those who are down for the last time.

        :returns: whether there are any who have still to answer
        """
        self._at_once.set()
        return bool(self._asked)

    def outdated(self, to: str) -> list[outcomes.Outcome]:
        """Return what got no answer from one that has given some since."""
        has_answered = self._answered(to) > self._noted.get(to, math.inf)
        return self._settled(to) if has_answered else []

    def arrived(self, to: str) -> list[outcomes.Outcome]:
        """Return what got no answer from one where another image is by now."""
        del self._in_vain[to]
        return self._settled(to)

    def _settled(self, to: str) -> list[outcomes.Outcome]:
        # Where it is down, they may get one yet.
        return [] if self.is_down(to) else self._missed.pop(to, [])

    def over(self, to: str, is_back: bool) -> list[outcomes.Outcome]:
        """Ask one that was down no more.

        :returns: what got no answer from it
        """
        self._asked.discard(to)
        if is_back:
            self._in_vain[to] += 1
            # A greeting is no answer to what comes now.
            self._noted[to] = time.monotonic()
            del self._since[to]
        return self._missed.pop(to, [])

    def rest(self) -> list[outcomes.Outcome]:
        """Return what got no answer from those who are not down."""
        return [
            outcome
            for to in list(self._missed)
            if not self.is_down(to)
            for outcome in self._missed.pop(to)
        ]

    def close(self) -> list[outcomes.Outcome]:
        """Ask nobody any more; return all that got no answer."""
        self._stop.set()
        self._at_once.set()
        missed = [each for some in self._missed.values() for each in some]
        self._missed.clear()
        return missed

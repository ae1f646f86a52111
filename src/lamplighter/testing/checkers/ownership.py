"""Ownership: one maintainer acts, each action acts once, and nothing is done that was not written down."""

from collections.abc import Iterator

from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Applied, Asked, Born, Event
from lamplighter.testing.checkers.seen import starts, stops
from lamplighter.testing.witness import Witness

SLOW_S = 60.0
"""For so long after writes were slow one may still be on its way."""


class OneOwner:
    """No action of an older token has effect, and no two maintainers act under one token."""

    def __init__(self) -> None:
        self._token = 0
        self._holders: dict[int, str] = {}

    def look(self, event: Event, _witness: Witness) -> Iterator[str]:
        """Look at each action."""
        if not isinstance(event, Applied):
            return
        if event.token < self._token:
            yield f"{event.action_id} of {event.holder} came under token {event.token} after {self._token}"
        self._token = max(self._token, event.token)
        first = self._holders.setdefault(event.token, event.holder)
        if first != event.holder:
            yield f"{event.holder} acts under token {event.token}, which is {first}'s"


class AppliedOnce:
    """No action has its effect twice, and no replica's name is used twice.

    A target that has forgotten what it did may do it again when it is asked under the same id, names and
    all: whoever asks has no answer, and what was started then is gone, or it would be listed.
    """

    def __init__(self) -> None:
        self._applied: dict[str, Instant] = {}
        self._born: dict[str, str] = {}

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action and each birth."""
        if isinstance(event, Applied):
            if event.action_id not in self._applied:
                ended = {each.id for each in event.before.replicas if each.ended}
                for name in sorted(ended.intersection(starts(event.action))):
                    yield f"{event.action_id} starts {name}, which has lived and ended"
            elif not self._forgotten(event.action_id, witness):
                yield f"{event.action_id} had its effect twice"
            self._applied[event.action_id] = event.at
        if isinstance(event, Born):
            first = self._born.setdefault(event.replica, event.action_id)
            again = first in self._applied and not self._forgotten(first, witness)
            if first != event.action_id or again:
                yield f"{event.replica} was started a second time, by {event.action_id}"

    def _forgotten(self, action_id: str, witness: Witness) -> bool:
        return self._applied[action_id] <= witness.world.forgot_at


class RecordedFirst:
    """What is done was recorded before. On a full or very slow disk, what stops nothing may go ahead."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action as it arrives."""
        if not isinstance(event, Asked) or event.action_id in witness.recorded:
            return
        slow = witness.world.befalling.lately("disk-slow", SLOW_S)
        full = witness.disk.full or slow or event.action_id in witness.unrecorded
        if full and not stops(event.action, witness.world.truth()):
            return
        yield f"{event.action_id} was applied and is in no record"

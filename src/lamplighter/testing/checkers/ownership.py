"""Ownership: one maintainer acts, each action acts once, and nothing is done that was not written down."""

from collections.abc import Iterator

from lamplighter.model.actions import Action, Replace, Scale
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Applied, Asked, Born, Event
from lamplighter.testing.checkers.seen import stops
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
    """No action has its effect twice, and no replica's name is used twice."""

    def __init__(self) -> None:
        self._applied: dict[str, Instant] = {}
        self._born: set[str] = set()

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action and each birth. A target that has forgotten what it did may do it again."""
        if isinstance(event, Applied):
            if self._applied.get(event.action_id, -1.0) > witness.world.forgot_at:
                yield f"{event.action_id} had its effect twice"
            ended = {each.id for each in event.before.replicas if each.ended}
            for name in sorted(ended.intersection(_starts(event.action))):
                yield f"{event.action_id} starts {name}, which has lived and ended"
            self._applied[event.action_id] = event.at
        if isinstance(event, Born):
            if event.replica in self._born:
                yield f"{event.replica} was started a second time, by {event.action_id}"
            self._born.add(event.replica)


def _starts(action: Action) -> tuple[str, ...]:
    match action:
        case Scale(starts=names):
            return names
        case Replace(start=name):
            return (name,)
        case _:
            return ()


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

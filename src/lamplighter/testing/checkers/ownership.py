"""Ownership: one maintainer acts, each action acts once, and nothing is done that was not written down."""

from collections.abc import Iterable, Iterator

from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
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
    all: whoever asks has no answer, and what was started then is gone, or it would be listed. Nor can a
    successor know a name that was given while nothing could be written, of one that left no trace. What takes
    over from an action whose replicas nobody had seen yet names these very replicas, and starts none of them
    that has come, and perhaps ended, meanwhile.
    """

    def __init__(self) -> None:
        self._given: dict[str, tuple[str, ...]] = {}
        self._taken_over: dict[str, set[str]] = {}
        self._applied: dict[str, Instant] = {}
        self._givers: dict[str, str] = {}
        self._born: set[str] = set()
        self._again: set[str] = set()

    def hear(self, inputs: Inputs, result: Result, _after: History, _witness: Witness) -> Iterable[str]:
        """Hear whom an action was to start that another overtakes, before they were listed."""
        overtaken = {each.action: each.subject for each in result.closed if each.result == "superseded"}
        listed = {each.id for each in inputs.facts.replicas} if overtaken else set()
        for each in result.decisions:
            if each.state != "act":
                continue
            names = (self._given.get(name, ()) for name, on in overtaken.items() if on == each.subject)
            self._taken_over[each.id] = {name for one in names for name in one} - listed
            self._given[each.id] = starts(each.chosen.action)
        return ()

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each birth, and at each action, which comes after those that it brings about."""
        if isinstance(event, Born):
            (self._again if event.replica in self._born else self._born).add(event.replica)
        if not isinstance(event, Applied):
            return
        at, self._applied[event.action_id] = self._applied.get(event.action_id), event.at
        again, self._again = self._again, set()
        if at is None:
            yield from self._used(event, witness, again)
        elif at > witness.world.forgot_at:
            yield f"{event.action_id} had its effect twice"

    def _used(self, event: Applied, witness: Witness, again: set[str]) -> Iterator[str]:
        """Tell of names that an action gives and that are another's."""
        given = starts(event.action)
        ended = {each.id for each in event.before.replicas if each.ended}
        seen = {each.id for each in event.seen.replicas} if event.seen else set()
        taken_over = self._taken_over.get(event.action_id, set())
        for name in sorted({*again, *(ended.intersection(given) - taken_over)}):
            known = name in seen or name not in witness.unwritten
            if known or self._givers.get(name) == event.holder:
                yield f"{event.action_id} of {event.holder} starts {name}, whose name was used before"
        self._givers |= dict.fromkeys(given, event.holder)


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

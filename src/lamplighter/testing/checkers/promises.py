"""Promises: drains are as long as they say, nothing new begins in a freeze, and who is short is told why.

What a person was promised with the answer to an order is looked at once all is at rest: see `rest`.
"""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from lamplighter.model.actions import Scale, Shift
from lamplighter.model.facts import HEALTH, PROCESSES, Facts
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import System
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Applied, Draining, Event
from lamplighter.testing.checkers.seen import Listens, shares
from lamplighter.testing.witness import Witness

SAME_S = 0.01
SHORT_S_MAX = 30.0
"""For so long there may be too few with nothing under way and nothing said of it."""
GAP_S_MAX = 10.0
WEEK_MIN = 7 * 24 * 60
AFTER_ORDER_S = 5.0


class DrainAsPromised:
    """Whatever is drained, for whatever reason, has the time that a spec gives its requests."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each drain."""
        if not isinstance(event, Draining) or event.replica not in witness.world.bodies:
            return
        name = witness.world.bodies[event.replica].workload
        given = {each.services[name].drain_s for each in witness.systems if name in each.services}
        if given and not any(abs(event.at_most_s - each) <= SAME_S for each in given):
            said = " or ".join(f"{each:g}" for each in sorted(given))
            yield f"{event.action_id} gives {event.replica} {event.at_most_s:g} s to drain, not {said}"


class FreezeKept(Listens):
    """In a freeze window no new release is started beside one that serves, unless a person went back to it.

    One that has yet to serve is a first release, and so is what is ordered in its stead.
    """

    def __init__(self) -> None:
        self._lived: set[tuple[str, str]] = set()

    def hear(self, inputs: Inputs, result: Result, _after: History, witness: Witness) -> Iterator[str]:
        """Hear what is started, and what time it is by the wall clock as it was read."""
        for each in result.decisions:
            action = each.chosen.action
            if each.state != "act" or not isinstance(action, Scale) or not action.starts:
                continue
            key = action.workload, action.release
            new = key not in self._lived and any(name == key[0] for name, _ in self._lived)
            self._lived.add(key)
            if not new or not _stands(inputs.facts, witness, *key):
                continue
            if witness.released_by_order(key[0]) or witness.system is None:
                continue
            if _frozen(witness.system, inputs.facts):
                yield f"{each.id} rolls out {action.release} in a freeze window ({inputs.facts.wall})"


def _stands(facts: Facts, witness: Witness, workload: str, release: str) -> bool:
    """Return whether another release of a workload lives and has traffic, or has served."""
    others = {each.release for each in facts.of(workload) if each.live} - {release}
    shares = facts.shares.get(workload, {})
    taking = any(shares.get(each, 0.0) > 0 for each in others)
    return taking or (bool(others) and not shares and witness.better(workload, release))


def _frozen(system: System, facts: Facts) -> bool:
    if not facts.wall:
        return bool(system.freeze)
    local = datetime.fromisoformat(facts.wall).astimezone(ZoneInfo(system.timezone))
    minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
    spans = (
        (each.start_min, (each.end_min - each.start_min) % WEEK_MIN or WEEK_MIN) for each in system.freeze
    )
    return any((minute - start) % WEEK_MIN < length for start, length in spans)


class WaysBackKept:
    """Once a person has called a release back, what that is to replace gains no more traffic."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each new way of sharing traffic that was sent after it."""
        if not isinstance(event, Applied) or not isinstance(event.action, Shift):
            return
        name = event.action.workload
        left, at = witness.given_up.get(name, ("", 0.0))
        if not left or event.sent_at < at + AFTER_ORDER_S:
            return
        before, after = shares(event.before, name), shares(event.after, name)
        if before and after.get(left, 0.0) > before.get(left, 0.0):
            yield f"{event.action_id} gives more of {name} to {left}, which was called back at {at:.0f}"


class ShortIsSaid(Listens):
    """Where fewer than `min` live, something is under way or is said of it: a guard, a person, a wait."""

    def __init__(self) -> None:
        self._short_s: dict[str, float] = {}
        self._last: Instant = 0.0

    def hear(self, inputs: Inputs, result: Result, after: History, witness: Witness) -> Iterator[str]:
        """Hear who lives, what is under way and what is said."""
        gap_s, self._last = min(inputs.now - self._last, GAP_S_MAX), inputs.now
        quiet = after.stopping is not None or after.stopped or not inputs.recordable or witness.system is None
        if quiet or any(inputs.facts.silence(each, inputs.now) for each in (PROCESSES, HEALTH)):
            self._short_s.clear()
            return
        assert witness.system is not None
        for name in self._too_few(inputs.facts, witness.system):
            said = _said(name, result, after)
            self._short_s[name] = 0.0 if said else self._short_s.get(name, 0.0) + gap_s
            if self._short_s[name] > SHORT_S_MAX:
                yield f"{name} is short for {self._short_s[name]:.0f} s; nothing is done, nothing said"

    def _too_few(self, facts: Facts, system: System) -> list[str]:
        lives: dict[str, int] = {}
        for each in facts.replicas:
            if each.live:
                lives[each.workload] = lives.get(each.workload, 0) + 1
        few = [name for name, one in system.services.items() if lives.get(name, 0) < one.replicas.min]
        for name in [name for name in self._short_s if name not in few]:
            del self._short_s[name]
        return few


def _said(name: str, result: Result, after: History) -> bool:
    """Return whether anything is under way on a workload or its replicas, decided, or found."""
    subjects = [
        *(each.decision.subject for each in after.pending.values()),
        *(each.subject for each in result.decisions),
        *(each.subject for each in result.findings),
    ]
    return any(each.partition("/")[0] == name or each.rpartition("-")[0] == name for each in subjects)

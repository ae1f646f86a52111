"""Conduct: budgets are kept, repairs are bounded, people are asked, and numbers do not swing."""

from collections import deque
from collections.abc import Iterator
from math import ceil, floor, log2
from typing import NamedTuple

from lamplighter.controllers.load import asked
from lamplighter.model.actions import Replace, Scale
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Applied, Ended, Event, Mishap, Passing
from lamplighter.targets.simulated.silences import SOURCES
from lamplighter.targets.simulated.troubles import EVERYTHING
from lamplighter.testing.checkers.seen import could_serve, of, serving, stops, workload_of
from lamplighter.testing.need import needed
from lamplighter.testing.witness import Witness

SHORT_LIFE_S = 3.0
"""A replica that ends so soon after it was first ready never worked, to all intents and purposes."""
FLAP_WINDOW_S = 600.0
TURNS_MAX = 3
"""So many changes of direction a number may make in the window while what is asked of it stays the same."""
SETTLING_S = 120.0
"""After a step of load, for so long a number may still follow it."""


ACTED_S_MAX = 1200.0
"""No window of a budget is longer."""


class BudgetKept:
    """At most so many actions in the window, and at most so much of a workload at risk at once.

    What another maintainer did and could not write down is in nobody's count. What undoes an action waits
    for nothing. What a forgetful target does again counts once, and by when it was decided: one that could
    be written down only later is no younger for that, even if it was done before.
    """

    def __init__(self) -> None:
        self._acted: deque[tuple[Instant, str, str]] = deque()
        self._counted: set[str] = set()

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action that starts or stops replicas of the loop's own accord."""
        if not isinstance(event, Applied) or not isinstance(event.action, Scale | Replace):
            return
        name, system = event.action.workload, witness.system
        if system is None or witness.released_by_order(name, event.sent_at):
            return
        decided_at = witness.decided.get(event.action_id, event.sent_at)
        guards = witness.guards(decided_at)
        if event.action_id in self._counted:
            return
        self._counted.add(event.action_id)
        self._acted.append((event.sent_at, event.action_id, event.holder))
        while self._acted[0][0] <= event.sent_at - ACTED_S_MAX:
            self._acted.popleft()
        known = (
            witness.decided.get(one, sent_at)
            for sent_at, one, who in self._acted
            if who == event.holder or one in witness.recorded
        )
        number = sum(decided_at - guards.window_s + 1e-6 < each <= decided_at for each in known)
        if number > guards.actions and event.action_id not in witness.undoing:
            window_s = guards.window_s
            yield f"{event.action_id} is number {number} in {window_s:g} s, {guards.actions} are allowed"
        before, after = serving(event, event.before, name), serving(event, event.after, name)
        live = sum(each.live for each in of(event.before, name))
        allowed = max(witness.guards(event.sent_at).at_risk * live, 1.0)
        if len(before - after) > allowed + 1e-6 and not _asleep(event, witness):
            lost = len(before - after)
            yield f"{event.action_id} stops {lost} of {live} of {name}, {allowed:g} are allowed"


class RepairsBounded:
    """In one place (a replica, the one that takes its place, and so on) only so many repairs do not last.

    What another maintainer did and could not write down is in nobody's count.
    """

    def __init__(self) -> None:
        self._by: dict[str, str] = {}
        self._failures: dict[str, tuple[Instant, ...]] = {}
        self._passed: dict[str, Instant] = {}
        self._short: dict[str, bool] = {}
        self._ended: dict[str, Instant] = {}

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at lives and at replacements."""
        if isinstance(event, Passing) and event.passing:
            self._passed.setdefault(event.replica, event.at)
        elif isinstance(event, Ended):
            passed = self._passed.get(event.replica)
            self._short[event.replica] = passed is None or event.at - passed < SHORT_LIFE_S
            self._ended[event.replica] = event.at
        elif isinstance(event, Applied) and isinstance(event.action, Replace):
            yield from self._replaced(event, event.action, witness)

    def _replaced(self, event: Applied, action: Replace, witness: Witness) -> Iterator[str]:
        service = witness.service(action.workload)
        if service is None:
            return
        unknown = action.replica in witness.unwritten and self._by.get(action.replica) != event.holder
        before = () if unknown else self._failures.get(action.replica, ())
        self._by[action.start] = event.holder
        failed = self._short.get(action.replica, True)
        mine = (*before, self._ended.get(action.replica, event.at)) if failed else ()
        self._failures[action.start] = mine
        since = event.sent_at - service.repair.window_s + LATE_S
        recent = [each for each in mine if each > since]
        if len(recent) > service.repair.attempts:
            attempts = service.repair.attempts
            yield f"{event.action_id} is repair {len(recent)} in one place, {attempts} are allowed"


LATE_S = 10.0
"""Failures are counted when they are seen, somewhat later than they happen."""


class ApprovalKept:
    """What stops more of a workload than goes without a yes has had exactly that yes."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action that stops replicas."""
        if not isinstance(event, Applied) or witness.system is None:
            return
        name = workload_of(event.action)
        if witness.released_by_order(name, event.sent_at) or event.action_id in witness.approved:
            return
        stopped = stops(event.action, event.before)
        if _asleep(event, witness):
            return
        live = [each for each in of(event.before, name) if each.live]
        taking = event.before.shares.get(name, {})
        hit = [
            each
            for each in live
            if each.id in stopped and taking.get(each.release, 0.0) > 0 and could_serve(each, event)
        ]
        share = len(hit) / max(1, len(live), _seen_live(event, name))
        if share > witness.guards(event.sent_at).approve_above + 1e-3:
            yield f"{event.action_id} stops {share:.0%} of {name}, which nobody has approved"


def _seen_live(event: Applied, name: str) -> int:
    """Return how many were seen to live: an action of the same pass, a moment ago, may have stopped some."""
    seen = event.seen.replicas if event.seen else ()
    return sum(each.workload == name and each.live for each in seen)


def _asleep(event: Applied, witness: Witness) -> bool:
    """Return whether a workload goes to zero, and it is known that nobody asks for it: nothing is lost."""
    action = event.action
    if not isinstance(action, Scale) or action.replicas or event.seen is None:
        return False
    service = witness.service(action.workload)
    return service is not None and not service.replicas.min and not asked(event.seen.loads.get(service.name))


SCATTER = 0.3
"""Requests in flight scatter: a number that is right for a load so much off is no swing."""
UNSETTLING = frozenset({"world", *SOURCES, EVERYTHING})
"""What may move every workload's number: the target as a whole, and its facts."""


class Turn(NamedTuple):
    """A change of direction; `right`: to a number that suits the load."""

    at: Instant
    way: int
    right: bool


class NoFlapping:
    """Under a steady load the settled number of replicas does not swing.

    What befalls another workload, a maintainer, a disk or a clock is no reason for it to.
    """

    def __init__(self) -> None:
        self._turns: dict[str, list[Turn]] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._disturbed_at: dict[str, Instant] = {}

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each Scale of a workload of which one release lives."""
        if isinstance(event, Mishap):
            self._disturbed(event, witness)
        if not isinstance(event, Applied) or not isinstance(event.action, Scale):
            return
        action = event.action
        key = (action.workload, action.release)
        before, self._numbers[key] = self._numbers.get(key, 0), action.replicas
        releases = {each.release for each in of(event.before, action.workload) if each.live}
        if len(releases) > 1 or action.replicas == before or not action.replicas:
            self._turns[action.workload] = []
            return
        turns = self._turns.setdefault(action.workload, [])
        sign = 1 if action.replicas > before else -1
        since = max(event.at - FLAP_WINDOW_S, self._disturbed_at.get(action.workload, 0.0) + SETTLING_S)
        demand = witness.world.traffic.app(action.workload).demand
        steady = demand.steady(event.at - FLAP_WINDOW_S, event.at)
        turns[:] = [each for each in turns if each.at > since] if steady else []
        if not turns or turns[-1].way != sign:
            turns.append(Turn(event.at, sign, _right(action, event.at, witness)))
        wrong = sum(not each.right for each in turns)
        if wrong > TURNS_MAX + 1 or len(turns) > _turns_max(action, witness):
            since = turns[0].at
            yield f"{action.workload} turned {len(turns) - 1} times since {since:.0f} under a steady load"

    def _disturbed(self, event: Mishap, witness: Witness) -> None:
        names = witness.system.services if witness.system else ()
        for name in names:
            if (
                event.subject in UNSETTLING
                or event.subject.rpartition("-")[0] == name
                or event.subject == name
            ):
                self._disturbed_at[name] = event.at


def _turns_max(action: Scale, witness: Witness) -> int:
    """Return how often a number may turn between two that are both right.

    Up and down, and each time it is kept up twice as long as before, from a calm window on.
    """
    service = witness.service(action.workload)
    window_s = service.scale.window_s if service is not None and service.scale is not None else FLAP_WINDOW_S
    return TURNS_MAX + 1 + 2 * ceil(log2(FLAP_WINDOW_S / window_s + 1))


def _right(action: Scale, at: Instant, witness: Witness) -> bool:
    """Return whether a number is right for the true load, or for one that is a little off."""
    service = witness.service(action.workload)
    if service is None or service.scale is None or service.scale.on == "latency":
        return True
    need = needed(witness.world, service, at, action.release)
    return floor(need * (1 - SCATTER)) <= action.replicas <= ceil(need * (1 + SCATTER))

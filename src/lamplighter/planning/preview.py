"""The ideal world: facts as they would be if every action did what it is for, at once.

Knows what each action ends in; nothing of why it is taken, and nothing of failure.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from lamplighter.model.actions import Action, Configure, Dismantle, Forget, Replace, Scale, Shift
from lamplighter.model.facts import SOURCES, Facts, Phase, Replica, Source
from lamplighter.model.value import Instant, digest


def effect(action: Action, facts: Facts, now: Instant) -> Facts:
    """Return the facts with the action's postcondition made true.

    Args:
        action: what is done.
        facts: how things stand before it.
        now: when it is done; new replicas start then and are ready at once.
    """
    match action:
        case Configure(system=system):
            return replace(facts, configured=digest(system))
        case Scale():
            return replace(facts, replicas=_scaled(action, facts.replicas, now))
        case Replace(replica=old, start=new):
            born = _started(action.workload, action.release, new, now)
            return replace(facts, replicas=(*_without(facts.replicas, (old,)), born))
        case Shift(workload=workload, shares=shares):
            return replace(facts, shares={**facts.shares, workload: dict(shares)})
        case Forget(replicas=gone):
            return replace(facts, replicas=_without(facts.replicas, gone))
        case Dismantle():
            return replace(facts, replicas=(), shares={}, loads={}, configured="")


def settled(facts: Facts, now: Instant, wall: str) -> Facts:
    """Return the facts a while later: every source heard, starting replicas ready, draining ones gone.

    What is known to be broken stays broken: only an action mends it.
    """
    replicas = tuple(_ready(each) for each in facts.replicas if each.phase is not Phase.DRAINING)
    heard = {each: Source(observed_at=now) for each in (*SOURCES, *facts.sources)}
    return replace(facts, at=now, wall=wall, sources=heard, replicas=replicas)


def capacity(facts: Facts) -> dict[str, int]:
    """Return how many live replicas of each workload pass their checks."""
    found: dict[str, int] = {}
    for each in facts.replicas:
        found[each.workload] = found.get(each.workload, 0) + (each.live and each.ready is True)
    return dict(sorted(found.items()))


def _ready(replica: Replica) -> Replica:
    if replica.phase is not Phase.STARTING:
        return replica
    return replace(replica, phase=Phase.RUNNING, ready=True, in_flight=0)


def _scaled(scale: Scale, replicas: tuple[Replica, ...], now: Instant) -> tuple[Replica, ...]:
    """Start and stop what is named; then make the number right, as a target that picks itself would."""
    left = _without(replicas, scale.stops)
    known = {each.id for each in left}
    born = [each for each in scale.starts if each not in known]
    mine = [each for each in left if (each.workload, each.release) == (scale.workload, scale.release)]
    live = [each for each in mine if each.live]
    excess = len(live) + len(born) - scale.replicas
    if excess > 0 and not scale.stops:
        newest = sorted(live, key=lambda each: (each.started_at, each.id), reverse=True)[:excess]
        left = _without(left, [each.id for each in newest])
    if not scale.starts:
        born = [f"{scale.workload}-new-{number + 1}" for number in range(-excess)]
    started = (_started(scale.workload, scale.release, each, now) for each in born)
    return (*left, *started)


def _without(replicas: Iterable[Replica], gone: Iterable[str]) -> tuple[Replica, ...]:
    leaving = frozenset(gone)
    return tuple(each for each in replicas if each.id not in leaving)


def _started(workload: str, release: str, name: str, now: Instant) -> Replica:
    return Replica(
        id=name,
        workload=workload,
        release=release,
        phase=Phase.RUNNING,
        started_at=now,
        ready=True,
        in_flight=0,
    )

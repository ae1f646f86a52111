"""Safety: nothing is stopped of which it is not known how it stands, and no request is dropped by us."""

from collections.abc import Iterator

from lamplighter.model.actions import Forget, Replace, Scale
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Facts, Phase
from lamplighter.targets.simulated.journal import Applied, Ended, Event
from lamplighter.testing.checkers.seen import read_at, shares, stops, too_big, workload_of
from lamplighter.testing.witness import Witness

FRESH_S = 1.5
"""Facts are read again if they are older than a second when an action is sent."""
DRAIN_TOLERANCE_S = 0.5


class KnownOnly:
    """Nothing that lives is stopped unless it was known how it stands, or a person ordered it."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action that stops what lives."""
        if not isinstance(event, Applied):
            return
        if isinstance(event.action, Forget):
            yield from _forgotten(event)
        stopped = stops(event.action, event.before)
        if not stopped or witness.released_by_order(workload_of(event.action), event.sent_at):
            return
        if event.seen is None:
            yield f"{event.action_id} stops {', '.join(stopped)} without having looked"
            return
        old_s = event.sent_at - read_at(event.seen)
        if old_s > FRESH_S:
            yield f"{event.action_id} rests on facts that are {old_s:.1f} s old"
        for source in _needed(event, event.seen, stopped):
            if silence := event.seen.silence(source, event.sent_at):
                yield f"{event.action_id} stops {', '.join(stopped)} while {source} is silent: {silence.why}"
        yield from _unknown(event, event.seen, stopped)


def _needed(event: Applied, seen: Facts, stopped: tuple[str, ...]) -> tuple[str, ...]:
    """What is taken away to save needs to know the traffic too; what is broken or unused does not."""
    action = event.action
    taking = shares(event.before, workload_of(action))
    saving = isinstance(action, Scale) and len(taking) <= 1 and action.release in taking and action.replicas
    broken = {each.id for each in seen.replicas if too_big(each.memory_bytes) or each.ready is False}
    return (PROCESSES, HEALTH, TRAFFIC) if saving and not broken.issuperset(stopped) else (PROCESSES, HEALTH)


def _unknown(event: Applied, seen: Facts, stopped: tuple[str, ...]) -> Iterator[str]:
    taking = shares(event.before, workload_of(event.action))
    for name in stopped:
        known = next((each for each in seen.replicas if each.id == name), None)
        if known is None or known.phase is Phase.UNKNOWN:
            yield f"{event.action_id} stops {name}, of which nothing was known"
        elif known.ready is None and known.release in taking and not too_big(known.memory_bytes):
            yield f"{event.action_id} stops {name}, of which it was not known whether it serves"
        elif isinstance(event.action, Replace) and known.ready and not too_big(known.memory_bytes):
            yield f"{event.action_id} replaces {name}, which was seen to serve"


def _forgotten(event: Applied) -> Iterator[str]:
    assert isinstance(event.action, Forget)
    ended = {each.id for each in event.before.replicas if each.ended}
    known = {each.id for each in event.before.replicas}
    for name in event.action.replicas:
        if name in known and name not in ended:
            yield f"{event.action_id} forgets {name}, which has not ended"


class NothingDropped:
    """No request in flight is cut by an action of ours within the drain that the spec promises."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each end of a replica that was told to end."""
        if not isinstance(event, Ended) or event.excused or not event.dropped or event.drained_s is None:
            return
        promised_s = witness.drain_s(event.workload)
        if event.drained_s + DRAIN_TOLERANCE_S < promised_s:
            yield (
                f"{event.replica} was ended {event.drained_s:.1f} s into its drain of {promised_s:g} s"
                f" and cut {event.dropped} requests"
            )

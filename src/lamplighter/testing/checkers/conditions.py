"""Conditions: what a contract needs and expects, read anew from facts, by a reading of the checkers' own.

What is done rests on what was seen a moment ago, and what is called failed was seen to fail.
"""

from collections.abc import Iterator

from lamplighter.controllers.contracts import SHARE_TOLERANCE
from lamplighter.controllers.load import asked
from lamplighter.model.actions import (
    Broken,
    Condition,
    Configured,
    Gone,
    Heard,
    Idle,
    Live,
    Ready,
    Serving,
    Shares,
)
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Facts, Phase, Replica
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Applied, Event
from lamplighter.testing.checkers.seen import Listens, read_at
from lamplighter.testing.witness import Witness

FRESH_S = 1.5
"""Facts are read again if they are older than a second when an action is sent."""


def so(condition: Condition, facts: Facts, now: Instant) -> bool | None:
    """Return whether a condition holds by these facts; None where they do not tell.

    Args:
        condition: what is asked.
        facts: as they were read, silent sources included.
        now: by when a source that has not answered for long is silent.
    """
    silent = {each for each in (PROCESSES, HEALTH, TRAFFIC) if facts.silence(each, now)}
    match condition:
        case Heard(source=source):
            return facts.silence(source, now) is None
        case Configured(digest=digest):
            return None if PROCESSES in silent else facts.configured == digest
        case Idle(workload=workload):
            requests = None if TRAFFIC in silent else asked(facts.loads.get(workload))
            return None if requests is None else requests == 0
        case Shares(workload=workload, shares=shares):
            there = facts.shares.get(workload, {})
            differ = (
                abs(there.get(each, 0.0) - shares.get(each, 0.0)) for each in there.keys() | shares.keys()
            )
            known = not silent & {PROCESSES, HEALTH}
            return max(differ, default=0.0) <= SHARE_TOLERANCE if known else None
        case Live(workload=workload, release=release, exactly=count):
            return (
                None
                if PROCESSES in silent
                else sum(each.live for each in facts.of(workload, release)) == count
            )
        case Ready(workload=workload, release=release, at_least=count):
            return None if silent & {PROCESSES, HEALTH} else _ready(facts.of(workload, release), count)
        case Gone() | Serving() | Broken():
            return _of_one(condition, facts, silent)


def _ready(replicas: tuple[Replica, ...], count: int) -> bool | None:
    live = [each.ready for each in replicas if each.live]
    if live.count(True) >= count:
        return True
    return None if live.count(True) + live.count(None) >= count else False


def _of_one(condition: Gone | Serving | Broken, facts: Facts, silent: set[str]) -> bool | None:
    one = next((each for each in facts.replicas if each.id == condition.replica), None)
    if one is None:
        listed = {Gone: True, Serving: False}.get(type(condition))
        return None if PROCESSES in silent else listed
    if one.phase is Phase.EXITED:
        return not isinstance(condition, Serving)
    if PROCESSES in silent or one.phase is Phase.UNKNOWN:
        return None
    if isinstance(condition, Gone):
        return False
    if isinstance(condition, Serving) and one.phase is Phase.DRAINING:
        return False
    ready = None if HEALTH in silent else one.ready
    return ready if isinstance(condition, Serving) or ready is None else not ready


class StillStands:
    """Nothing is done on old facts, or where a precondition was seen not to hold any more right before.

    While a reading does not end there are none but old ones, and they are known to be old.
    """

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action with what its maintainer had read last when it sent it."""
        if not isinstance(event, Applied) or event.seen is None:
            return
        decision = witness.decisions.get(event.action_id)
        if decision is None or witness.world.befalling.lately(
            "standing-still", event.at - event.sent_at + 1.0
        ):
            return
        old_s = event.sent_at - read_at(event.seen)
        way_s = event.at - event.sent_at
        if old_s > FRESH_S and not witness.world.befalling.lately("unanswered", way_s + FRESH_S):
            yield f"{event.action_id} rests on facts that are {old_s:.1f} s old"
        for need in decision.chosen.contract.needs:
            if so(need, event.seen, event.sent_at) is False:
                yield f"{event.action_id} is done though this was seen not to hold: {need}"


class FailedTruly(Listens):
    """What is called failed, or is undone, was seen not to be as it should; unknown is not failed."""

    def hear(self, inputs: Inputs, result: Result, _after: History, witness: Witness) -> Iterator[str]:
        """Hear how actions ended."""
        for each in result.closed:
            decision = witness.decisions.get(each.action)
            if each.result not in ("failed", "undone") or decision is None:
                continue
            expects = decision.chosen.contract.expects
            if expects and not any(so(one, inputs.facts, inputs.now) is False for one in expects):
                yield f"{each.action} is {each.result}, and nothing of what it was for is known to lack"

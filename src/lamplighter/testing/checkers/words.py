"""Words: what is called verified is so, what is sent is not sent by who was told off, and down means down."""

from collections import deque
from collections.abc import Iterator

from lamplighter.model.actions import (
    Condition,
    Configured,
    Dismantle,
    Gone,
    Live,
    Ready,
    Replace,
    Scale,
    Serving,
    Shares,
)
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.bodies import Body
from lamplighter.targets.simulated.journal import (
    Applied,
    Asked,
    Born,
    Closing,
    Draining,
    Ended,
    Event,
    Refused,
)
from lamplighter.targets.simulated.world import World
from lamplighter.testing.checkers.seen import LAG_S
from lamplighter.testing.witness import Witness

SHARE_TOLERANCE = 0.01
REBOOTED = "list-short"


class VerifiedTrue:
    """An action is called verified only if what it was to bring about is so, or was a moment ago.

    A moment before it was judged, that is; on a slow disk it takes longer until that is written down.
    """

    def __init__(self) -> None:
        self._changes: dict[str, deque[Instant]] = {}
        self._set_at: Instant = 0.0

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at what changes, and at each action that is closed as verified."""
        if isinstance(event, Born | Ended):
            self._changed(event.workload, event.at)
        elif isinstance(event, Draining):
            body = witness.world.bodies.get(event.replica)
            self._changed(body.workload if body else "", event.at)
        elif isinstance(event, Applied) and not isinstance(event.action, Scale | Replace):
            self._set_at = event.at
        elif isinstance(event, Closing) and event.closed.result == "verified" and event.decision is not None:
            for each in event.decision.chosen.contract.expects:
                if not self._so(each, witness.world, event.at - LAG_S):
                    yield f"{event.closed.action} is called verified, and this does not hold: {each}"

    def _changed(self, workload: str, at: Instant) -> None:
        self._changes.setdefault(workload, deque(maxlen=64)).append(at)

    def _so(self, condition: Condition, world: World, since: Instant) -> bool:
        if world.befalling.lately("list-short", world.now - since):
            return True
        lately = max(self._set_at, world.forgot_at, world.gateway_forgot_at) >= since
        match condition:
            case Ready(workload=workload, release=release, at_least=count):
                there = (each for each in world.bodies.values() if each.workload == workload)
                return sum(_serves(each, world, since) for each in there if each.release == release) >= count
            case Serving(replica=name):
                return name not in world.bodies or _serves(world.bodies[name], world, since)
            case Gone(replica=name):
                return name not in world.bodies or not world.bodies[name].live
            case Live(workload=workload, release=release, exactly=count):
                there = (each for each in world.bodies.values() if each.workload == workload and each.live)
                found = sum(each.release == release for each in there)
                return abs(found - count) <= sum(at > since for at in self._changes.get(workload, ()))
            case Shares(workload=workload, shares=shares):
                now = world.shares.get(workload, {})
                names = {*now, *shares}
                return lately or all(
                    abs(now.get(each, 0.0) - shares.get(each, 0.0)) <= SHARE_TOLERANCE for each in names
                )
            case Configured(digest=digest):
                return lately or world.configured == digest
            case _:
                return True


def _serves(body: Body, world: World, since: Instant) -> bool:
    """Return whether a replica passes its checks, or has done so since then, whatever became of it.

    Of one that ended a moment ago health may say so although it never did, where sources contradict each
    other, and a list that is a little older may still have it among the living.
    """
    contradicted = world.befalling.lately("contradictions", world.now - since)
    lied = world.faults.sources.contradiction_p > 0 or contradicted
    ends = [each for each in (body.down_at, body.draining_since, body.ended_at) if each is not None]
    return (
        body.serving
        or (body.passed_once and bool(ends) and min(ends) >= since)
        or (body.passed_once and body.passed_at is not None and body.passed_at >= since)
        or (lied and body.ended_at is not None and body.ended_at >= since)
    )


class FencedSilent:
    """A maintainer that was told that a newer one is there sends nothing more."""

    def __init__(self) -> None:
        self._fenced: dict[str, Instant] = {}

    def look(self, event: Event, _witness: Witness) -> Iterator[str]:
        """Look at refusals, and at what is sent after them."""
        if isinstance(event, Refused) and event.why.endswith("fenced"):
            self._fenced.setdefault(event.holder, event.at)
        elif isinstance(event, Asked) and event.sent_at > self._fenced.get(event.holder, float("inf")):
            yield f"{event.holder} sent {event.action_id} after it had been told of a newer maintainer"


class DownMeansDown:
    """Once everything was ordered down nothing is started, and nothing that lives is dismantled."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action while everything is ordered down."""
        if not isinstance(event, Applied) or witness.down_at is None:
            return
        live = {each.id for each in event.before.replicas if each.live}
        if isinstance(event.action, Scale | Replace) and event.sent_at > witness.down_at:
            for each in sorted(each.id for each in event.after.replicas if each.live and each.id not in live):
                yield f"{event.action_id} starts {each} though everything was ordered down"
        if isinstance(event.action, Dismantle):
            bodies, since = witness.world.bodies, event.sent_at - LAG_S
            old = sorted(each for each in live if each in bodies and bodies[each].started_at < since)
            if old:
                yield f"{event.action_id} dismantles while {', '.join(old)} has not been drained"

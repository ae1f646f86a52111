"""Numbers: how many replicas of each release, and which share of the traffic each gets.

The one place where the total (scaling's) and the stage of a rollout (rollout's) come together.
Arithmetic only: everything it decides from is an argument.
"""

from collections.abc import Collection, Mapping
from math import ceil
from typing import NamedTuple

from lamplighter.controllers.contracts import SHARE_DIGITS, SHARE_TOLERANCE
from lamplighter.controllers.load import asked
from lamplighter.controllers.survey import Survey
from lamplighter.model.history import RolloutState, WorkloadHistory
from lamplighter.model.system import Service, System

EPSILON = 1e-6
"""Below the resolution of a traffic share; keeps `ceil` from counting float dust as a replica."""


LOST_AFTER_S = 10.0
"""For how long nothing of a release must have served before its traffic is taken from it."""


ROUNDING_MAX = 0.3
"""No more than this part of a replica is put down to rounding, however many there are."""


class Numbers(NamedTuple):
    """What a workload should come to next: replicas by release, and traffic (None: as it is)."""

    wanted: dict[str, int]
    shares: dict[str, float] | None = None
    no_room: bool = False


class Side(NamedTuple):
    """One release in an exchange: how many are settled, live or coming, ready, and perhaps ready.

    One that has only just dropped out of the list may be any release's, and may serve.
    """

    release: str
    wanted: int
    there: int
    ready: int
    may_serve: int

    @property
    def size(self) -> int:
        """Return the room that it takes: what lives, or what is settled to live, if that is more."""
        return max(self.wanted, self.there)


class Exchange(NamedTuple):
    """Traffic moves from `giver` to `taker` until the taker has `goal` of it.

    `keep`: the giver stays at full strength as long as there is room, so that going back is instant.
    """

    taker: str
    giver: str = ""
    goal: float = 1.0
    keep: bool = False


def active(memory: WorkloadHistory) -> RolloutState | None:
    """Return the rollout that is under way, if any."""
    rollout = memory.rollout
    return rollout if rollout is not None and not rollout.verdict else None


def steps(rollout: RolloutState, service: Service) -> tuple[float, ...]:
    """Return the traffic shares that a rollout goes through, the last always all of it."""
    if rollout.at_once or rollout.from_zero:
        return (1.0,)
    return (*(each for each in service.rollout.steps if each < 1), 1.0)


def step_share(rollout: RolloutState, service: Service) -> float:
    """Return the share of traffic of the step that a rollout is at."""
    shares = steps(rollout, service)
    return shares[min(rollout.step, len(shares) - 1)]


def lost(memory: WorkloadHistory, survey: Survey, workload: str, release: str) -> bool:
    """Return whether nothing of a release has served for `LOST_AFTER_S`: known, not merely silent."""
    there = survey.staying(workload, release)
    if not there and not memory.wanted.get(release):
        return True
    since = [memory.not_ready_since.get(each.id) for each in there] or [memory.missing_since.get(release)]
    return all(each is not None and survey.now - each >= LOST_AFTER_S for each in since)


def exchange(
    memory: WorkloadHistory, service: Service, survey: Survey, shares: Mapping[str, float]
) -> Exchange:
    """Return which release gains traffic from which.

    1. A release that is neither stable nor the candidate still has traffic: it goes to the heir first
       (the stable release; where that is lost, or there is none, the candidate). Where the heir or the lost
       one has some, and the other serves, that one first takes what nobody serves: so all is served, by what
       had it already, until the heir can. Not one that a person called back.
    2. A rollout is under way: from stable to the candidate, up to the step's share; all of it where
       nothing of stable serves any more.
    3. A rollout whose candidate has all of the traffic keeps it there, until it is promoted or fails.
    4. Else everything is the heir's.
    """
    rollout = active(memory)
    candidate = rollout.candidate if rollout else ""
    gone = bool(memory.stable) and bool(candidate) and lost(memory, survey, service.name, memory.stable)
    heir = candidate if gone or not memory.stable else memory.stable
    stray = sorted(each for each in shares if each not in (memory.stable, candidate))
    if stray:
        back = _called_back(memory)
        serves = [each for each in stray if each != back and survey.ready(service.name, each)]
        idle = memory.stable if gone and shares.get(memory.stable) else heir
        if serves and shares.get(idle) and lost(memory, survey, service.name, idle):
            return Exchange(taker=serves[0], giver=idle)
        return Exchange(taker=heir, giver=stray[0])
    if rollout and shares.keys() & {memory.stable} and candidate != memory.stable:
        goal = 1.0 if gone and survey.ready(service.name, candidate) else step_share(rollout, service)
        return Exchange(taker=candidate, giver=memory.stable, goal=goal, keep=True)
    return Exchange(taker=candidate if shares.keys() == {candidate} else heir)


def _called_back(memory: WorkloadHistory) -> str:
    """Return the release that a person called back last, if that is how the last rollout ended."""
    state = memory.rollout
    return state.candidate if state is not None and state.verdict == "rolled-back" else ""


def numbers(memory: WorkloadHistory, service: Service, survey: Survey, capacity: int) -> Numbers:
    """Return what a workload should come to next, one capacity-safe move from where it stands.

    Args:
        memory: what is settled.
        service: its bounds and its rollout policy.
        survey: what lives, passes its checks and gets traffic.
        capacity: how many replicas the load needs in all.
    """
    name = service.name
    shares = {each: share for each, share in survey.facts.shares.get(name, {}).items() if share > 0}
    rollout = active(memory)
    ours = {memory.stable, rollout.candidate if rollout else ""}
    if _all_ended(memory, survey, name, shares) and not shares.keys() <= ours:
        shares = {}
    shares = shares or _left_to_strays(survey, name, ours)
    move = exchange(memory, service, survey, shares)
    others = {*survey.releases(name), *memory.wanted} - ours - shares.keys()
    wanted = dict.fromkeys(others, 0)
    taker, giver = _side(memory, survey, name, move.taker), _side(memory, survey, name, move.giver)
    if not move.taker:
        return Numbers(wanted)
    if not move.giver:
        placed = None if shares.keys() == {taker.release} or not taker.ready else {taker.release: 1.0}
        if placed and not shares and rollout and taker.ready < capacity:
            placed = _by_ready(taker, _side(memory, survey, name, rollout.candidate))
        stable = _side(memory, survey, name, memory.stable)
        if not rollout or stable.release in ("", taker.release) or not stable.size:
            return Numbers({**wanted, taker.release: capacity}, placed)
        room, _ = attainable(service, survey, {taker.release, stable.release}, capacity)
        return Numbers(wanted | _made_room(taker, stable, capacity, room), placed)
    if move.keep and not (giver.wanted or giver.there) and asked(survey.facts.loads.get(name)) == 0:
        # At zero, and nobody waits: what is there to be replaced need not be started for that.
        placed = {taker.release: 1.0} if taker.ready else None
        return Numbers({**wanted, taker.release: max(1, capacity), giver.release: 0}, placed)
    room, total = attainable(service, survey, {move.taker, move.giver}, capacity)
    share = shares.get(taker.release, 0.0) / (shares.get(taker.release, 0.0) + shares[giver.release])
    counts = _counts(move, (taker, giver), total, room, share)
    after = _share(move, (taker, giver), counts[0], total, share)
    wanted |= {taker.release: counts[0], giver.release: counts[1]}
    stuck = counts == (taker.size, giver.size) and taker.ready >= taker.size and share < move.goal
    if after - share < EPSILON:
        return Numbers(wanted, None, no_room=stuck)
    return Numbers(wanted, _shares(shares, taker.release, giver.release, after))


def attainable(service: Service, survey: Survey, releases: Collection[str], capacity: int) -> tuple[int, int]:
    """Return the room that two releases have together, and how many replicas may carry the traffic.

    That is what the load needs, never less than `min`, and one less than there is room for: the taker
    has to start somewhere.
    """
    others = {*survey.releases(service.name)}.difference(releases)
    room = service.replicas.max + service.rollout.surge
    room -= sum(survey.count(service.name, each) for each in others)
    low = service.replicas.min
    return room, max(1, min(max(low, capacity), max(low, room - 1)))


def at_once(system: System, count: int) -> int:
    """Return how many of `count` replicas one decision may drain: what may be at risk, at least one."""
    return max(1, int(system.guards.at_risk * count + EPSILON))


def replicas_for(share: float, total: int) -> int:
    """Return how many of `total` replicas a share of the traffic needs.

    A gateway's rounding of the share (and float dust) never asks for one more.
    """
    return ceil(share * total - min(ROUNDING_MAX, SHARE_TOLERANCE * total) - EPSILON)


def _side(memory: WorkloadHistory, survey: Survey, workload: str, release: str) -> Side:
    return Side(
        release,
        memory.wanted.get(release, 0),
        survey.count(workload, release),
        survey.ready(workload, release) if release else 0,
        sum(each.ready is not False for each in survey.staying(workload, release)) + len(memory.unlisted),
    )


def _counts(move: Exchange, sides: tuple[Side, Side], total: int, room: int, share: float) -> tuple[int, int]:
    """Return how many of the taker and of the giver: the taker grows into room, the giver makes room.

    The giver never goes below what its traffic now needs, nor while the taker does not carry what it was
    already given, unless that is for want of room (see `_making_way`).
    """
    taker, giver = sides
    carried, floor = replicas_for(share, total), replicas_for(1 - share, total)
    need = max(1, carried, replicas_for(move.goal, total))
    up = max(0, carried, min(taker.wanted, need), min(need, room - giver.size))
    if taker.ready < carried:
        kept = max(giver.wanted, min(floor, giver.there))
        if carried + giver.size <= room:
            return up, kept
        least = max(floor, room - carried)
        if not move.keep and not taker.there:
            return up, least
        return max(taker.wanted, room - giver.size), min(kept, max(least, total - taker.ready))
    down = max(floor, min(total if move.keep else floor, room - need))
    if down > giver.wanted:
        down = max(giver.wanted, min(down, room - max(up, taker.size)))
    return up, down


def _made_room(taker: Side, stable: Side, capacity: int, room: int) -> dict[str, int]:
    """Return how many of a candidate that has all of the traffic, and of stable, which has none.

    Stable came back too late, or has yet to be left: it keeps what there is room for, and what makes up
    for those of the candidate that do not serve yet.
    """
    left = max(0, room - capacity, min(capacity, room - 1) - taker.ready)
    up = max(taker.wanted, min(capacity, room - stable.size))
    return {taker.release: up, stable.release: min(stable.wanted, left)}


def _share(move: Exchange, sides: tuple[Side, Side], up: int, total: int, share: float) -> float:
    """Return the taker's next share: the goal once all that it needs is ready, else what is ready."""
    taker, giver = sides
    need = max(1, replicas_for(move.goal, total))
    if taker.ready >= need or (taker.ready and not ((move.keep and giver.there) or giver.may_serve)):
        return move.goal
    if not move.keep or taker.ready >= up:
        return min(move.goal, max(share, round(taker.ready / total, SHARE_DIGITS)))
    return share


def _all_ended(memory: WorkloadHistory, survey: Survey, workload: str, shares: Mapping[str, float]) -> bool:
    """Return whether nothing is left, or to come, of any release that a gateway still gives traffic.

    After all was ordered down and up again, before the gateway was taken down, that is as good as no shares.
    """
    return not any(memory.wanted.get(each) or survey.count(workload, each) for each in shares)


def _left_to_strays(survey: Survey, workload: str, ours: Collection[str]) -> dict[str, float]:
    """Return how the traffic of a gateway without shares is spread, if some goes to none of `ours`.

    Then every release that serves has its part of it: a first release too that was superseded before it
    had all, and it must not be drained before another can take over.
    """
    ready = {each: survey.ready(workload, each) for each in survey.releases(workload)}
    if not any(ours) or not any(count for each, count in ready.items() if each not in ours):
        return {}
    total = sum(ready.values())
    return {each: round(count / total, SHARE_DIGITS) for each, count in sorted(ready.items()) if count}


def _by_ready(stable: Side, candidate: Side) -> dict[str, float] | None:
    """Return shares by who is ready, where a gateway has forgotten them in the middle of a rollout.

    All of it for stable would be too much for what is left of that. None while it is not known of each
    whether it serves: until then all that do have their part.
    """
    if stable.may_serve > stable.ready or candidate.may_serve > candidate.ready:
        return None
    if candidate.release == stable.release or not candidate.ready:
        return {stable.release: 1.0}
    gains = round(candidate.ready / (candidate.ready + stable.ready), SHARE_DIGITS)
    return {candidate.release: gains, stable.release: round(1 - gains, SHARE_DIGITS)}


def _shares(shares: Mapping[str, float], taker: str, giver: str, share: float) -> dict[str, float]:
    whole = shares.get(taker, 0.0) + shares[giver]
    gains = round(share * whole, SHARE_DIGITS)
    after = {**shares, taker: gains, giver: round(whole - gains, SHARE_DIGITS)}
    return {release: each for release, each in sorted(after.items()) if each > 0}

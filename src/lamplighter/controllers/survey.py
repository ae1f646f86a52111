"""The survey: the facts of one pass, arranged once so that each controller reads what it needs in O(1).

What a silent source said last is taken out here, in one place: controllers see None, never a stale
value. Knows nothing of what is wanted.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from lamplighter.model.actions import Action, Replace, Scale, Shift
from lamplighter.model.facts import (
    HEALTH,
    MACHINE,
    PROCESSES,
    TRAFFIC,
    Facts,
    Phase,
    Replica,
    Silence,
)
from lamplighter.model.history import Pending
from lamplighter.model.value import Instant

SOURCES = (PROCESSES, HEALTH, TRAFFIC, MACHINE)


def trusted(facts: Facts, now: Instant) -> Facts:
    """Return the facts without what silent sources said.

    A proven exit stays: an exit is never taken back. Everything else that a silent source tells
    becomes None, an unknown phase, or a load that is missing.
    """
    silent = {each for each in SOURCES if facts.silence(each, now)}
    if not silent:
        return facts
    changes: dict[str, object] = {}
    if silent & {PROCESSES, HEALTH, TRAFFIC, MACHINE}:
        changes["replicas"] = tuple(_masked(each, silent) for each in facts.replicas)
    if TRAFFIC in silent:
        changes["loads"] = {}
    return replace(facts, **changes)


def _masked(replica: Replica, silent: set[str]) -> Replica:
    changes: dict[str, object] = {}
    if PROCESSES in silent and replica.phase is not Phase.EXITED:
        changes["phase"] = Phase.UNKNOWN
    if HEALTH in silent:
        changes["ready"] = None
    if TRAFFIC in silent:
        changes["in_flight"] = None
    if MACHINE in silent:
        changes |= {"memory_bytes": None, "cpu": None}
    return replace(replica, **changes) if changes else replica


class Standing:
    """The replicas of one release of one workload, by how they stand."""

    __slots__ = ("draining", "exited", "live", "ready")

    def __init__(self) -> None:
        self.live: list[Replica] = []
        self.draining: list[Replica] = []
        self.exited: list[Replica] = []
        self.ready = 0

    def add(self, replica: Replica) -> None:
        """Count one replica in."""
        if replica.phase is Phase.EXITED:
            self.exited.append(replica)
        elif replica.phase is Phase.DRAINING:
            self.draining.append(replica)
        else:
            self.live.append(replica)
            self.ready += replica.ready is True


_NONE = Standing()


class Motion:
    """What is under way: replicas that are being started or stopped by actions not yet verified."""

    __slots__ = ("actions", "coming", "leaving", "lingering", "subjects")

    def __init__(self, pending: Mapping[str, Pending], seen: Mapping[str, Replica]) -> None:
        self.coming: dict[tuple[str, str], list[str]] = {}
        self.leaving: set[str] = set()
        self.lingering: dict[tuple[str, str], int] = {}
        self.subjects: set[str] = set()
        self.actions: dict[str, Action] = {}
        for each in pending.values():
            self._take(each, seen)

    def _take(self, pending: Pending, seen: Mapping[str, Replica]) -> None:
        action, subject = pending.decision.chosen.action, pending.decision.subject
        self.subjects.add(subject)
        self.actions[subject] = action
        if isinstance(action, Scale):
            self._expect(pending, (action.workload, action.release), action.starts, seen)
            self._let_go(pending, (action.workload, action.release), action.stops, seen)
        elif isinstance(action, Replace):
            self._expect(pending, (action.workload, action.release), (action.start,), seen)
            self._let_go(pending, (action.workload, action.release), (action.replica,), seen)

    def _let_go(
        self, pending: Pending, release: tuple[str, str], stops: Iterable[str], seen: Mapping[str, Replica]
    ) -> None:
        """Note what is to be stopped; it lingers until the target has said that it got the order."""
        self.leaving.update(stops)
        if pending.unanswered:
            live = sum(each in seen and seen[each].live for each in stops)
            self.lingering[release] = self.lingering.get(release, 0) + live

    def _expect(
        self, pending: Pending, release: tuple[str, str], starts: Iterable[str], seen: Mapping[str, Replica]
    ) -> None:
        """Count what is to be started and was never seen: one that came and went comes no more."""
        unseen = [each for each in starts if each not in seen and each not in pending.arrived]
        if unseen:
            self.coming.setdefault(release, []).extend(unseen)


class Survey:
    """One pass's facts by workload and release, with what is under way."""

    def __init__(self, facts: Facts, now: Instant, pending: Mapping[str, Pending] | None = None) -> None:
        """Arrange trusted facts (see `trusted`) in one scan over the replicas.

        Args:
            facts: with what silent sources said already taken out.
            now: the pass's instant.
            pending: actions under way, by id.
        """
        self.facts = facts
        self.now = now
        self.replicas: dict[str, Replica] = {}
        self._standings: dict[str, dict[str, Standing]] = {}
        self._staying: dict[tuple[str, str], list[Replica]] = {}
        self._silences = {each: facts.silence(each, now) for each in SOURCES}
        for replica in facts.replicas:
            self.replicas[replica.id] = replica
            releases = self._standings.setdefault(replica.workload, {})
            standing = releases.get(replica.release)
            if standing is None:
                standing = releases[replica.release] = Standing()
            standing.add(replica)
        self.motion = Motion(pending or {}, self.replicas)
        self.behind: frozenset[str] = frozenset()

    def catch_up(self, answered: Mapping[str, Instant | None]) -> None:
        """Note which workloads the facts are behind on: read before an action on them was answered.

        Facts may be a few seconds old and still count as known. What was done meanwhile is not in them,
        and must not be read as undone.
        """
        source = self.facts.sources.get(PROCESSES)
        if source is None or self.silence(PROCESSES):
            return
        self.behind = frozenset(
            name for name, at in answered.items() if at is not None and source.observed_at < at
        )

    def under_way(self, pending: Mapping[str, Pending]) -> None:
        """Take `pending` for what is under way from here on."""
        self.motion = Motion(pending, self.replicas)
        self._staying = {}

    def silence(self, source: str) -> Silence | None:
        """Return why a source cannot be relied on now, or None if it can."""
        return self._silences[source]

    def workloads(self) -> tuple[str, ...]:
        """Return the names of workloads that have replicas, sorted."""
        return tuple(sorted(self._standings))

    def releases(self, workload: str) -> tuple[str, ...]:
        """Return the releases of a workload that replicas exist of or come of, sorted."""
        coming = {release for name, release in self.motion.coming if name == workload}
        return tuple(sorted(self._standings.get(workload, {}).keys() | coming))

    def standings(self, workload: str) -> dict[str, Standing]:
        """Return how the replicas of each release of a workload stand."""
        return self._standings.get(workload, {})

    def standing(self, workload: str, release: str) -> Standing:
        """Return how the replicas of a release stand."""
        return self._standings.get(workload, {}).get(release, _NONE)

    def staying(self, workload: str, release: str) -> list[Replica]:
        """Return the live replicas of a release that no action is about to stop."""
        leaving = self.motion.leaving
        live = self.standing(workload, release).live
        if not leaving:
            return live
        key = (workload, release)
        if key not in self._staying:
            self._staying[key] = [each for each in live if each.id not in leaving]
        return self._staying[key]

    def coming(self, workload: str, release: str) -> list[str]:
        """Return the ids of replicas that were ordered and have not been seen yet."""
        return self.motion.coming.get((workload, release), [])

    def count(self, workload: str, release: str) -> int:
        """Return how many live once all that is under way has happened."""
        return len(self.staying(workload, release)) + len(self.coming(workload, release))

    def lingering(self, workload: str, release: str) -> int:
        """Return how many live ones were ordered to stop, by orders that the target has not confirmed."""
        return self.motion.lingering.get((workload, release), 0)

    def ready(self, workload: str, release: str = "") -> int:
        """Return how many live replicas pass their checks, of one release or of the workload."""
        if not release:
            return sum(self.ready(workload, each) for each in self._standings.get(workload, {}))
        staying, standing = self.staying(workload, release), self.standing(workload, release)
        if staying is standing.live:
            return standing.ready
        return sum(each.ready is True for each in staying)

    def live(self, workload: str) -> int:
        """Return how many replicas of a workload live now, of any release."""
        return sum(len(each.live) for each in self._standings.get(workload, {}).values())

    def carrying(self, workload: str) -> int:
        """Return how many replicas live of the releases that get traffic; a share at risk is one of these."""
        shares = self.facts.shares.get(workload, {})
        taking = {release for release, share in shares.items() if share > 0}
        standings = self._standings.get(workload, {})
        return sum(len(each.live) for release, each in standings.items() if not taking or release in taking)

    def remaining(self, workload: str) -> int:
        """Return how many replicas of a workload are not proven gone, draining ones included."""
        standings = self._standings.get(workload, {}).values()
        coming = sum(len(ids) for (name, _), ids in self.motion.coming.items() if name == workload)
        return coming + sum(len(each.live) + len(each.draining) for each in standings)

    def shifting(self, workload: str) -> bool:
        """Return whether the traffic of a workload is being shared anew right now."""
        return isinstance(self.motion.actions.get(workload), Shift)

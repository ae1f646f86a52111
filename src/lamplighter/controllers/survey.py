"""The survey: the facts of one pass, arranged once so that each controller reads what it needs in O(1).

What a silent source said last is taken out here, in one place: controllers see None, never a stale
value. Knows nothing of what is wanted.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from operator import itemgetter
from typing import TypeVar

from msgspec.structs import replace

from lamplighter.controllers.layout import Layout, laid_out
from lamplighter.model.actions import Action, Replace, Scale, Shift
from lamplighter.model.facts import (
    HEALTH,
    MACHINE,
    PROCESSES,
    SOURCES,
    TRAFFIC,
    Facts,
    Phase,
    Replica,
    Silence,
)
from lamplighter.model.history import Pending, WorkloadHistory
from lamplighter.model.value import Instant

Named = TypeVar("Named")


def trusted(facts: Facts, now: Instant) -> Facts:
    """Return the facts without what silent sources said.

    A proven exit stays: an exit is never taken back. Everything else that a silent source tells
    becomes None, an unknown phase, or a load that is missing.
    """
    silent = {each for each in SOURCES if facts.silence(each, now)}
    if not silent:
        return facts
    changes: dict[str, object] = {"replicas": tuple(_masked(each, silent) for each in facts.replicas)}
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


def arranged(replicas: Iterable[Replica]) -> dict[str, Standing]:
    """Return how the replicas of one workload stand, by release."""
    releases: dict[str, Standing] = {}
    for each in replicas:
        standing = releases.get(each.release)
        if standing is None:
            standing = releases[each.release] = Standing()
        standing.add(each)
    return releases


class Motion:
    """What is under way: replicas that are being started or stopped by actions not yet verified.

    `ordered` are those that the target may be told once more to start, or to replace, for it has not
    answered; `told` those of which it has said that it stops them.
    """

    __slots__ = (
        "actions",
        "busy",
        "coming",
        "leaving",
        "lingering",
        "ordered",
        "releases",
        "subjects",
        "told",
    )

    def __init__(self, pending: Mapping[str, Pending], seen: Mapping[str, Replica]) -> None:
        self.coming: dict[tuple[str, str], list[str]] = {}
        self.releases: dict[str, set[str]] = {}
        self.busy: set[str] = set()
        self.leaving: set[str] = set()
        self.ordered: set[str] = set()
        self.told: set[str] = set()
        self.lingering: dict[tuple[str, str], int] = {}
        self.subjects: set[str] = set()
        self.actions: dict[str, Action] = {}
        for each in pending.values():
            self._take(each, seen)

    def _take(self, pending: Pending, seen: Mapping[str, Replica]) -> None:
        action, subject = pending.decision.chosen.action, pending.decision.subject
        self.subjects.add(subject)
        self.busy.add(subject.split("/")[0])
        self.actions[subject] = action
        if isinstance(action, Scale):
            self._expect(pending, (action.workload, action.release), action.starts, seen)
            self._let_go(pending, (action.workload, action.release), action.stops, seen)
        elif isinstance(action, Replace):
            self._expect(pending, (action.workload, action.release), (action.start,), seen)
            self._let_go(pending, (action.workload, action.release), (action.replica,), seen)
            self.ordered.update((action.replica,) if pending.unanswered else ())

    def _let_go(
        self, pending: Pending, release: tuple[str, str], stops: Iterable[str], seen: Mapping[str, Replica]
    ) -> None:
        """Note what is to be stopped; it lingers until the target has said that it got the order."""
        self.leaving.update(stops)
        if pending.unanswered:
            live = sum(each in seen and seen[each].live for each in stops)
            self.lingering[release] = self.lingering.get(release, 0) + live
        else:
            self.told.update(stops)

    def _expect(
        self, pending: Pending, release: tuple[str, str], starts: Iterable[str], seen: Mapping[str, Replica]
    ) -> None:
        """Count what is to be started and was never seen: one that came and went comes no more."""
        if pending.unanswered:
            self.ordered.update(starts)
        unseen = [each for each in starts if each not in seen and each not in pending.arrived]
        if unseen:
            self.coming.setdefault(release, []).extend(unseen)
            self.releases.setdefault(release[0], set()).add(release[1])

    def coming_of(self, workload: str) -> list[str]:
        """Return the ids of all replicas of a workload that are being started and were not seen yet."""
        releases = self.releases.get(workload, ())
        return [each for release in releases for each in self.coming[workload, release]]


class Survey:
    """One pass's facts by workload and release, with what is under way."""

    def __init__(
        self,
        facts: Facts,
        now: Instant,
        pending: Mapping[str, Pending] | None = None,
        layout: Layout | None = None,
    ) -> None:
        """Take trusted facts (see `trusted`); a workload's replicas are arranged when it is asked about.

        Args:
            facts: with what silent sources said already taken out.
            now: the pass's instant.
            pending: actions under way, by id.
            layout: of these very replicas, where it is known already.
        """
        self.facts = facts
        self.now = now
        self.awake: tuple[str, ...] | None = None
        self.stirred: tuple[str, ...] = ()
        self._layout = layout or laid_out(facts.replicas)
        self._standings: dict[str, dict[str, Standing]] = {}
        self._staying: dict[tuple[str, str], list[Replica]] = {}
        self._silences = {each: facts.silence(each, now) for each in SOURCES}
        self.motion = Motion(pending, self.replicas) if pending else Motion({}, {})
        self.behind: frozenset[str] = frozenset()

    @property
    def replicas(self) -> Mapping[str, Replica]:
        """Every replica that is listed, by its id."""
        return self._layout.by_id

    def rest(self, awake: Iterable[str], stirred: Iterable[str]) -> None:
        """Look only at some workloads from here on.

        Args:
            awake: those that are looked at; nothing is to be done about any other, nor noted
            stirred: but of these the load, which has changed and needs no other number of replicas.
        """
        self.awake = tuple(sorted(awake))
        self.stirred = tuple(stirred)

    def among(self, names: Mapping[str, Named]) -> Iterator[tuple[str, Named]]:
        """Yield the items of `names`, in order, but for workloads at rest."""
        if self.awake is None:
            yield from sorted(names.items(), key=itemgetter(0))
            return
        for name in self.awake:
            if (named := names.get(name)) is not None:
                yield name, named

    def known(self) -> Iterator[Replica]:
        """Yield every replica that is listed, but for those of workloads at rest."""
        if self.awake is None:
            yield from self.facts.replicas
            return
        for name in self.awake:
            yield from self._layout.of(name)

    def catch_up(self, workloads: Mapping[str, WorkloadHistory]) -> None:
        """Note which workloads the facts are behind on: read before an action on them was answered.

        Facts may be a few seconds old and still count as known. What was done meanwhile is not in them,
        and must not be read as undone.
        """
        source = self.facts.sources.get(PROCESSES)
        if source is None or self.silence(PROCESSES):
            return
        self.behind = frozenset(
            name
            for name, memory in workloads.items()
            if (at := memory.answered_at) is not None and source.observed_at < at
        )

    def under_way(self, pending: Mapping[str, Pending]) -> None:
        """Take `pending` for what is under way from here on."""
        self.motion = Motion(pending, self.replicas) if pending else Motion({}, {})
        self._staying = {}

    def silence(self, source: str) -> Silence | None:
        """Return why a source cannot be relied on now, or None if it can."""
        return self._silences[source]

    def workloads(self) -> tuple[str, ...]:
        """Return the names of workloads that have replicas."""
        return tuple(self._layout.places)

    def strangers(self, ours: AbstractSet[str]) -> list[str]:
        """Return the names of workloads that have replicas and are not among `ours`, sorted."""
        return sorted(self._layout.places.keys() - ours)

    def releases(self, workload: str) -> tuple[str, ...]:
        """Return the releases of a workload that replicas exist of or come of, sorted."""
        coming = self.motion.releases.get(workload)
        there = self.standings(workload)
        return tuple(sorted(there.keys() | coming if coming else there))

    def standings(self, workload: str) -> dict[str, Standing]:
        """Return how the replicas of each release of a workload stand."""
        known = self._standings.get(workload)
        if known is None:
            known = self._standings[workload] = arranged(self._layout.of(workload))
        return known

    def standing(self, workload: str, release: str) -> Standing:
        """Return how the replicas of a release stand."""
        known = self._standings.get(workload)
        return (self.standings(workload) if known is None else known).get(release, _NONE)

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
            return sum(self.ready(workload, each) for each in self.standings(workload))
        staying, standing = self.staying(workload, release), self.standing(workload, release)
        if staying is standing.live:
            return standing.ready
        return sum(each.ready is True for each in staying)

    def live(self, workload: str) -> int:
        """Return how many replicas of a workload live now, of any release."""
        return sum(len(each.live) for each in self.standings(workload).values())

    def carrying(self, workload: str) -> int:
        """Return how many replicas live of the releases that get traffic; a share at risk is one of these."""
        shares = self.facts.shares.get(workload, {})
        taking = {release for release, share in shares.items() if share > 0}
        standings = self.standings(workload)
        return sum(len(each.live) for release, each in standings.items() if not taking or release in taking)

    def remaining(self, workload: str) -> int:
        """Return how many replicas of a workload are not proven gone, draining ones included."""
        standings = self.standings(workload).values()
        coming = len(self.motion.coming_of(workload))
        return coming + sum(len(each.live) + len(each.draining) for each in standings)

    def shifting(self, workload: str) -> bool:
        """Return whether the traffic of a workload is being shared anew right now."""
        return isinstance(self.motion.actions.get(workload), Shift)

    def given(self, workload: str) -> Mapping[str, float]:
        """Return the shares that a workload's releases are being given right now; empty if none are."""
        action = self.motion.actions.get(workload)
        return action.shares if isinstance(action, Shift) else {}

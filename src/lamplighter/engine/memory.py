"""Memory: fold one pass's facts into what is remembered of each workload.

Notes since when things are as they are; judges nothing. A successor that folds the same facts
remembers the same.
"""

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from lamplighter.controllers.load import quiet
from lamplighter.controllers.numbers import active
from lamplighter.controllers.repair import MISSING_GRACE_S, SHORT_LIFE_S, vanished
from lamplighter.controllers.rollout import progress
from lamplighter.controllers.survey import Survey
from lamplighter.engine.samples import Heard, sampled
from lamplighter.engine.settle import starting
from lamplighter.model.facts import PROCESSES, Phase
from lamplighter.model.history import History, Pending, RolloutState, WorkloadHistory
from lamplighter.model.system import Service
from lamplighter.model.value import Instant

REPAIRS_MAX = 500
"""Instants of repairs that are kept for each workload."""


ATTEMPTS_MAX = 50
"""Failures that are kept for each place."""

_Noted = TypeVar("_Noted")


def remember(history: History, survey: Survey) -> History:
    """Return the history with this pass's facts folded in, but for workloads that they are behind on.

    What has not changed stays the very object that it was. Of a workload at rest only its load is noted; of
    one that has left the spec, and of which nothing is left, only what its next replicas must know.
    """
    system = history.system
    if system is None or history.stopped:
        return history
    changed: dict[str, WorkloadHistory] = {}
    for name, memory in survey.among(history.workloads):
        service = system.services.get(name)
        if service is None and survey.silence(PROCESSES) is None and not survey.remaining(name):
            found = retired(memory)
            if found is not memory:
                changed[name] = found
        elif name not in survey.behind:
            found = _remembered(memory, service, survey, name, history.heard)
            if found is not memory:
                changed[name] = found
    for name in survey.stirred:
        memory = history.workloads[name]
        samples = sampled(memory.samples, system.services[name], survey, history.heard)
        if samples is not memory.samples:
            changed[name] = replace(memory, samples=samples)
    workloads = {**history.workloads, **changed} if changed else history.workloads
    pending = {each: _arrived(value, survey) for each, value in history.pending.items()}
    heard = (*history.heard[-1:], survey.now)
    return replace(history, workloads=workloads, pending=pending or history.pending, heard=heard)


def retired(memory: WorkloadHistory) -> WorkloadHistory:
    """Keep of a workload that is no more its releases, and the count of its names, never to be used again."""
    earlier = tuple(dict.fromkeys(each for each in (memory.stable, *memory.earlier) if each))
    kept = WorkloadHistory(earlier=earlier, ordinal=memory.ordinal, acts=memory.acts, drain_s=memory.drain_s)
    return memory if memory == kept else kept


def _arrived(pending: Pending, survey: Survey) -> Pending:
    """Note which of the replicas that an action starts have been seen."""
    starts = starting(pending.decision.chosen.action)
    new = tuple(each for each in starts if each in survey.replicas and each not in pending.arrived)
    return replace(pending, arrived=(*pending.arrived, *new)) if new else pending


def advance(history: History, survey: Survey) -> History:
    """Return the history with each rollout moved on as far as the facts allow."""
    if history.system is None or history.stopping is not None:
        return history
    moved = {}
    for name, memory in survey.among(history.workloads):
        service = history.system.services.get(name)
        if service is None or name in survey.behind:
            continue
        found = progress(memory, service, survey, history)
        if found is not memory:
            moved[name] = found
    return replace(history, workloads={**history.workloads, **moved}) if moved else history


def _remembered(
    memory: WorkloadHistory, service: Service | None, survey: Survey, name: str, heard: Heard
) -> WorkloadHistory:
    memory = _deaths(
        _pruned(_numbered(memory, survey, name), survey, name),
        survey,
        name,
        service.rollout.bake_s if service else 0.0,
    )
    limit = service.resources.memory_bytes if service else 0
    memory = _conditions(memory, survey, name, limit)
    if service is None:
        return memory
    since = survey.now - service.repair.window_s
    return noted(
        memory,
        samples=sampled(memory.samples, service, survey, heard),
        idle_since=_idle_since(memory, service, survey),
        missing_since=_missing(memory, survey, name),
        repairs=_recent(memory.repairs, since),
        restores=_recent(memory.restores, since),
    )


def noted(memory: WorkloadHistory, **changes: object) -> WorkloadHistory:
    """Return the memory with these changes; the same one if nothing differs by them."""
    differing = {
        name: value
        for name, value in changes.items()
        if (was := getattr(memory, name)) is not value and was != value
    }
    return replace(memory, **differing) if differing else memory


def _recent(instants: tuple[Instant, ...], since: Instant) -> tuple[Instant, ...]:
    return tuple(each for each in instants if each > since)[-REPAIRS_MAX:]


def _numbered(memory: WorkloadHistory, survey: Survey, name: str) -> WorkloadHistory:
    """Number the next replica beyond every one that is listed.

    One that was started while no record could be kept, by a maintainer that then died, is not in the
    recording; its name is in use all the same.
    """
    ordinal = memory.ordinal
    for standing in survey.standings(name).values():
        for each in (*standing.live, *standing.draining, *standing.exited):
            if each.id in memory.first_ready or each.id in memory.ended:
                continue
            number = each.id.rpartition("-")[2]
            if number.isdecimal():
                ordinal = max(ordinal, int(number) + 1)
    return memory if ordinal == memory.ordinal else replace(memory, ordinal=ordinal)


def _pruned(memory: WorkloadHistory, survey: Survey, name: str) -> WorkloadHistory:
    """Drop what is remembered of replicas that have not been listed for a while, unless nothing can be told.

    One list may be short: who is left out of it once is not gone, nor has ceased to replace anybody.
    """
    if survey.silence(PROCESSES):
        return memory
    keep = _Keep(survey, name, memory.unlisted_since)
    keep.of(memory.unlisted_since)
    return noted(
        memory,
        first_ready=keep.of(memory.first_ready),
        not_ready_since=keep.of(memory.not_ready_since),
        unknown_since=keep.of(memory.unknown_since),
        over_memory_since=keep.of(memory.over_memory_since),
        ended=keep.of(memory.ended),
        replaced=keep.pairs(memory.replaced),
        attempts=keep.of(memory.attempts),
        wanted={
            release: count
            for release, count in memory.wanted.items()
            if count or survey.count(name, release) or survey.standing(name, release).exited
        },
        unlisted_since=keep.unlisted,
    )


class _Keep:
    """Drops what is noted of replicas that have not been listed for `MISSING_GRACE_S`, or are being stopped.

    `unlisted`: of whom something is kept although they are not listed, since when they are not; if it is no
    more than that they were listed: one that has yet to serve takes its room as well.
    """

    def __init__(self, survey: Survey, name: str, unlisted_since: Mapping[str, Instant]) -> None:
        self._listed = survey.replicas
        self._coming = survey.motion.coming_of(name)
        self._told = survey.motion.told
        self._before = unlisted_since
        self._now = survey.now
        self.unlisted: dict[str, Instant] = {}

    def knows(self, replica: str) -> bool:
        """Return whether a replica is listed, on its way, or was so a moment ago."""
        if replica in self._listed or replica in self._coming:
            return True
        since = self._before.get(replica, self._now)
        if self._now - since >= MISSING_GRACE_S or replica in self._told:
            return False
        self.unlisted[replica] = since
        return True

    def pairs(self, replaced: dict[str, str]) -> dict[str, str]:
        """Return who took whose place, of those of whom both are listed."""
        kept = self.of(replaced)
        return {each: other for each, other in kept.items() if self.knows(other)} if kept else kept

    def of(self, noted: dict[str, _Noted]) -> dict[str, _Noted]:
        """Return `noted` for the replicas that it knows; the same dict if that is all of them."""
        if not noted or noted.keys() <= self._listed.keys() or all(map(self.knows, noted)):
            return noted
        return {each: value for each, value in noted.items() if self.knows(each)}


def _deaths(memory: WorkloadHistory, survey: Survey, name: str, bake_s: float) -> WorkloadHistory:
    """Note replicas that have ended; one that ended soon and unasked counts against its place."""
    if not any(each.exited for each in survey.standings(name).values()):
        return memory
    ended, attempts, lives_s = dict(memory.ended), dict(memory.attempts), []
    rollout = active(memory)
    for release, standing in sorted(survey.standings(name).items()):
        for each in standing.exited:
            if each.id in ended:
                continue
            at = ended[each.id] = each.exit.at if each.exit else survey.now
            if each.draining_since is not None or each.id in survey.motion.leaving:
                continue
            lived_s = at - memory.first_ready.get(each.id, at)
            if rollout is not None and release == rollout.candidate:
                lives_s.append(lived_s)
            if lived_s >= SHORT_LIFE_S:
                attempts.pop(each.id, None)
            else:
                attempts[each.id] = (*attempts.get(each.id, ()), at)[-ATTEMPTS_MAX:]
    if len(ended) == len(memory.ended):
        return memory
    if rollout is not None:
        rollout = replace(rollout, crashes=rollout.crashes + _crashes(rollout, lives_s, bake_s))
    return replace(memory, ended=ended, attempts=attempts, rollout=rollout or memory.rollout)


def _crashes(rollout: RolloutState, lives_s: list[float], bake_s: float) -> int:
    """Return how many of a candidate's ends count against it, by how long each had served.

    Each that came soon; and one of those that came within a bake, since no step is ever over if none lasts
    that long. Several of these at once may well be another's doing. What does not bake has no such bound.
    """
    baked_s = 0.0 if rollout.at_once or rollout.from_zero else bake_s
    soon = sum(each < SHORT_LIFE_S for each in lives_s)
    return max(soon, any(each < baked_s for each in lives_s))


def _conditions(memory: WorkloadHistory, survey: Survey, name: str, limit_bytes: int) -> WorkloadHistory:
    """Note since when each live replica is not ready, not known, or above its memory."""
    now = survey.now
    first = memory.first_ready
    fresh: dict[str, Instant] = {}
    failing: dict[str, Instant] = {}
    unknown: dict[str, Instant] = {}
    over: dict[str, Instant] = {}
    for standing in survey.standings(name).values():
        for each in standing.live:
            if each.ready is True:
                if each.id not in first:
                    fresh[each.id] = now
            elif each.ready is False:
                failing[each.id] = memory.not_ready_since.get(each.id, now)
            if each.ready is None or each.phase is Phase.UNKNOWN:
                unknown[each.id] = memory.unknown_since.get(each.id, now)
            if limit_bytes and each.memory_bytes is not None and each.memory_bytes > limit_bytes:
                over[each.id] = memory.over_memory_since.get(each.id, now)
    return noted(
        memory,
        first_ready=first | fresh if fresh else first,
        not_ready_since=failing,
        unknown_since=unknown,
        over_memory_since=over,
    )


def _idle_since(memory: WorkloadHistory, service: Service, survey: Survey) -> Instant | None:
    """Return since when a workload is known to be asked for nothing; what is not known begins it anew.

    Only kept for one that goes to zero.
    """
    if service.replicas.min > 0 or not quiet(survey.facts.loads.get(service.name)):
        return None
    return survey.now if memory.idle_since is None else memory.idle_since


def _missing(memory: WorkloadHistory, survey: Survey, name: str) -> dict[str, Instant]:
    if survey.silence(PROCESSES):
        return {}
    return {
        release: memory.missing_since.get(release, survey.now)
        for release in memory.wanted
        if vanished(memory, survey, name, release)
    }

"""Rest: which workloads a pass need not look at, since nothing about them can have changed.

A workload is at rest when it stands exactly as it is settled, no action is on its way for it, nothing is
noted against it, and its load asks for the number there is, whichever way its windows lie. Then a pass
notes nothing of it, finds nothing and proposes nothing, until its facts, its memory or the spec change, or
an instant comes that is known beforehand. This is a cache and no part of what is remembered: a step
without it decides the same, to the byte, and looks at everybody.
"""

from collections.abc import Iterator
from itertools import compress, repeat
from math import inf
from operator import gt, ne
from typing import NamedTuple

from lamplighter.controllers.configure import configured
from lamplighter.controllers.layout import Layout, Replicas, who_changed
from lamplighter.controllers.load import before, heard, horizon, needed
from lamplighter.controllers.numbers import EPSILON, active
from lamplighter.controllers.scaling import DOWN_AT, UP_AT, bounded
from lamplighter.controllers.survey import Survey
from lamplighter.engine.samples import continued, reading, same
from lamplighter.engine.settle import workload_of
from lamplighter.model.changes import Columns, at, columns, differing
from lamplighter.model.facts import SOURCES, Facts, Phase
from lamplighter.model.history import History, Sample, WorkloadHistory
from lamplighter.model.system import Service, System
from lamplighter.model.value import Instant

EARLY_S = 1e-3
"""Woken so much before what is due, so that no rounding makes it late."""
MARGIN = 1e-9
"""A mean of numbers within bounds may lie outside them by rounding, never by so much."""

_STANDING = ("phase", "ready", "started_at", "draining_since", "exit")


class Bounds(NamedTuple):
    """Between what the load may lie (in replicas) without asking for another number of them."""

    lowest: float = -inf
    highest: float = inf


class Resting(NamedTuple):
    """One workload at rest: until when at most, and in which bounds of its load (None: whatever it is)."""

    until: Instant
    bounds: Bounds | None


class Rest:
    """The workloads at rest after the last pass, and the facts that this was seen by."""

    def __init__(self) -> None:
        """Begin with everybody awake."""
        self._resting: dict[str, Resting] = {}
        self._system: System | None = None
        self._facts = Facts(at=-inf)
        self._now: Instant = -inf
        self._layout = Layout(())
        self._next = self._layout
        self._changed: list[int] | None = None
        self._limits: dict[str, int] = {}
        self._workloads: dict[str, WorkloadHistory] = {}
        self._awake: set[str] = set()
        self._until: Instant = inf

    def laid_out(self, replicas: Replicas) -> Layout:
        """Return the layout of this pass's replicas, made from the last one's where it can be."""
        last = self._layout
        self._changed = who_changed(last.replicas, replicas)
        self._next = Layout(replicas) if self._changed is None else last.followed(replicas, self._changed)
        return self._next

    def wake(self, history: History, survey: Survey) -> None:
        """Tell the survey which workloads to look at: all that may have changed since the last pass.

        Args:
            history: before this pass's facts are folded in.
            survey: of this pass's facts, knowing what is behind and under way.
        """
        same_world = history.system is self._system and survey.now >= self._now
        if not (same_world and self._resting and _restful(history, survey)):
            return
        if not continued(history.heard, survey.now) or survey.now <= history.heard[-1]:
            return
        facts, ours = survey.facts, history.workloads
        woken = {*self._touched(facts), *self._reshared(facts), *survey.behind}
        woken.update(survey.strangers(ours.keys()), differing(self._workloads, ours), self._due(survey.now))
        stirred = []
        for name in self._reloaded(facts):
            known = self._resting.get(name) if name in ours and name not in woken else None
            moved = known and self._moved(name, known, survey, history)
            if moved is None:
                woken.add(name)
            elif moved:
                stirred.append(name)
        survey.rest(self._awake | woken, stirred)

    def settle(self, history: History, survey: Survey) -> None:
        """Note who is at rest after a pass.

        Args:
            history: after the pass.
            survey: of the pass.
        """
        if history.system is not self._system:
            self._limits = _limits(history.system)
        self._system, self._facts, self._now = history.system, survey.facts, survey.now
        self._layout, self._workloads = self._next, history.workloads
        restful = _restful(history, survey)
        if survey.awake is None or not restful:
            self._resting, self._awake, self._until = {}, set(), inf
        if not restful:
            return
        busy = _busy(history)
        for name in history.workloads if survey.awake is None else survey.awake:
            found = None
            if name in history.workloads and name not in busy:
                found = at_rest(name, history, survey)
            if found is None:
                self._resting.pop(name, None)
                self._awake.add(name)
            else:
                self._resting[name] = found
                self._awake.discard(name)
                self._until = min(self._until, found.until)

    def _due(self, now: Instant) -> list[str]:
        """Return the workloads whose time has come."""
        if now < self._until:
            return []
        self._until = min((each.until for each in self._resting.values() if each.until > now), default=inf)
        return [name for name, each in self._resting.items() if each.until <= now]

    def _reloaded(self, facts: Facts) -> list[str]:
        """Return the workloads whose load is another, or is not known any more."""
        old, new = self._facts.loads, facts.loads
        gone = [] if len(old) <= len(new) and old.keys() <= new.keys() else [*(old.keys() - new.keys())]
        return [*differing(old, new), *gone]

    def _touched(self, facts: Facts) -> Iterator[str]:
        """Yield the workloads of replicas that came, went, or stand otherwise than they did."""
        old, new = self._facts.replicas, facts.replicas
        if self._changed is None:
            yield from _moved_in_or_out(old, new)
            return
        old, new = at(old, self._changed), at(new, self._changed)
        was, now = columns(old), columns(new)
        for field in _STANDING:
            if was[field] != now[field]:
                yield from compress(now["workload"], map(ne, was[field], now[field]))
        yield from self._heavy(now)

    def _heavy(self, replicas: Columns) -> Iterator[str]:
        """Yield the workloads of replicas that use more memory than they may."""
        used, names = replicas["memory_bytes"], replicas["workload"]
        if self._limits and max(filter(None, used), default=0) > min(self._limits.values()):
            limits = map(self._limits.get, names, repeat(inf))
            yield from compress(names, map(gt, [each or 0 for each in used], limits))

    def _reshared(self, facts: Facts) -> Iterator[str]:
        """Yield the workloads whose traffic is shared otherwise than it was."""
        old, new = self._facts.shares, facts.shares
        if old is new:
            return
        for name, shares in new.items():
            if old.get(name) != shares:
                yield name
        yield from old.keys() - new.keys()

    def _moved(self, name: str, known: Resting, survey: Survey, history: History) -> bool | None:
        """Return whether a changed load is to be noted; None if the workload has to be looked at."""
        assert self._system is not None
        service = self._system.services[name]
        if service.scale is None:
            return False
        now_read = reading(service, service.scale, survey)
        samples = history.workloads[name].samples
        if samples and same(samples[-1], now_read):
            return False
        if known.bounds is None:
            return True
        need = needed(now_read, service.scale, service.resources)
        if need is None or not known.bounds.lowest < need < known.bounds.highest:
            return None
        return True if history.heard[-1] > survey.now - service.scale.panic_window_s else None


def at_rest(name: str, history: History, survey: Survey) -> Resting | None:
    """Return a workload that is at rest, None for one that has to be looked at again.

    1. It has one release, which has all the traffic, and no rollout is under way.
    2. As many of it live as are settled, within the spec's bounds, and every one is known to serve.
    3. Nothing is noted of a replica but that it was ready once: none is too large or was replaced.
    4. Its load has been within the bounds that ask for this very number, in all that the windows see.
    5. Repairs that are counted against it are forgotten at an instant that is known.
    6. It does not go to zero: the time of one that does runs while nothing changes.

    Args:
        name: a workload that no action is under way for.
        history: after the pass.
        survey: of the pass, in which no source is silent.
    """
    assert history.system is not None
    service, memory = history.system.services.get(name), history.workloads[name]
    if service is None or name in survey.behind or not _settled(service, memory):
        return None
    if service.replicas.min == 0:
        return None
    if not _standing(service, memory, survey):
        return None
    if len(memory.repairs) > service.repair.attempts * memory.capacity:
        return None
    instants = (*memory.repairs[:1], *memory.restores[:1])
    until = min(instants, default=inf) + service.repair.window_s - EARLY_S
    if service.scale is None or service.replicas.min == service.replicas.max:
        return Resting(until, None)
    bounds = Bounds(_lowest(service, memory.capacity), memory.capacity * UP_AT * (1 - MARGIN))
    return Resting(until, bounds) if _within(bounds, service, history, survey) else None


def _restful(history: History, survey: Survey) -> bool:
    """Return whether anybody can be at rest: all goes on as the spec in force says, and all is known."""
    if history.system is None or history.stopped or history.stopping is not None:
        return False
    return not any(map(survey.silence, SOURCES)) and configured(history.system, survey)


def _limits(system: System | None) -> dict[str, int]:
    """Return how much memory a replica of each workload may use, where there is a limit."""
    services = system.services if system else {}
    return {
        name: each.resources.memory_bytes for name, each in services.items() if each.resources.memory_bytes
    }


def _busy(history: History) -> set[str]:
    return {workload_of(each.decision.chosen.action) for each in history.pending.values()}


def _moved_in_or_out(old: Replicas, new: Replicas) -> Iterator[str]:
    before, after = set(map(id, old)), set(map(id, new))
    yield from (each.workload for each in new if id(each) not in before)
    yield from (each.workload for each in old if id(each) not in after)


def _settled(service: Service, memory: WorkloadHistory) -> bool:
    """Return whether one release is settled, and nothing is noted against its replicas."""
    capacity = memory.capacity
    if active(memory) is not None or memory.wanted != {memory.stable: capacity}:
        return False
    noted = memory.over_memory_since or memory.replaced or memory.unlisted_since
    return bounded(service, capacity) == capacity and not noted


def _standing(service: Service, memory: WorkloadHistory, survey: Survey) -> bool:
    """Return whether what is settled is what stands, serves and gets the traffic.

    Then none has ended, is missing, fails or is unknown: what is noted of that need not be looked at.
    """
    standings = survey.standings(service.name)
    standing = standings.get(memory.stable)
    if standing is None or len(standings) > 1 or standing.exited or standing.draining:
        return False
    shares = survey.facts.shares.get(service.name, {})
    if not len(standing.live) == standing.ready == memory.capacity:
        return False
    if len(shares) != 1 or not shares.get(memory.stable, 0.0) > 0:
        return False
    return all(each.phase is not Phase.UNKNOWN for each in standing.live)


def _lowest(service: Service, capacity: int) -> float:
    """Return the need below which fewer would do; `scaling` never goes below `min`."""
    if capacity <= service.replicas.min:
        return -inf
    return (capacity - 1 + EPSILON) * DOWN_AT * (1 + MARGIN)


def _within(bounds: Bounds, service: Service, history: History, survey: Survey) -> bool:
    """Return whether the load is known, and asked for no other number in all that the windows see."""
    scale, samples, now = service.scale, history.workloads[service.name].samples, survey.now
    assert scale is not None
    since, end = horizon(scale, now), now
    for each in reversed(samples):
        if end <= since:
            break
        if not _asks(each, end, bounds, service, now):
            return False
        end = each.at
    return heard(samples, service, now, before(history))


def _asks(sample: Sample, end: Instant, bounds: Bounds, service: Service, now: Instant) -> bool:
    """Return whether a sample asks for the number there is; one that is not known must be long past."""
    assert service.scale is not None
    need = needed(sample, service.scale, service.resources)
    if need is None:
        return end <= now - service.scale.panic_window_s
    return bounds.lowest < need < bounds.highest

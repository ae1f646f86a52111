"""The past: what a recording tells of a time, so that it can be lived through again under another policy.

Loads, orders, deaths, hangs and silences of sources are taken from it at their instants; what an app is
like (how long it starts, how long it works on a request) is estimated from how it fared. What a decision
of then has caused is not taken over: the simulated loop decides for itself.
"""

from collections.abc import Iterable
from statistics import median

from msgspec.structs import replace

from lamplighter.model.errors import UserError
from lamplighter.model.facts import FACT_AGE_MAX_S, Facts, Phase, Replica
from lamplighter.model.history import History
from lamplighter.model.intents import Approve, Down, Intent, Rollback, Up
from lamplighter.model.passes import Inputs
from lamplighter.model.system import Service
from lamplighter.model.value import Instant
from lamplighter.ports import Recorded
from lamplighter.targets.simulated import App, Demand, Trouble
from lamplighter.targets.simulated.silences import SOURCES
from lamplighter.testing.rehearsal import SYSTEM, Past, Policy
from lamplighter.testing.story import Order

BIN_S = 10.0
"""Loads are averaged over so long."""
AWAY_S = 15.0
"""Between two passes so far apart there was no maintainer."""
BUSY = 0.5
"""Requests in flight, or cores, below which a reading says little of one request."""


def past(passes: Iterable[Recorded], policy: Policy = lambda each: each, *, hours: float = 0.0) -> Past:
    """Return what a recording tells.

    Args:
        passes: of it, in order.
        policy: what is to be wanted instead of what was.
        hours: the last so many of it; 0 is all.

    Raises:
        UserError: nothing was wanted in that time (`nothing-recorded`).
    """
    reader = _Reader(policy)
    for each in passes:
        reader.read(each)
    return reader.told(hours)


class _Reader:
    """Reads passes one by one."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._began: Instant | None = None
        self._now: Instant = 0.0
        self._orders: list[Order] = []
        self._services: dict[str, Service] = {}
        self._troubles: list[Trouble] = []
        self._before: dict[str, Replica] = {}
        self._starts_s: dict[str, list[float]] = {}
        self._started: set[str] = set()
        self._hanging: dict[str, Instant] = {}
        self._silent: dict[str, Instant] = {}
        self._bins: dict[str, dict[int, list[float]]] = {}
        self._works_s: dict[str, list[float]] = {}
        self._slots: dict[str, list[float]] = {}

    def read(self, recorded: Recorded) -> None:
        """Take a pass in."""
        inputs = recorded.inputs
        if self._began is None:
            self._began = inputs.now
            self._stood(recorded.before or History())
        at = inputs.now - self._began
        if at - self._now > AWAY_S:
            self._befell("killed", self._now, at - self._now)
        self._now = at
        for intent in inputs.intents:
            self._ordered(intent, at)
        self._heard(inputs, at)
        self._lived(inputs.facts, at)
        self._asked(inputs.facts, at)

    def told(self, hours: float) -> Past:
        """Return what all of it comes to."""
        wanted = next((each.intent.system for each in self._orders if isinstance(each.intent, Up)), None)
        if wanted is None:
            raise UserError(
                "nothing was wanted in the recorded time",
                code="nothing-recorded",
                mend="take a longer part, or one from after `lamp up`",
            )
        for replica, since in self._hanging.items():
            self._befell("hang", since, self._now - since, self._before[replica].workload)
        for source, since in self._silent.items():
            if self._now - since > FACT_AGE_MAX_S:
                self._befell("silent", since, self._now - since, source)
        whole = Past(
            system=wanted,
            length_s=self._now,
            apps={name: self._app(name) for name in self._services},
            orders=tuple(self._orders),
            troubles=tuple(sorted(self._troubles, key=lambda each: each.at)),
        )
        return _last(whole, hours * 3600.0) if 0 < hours * 3600.0 < self._now else whole

    # --- what people ordered

    def _stood(self, before: History) -> None:
        """Begin with what was wanted already."""
        if before.system is not None:
            stable = {name: each.stable for name, each in before.workloads.items() if each.stable}
            self._ordered(Up(id="up-before", system=before.system, releases=stable, by="a person"), 0.0)

    def _ordered(self, intent: Intent, at: Instant) -> None:
        if isinstance(intent, Approve):
            return  # whoever is asked in the simulation says yes
        if isinstance(intent, Up):
            system = replace(self._policy(intent.system), name=SYSTEM)
            self._services |= system.services
            intent = replace(intent, system=system, basis="")
        if isinstance(intent, Up | Rollback | Down):
            self._orders.append(Order(at=round(at, 2), intent=intent))

    # --- what went wrong

    def _befell(self, kind: str, at: Instant, for_s: float = 0.0, subject: str = "") -> None:
        self._troubles.append(Trouble(kind=kind, at=round(at, 2), for_s=round(for_s, 2), subject=subject))

    def _heard(self, inputs: Inputs, at: Instant) -> None:
        """Note which sources were silent, and for how long."""
        for name in SOURCES:
            silence = inputs.facts.silence(name, inputs.now)
            if silence is not None:
                self._silent.setdefault(name, at)
            elif (since := self._silent.pop(name, None)) is not None and at - since > FACT_AGE_MAX_S:
                self._befell("silent", since, at - since, name)

    def _lived(self, facts: Facts, at: Instant) -> None:
        """Note who died unordered, who hung, and how long starts took."""
        for each in facts.replicas:
            was = self._before.get(each.id)
            self._before[each.id] = each
            if each.phase is Phase.EXITED:
                if was is not None and was.live and was.draining_since is None:
                    self._befell("crash", at, 0.0, each.workload)
                self._hanging.pop(each.id, None)
                continue
            if each.ready:
                if each.id not in self._started:
                    self._started.add(each.id)
                    self._starts_s.setdefault(each.workload, []).append(facts.at - each.started_at)
                if (since := self._hanging.pop(each.id, None)) is not None and at > since:
                    self._befell("hang", since, at - since, each.workload)
            elif each.ready is False and each.live and was is not None and was.ready:
                self._hanging[each.id] = at

    # --- what was asked

    def _asked(self, facts: Facts, at: Instant) -> None:
        for name, load in facts.loads.items():
            rate, busy = load.rate_per_s, load.in_flight
            if rate is not None:
                self._bins.setdefault(name, {}).setdefault(int(at / BIN_S), []).append(rate)
            if rate and busy and busy >= BUSY:
                self._works_s.setdefault(name, []).append(busy / rate)
            elif rate and load.latency_p50_s:
                self._works_s.setdefault(name, []).append(load.latency_p50_s)
            if busy and busy >= BUSY and load.cpu and load.cpu >= BUSY:
                self._slots.setdefault(name, []).append(busy / load.cpu)

    def _app(self, name: str) -> App:
        """Estimate what an app is like; what nothing is known of is as an app usually is."""
        usual = App()
        starts_s, works_s = self._starts_s.get(name, ()), self._works_s.get(name, ())
        slots = self._slots.get(name, ())
        return App(
            service_s=round(max(1e-3, median(works_s)), 4) if works_s else usual.service_s,
            slots=max(1, round(median(slots))) if slots else usual.slots,
            start_s=round(max(0.05, median(starts_s)), 2) if starts_s else usual.start_s,
            demand=Demand(points=self._points(name)),
        )

    def _points(self, name: str) -> tuple[tuple[Instant, float], ...]:
        bins = sorted(self._bins.get(name, {0: [0.0]}).items())
        points = [
            (round((number + 0.5) * BIN_S, 1), round(sum(each) / len(each), 3)) for number, each in bins
        ]
        return tuple(
            point
            for at, point in enumerate(points)
            if at in (0, len(points) - 1) or {points[at - 1][1], points[at + 1][1]} != {point[1]}
        )


def _last(whole: Past, length_s: float) -> Past:
    """Return the last part of a time; what was wanted before it is ordered at its start."""
    since = whole.length_s - length_s
    before = [each for each in whole.orders if each.at <= since]
    ups = [each.intent for each in before if isinstance(each.intent, Up)]
    releases = {name: release for up in ups for name, release in up.releases.items()}
    first = [Order(at=0.0, intent=replace(ups[-1], releases=releases))] if ups else []
    return Past(
        system=ups[-1].system if ups else whole.system,
        length_s=length_s,
        apps={name: replace(each, demand=_since(each.demand, since)) for name, each in whole.apps.items()},
        orders=(*first, *(replace(each, at=each.at - since) for each in whole.orders if each.at > since)),
        troubles=tuple(replace(each, at=each.at - since) for each in whole.troubles if each.at > since),
    )


def _since(demand: Demand, since: Instant) -> Demand:
    later = tuple((round(at - since, 1), rate) for at, rate in demand.points if at > since)
    return replace(demand, points=((0.0, demand.rate_per_s(since)), *later))

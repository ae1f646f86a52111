"""Rehearsals: a person's own system on a world that does not exist, and how its users would fare there.

What is asked of it and what befalls it is drawn from a seed, or is what a recording tells of the past.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, exp, log

from msgspec.structs import replace

from lamplighter.engine.freeze import frozen
from lamplighter.model.intents import Down, Up
from lamplighter.model.system import Service, System
from lamplighter.model.value import Value
from lamplighter.targets.simulated import App, Chance, Trouble, World
from lamplighter.targets.simulated.apps import capacity_per_s
from lamplighter.targets.simulated.journal import Applied, Event
from lamplighter.targets.simulated.traffic import BACKLOG_S_MAX, WAITING_MAX, Stream
from lamplighter.testing import plot
from lamplighter.testing.checkers import Checker, NoFlapping, all_checkers
from lamplighter.testing.nearness import kind_of
from lamplighter.testing.report import Parts, Report
from lamplighter.testing.simulation import Simulation
from lamplighter.testing.story import HOUR_S, SETTLING_S, Order, Story
from lamplighter.testing.virtual import wall_of

Policy = Callable[[System], System]
"""What another policy makes of a system."""

STEP_S = 1.0
"""How the users fare is looked at so often."""
SYSTEM = "sim"
ROOM_BYTES = 256 << 20
ACTIONS_EACH = 12
"""What a service may still need at the end, each waiting for the budget."""
START_PART = 3
"""A start takes no more than a third of what a service has for it: chance makes it half as long again."""
_FINE = 8
"""Latencies are counted in steps of a factor of e^(1/8), 13%."""


class Past(Value):
    """A time that was recorded, from instant 0 on: what was asked, ordered and went wrong."""

    system: System
    length_s: float
    apps: dict[str, App] = {}
    orders: tuple[Order, ...] = ()
    troubles: tuple[Trouble, ...] = ()


@dataclass(slots=True)
class Fare:
    """How the users of one service fared; adds up.

    `asked` and `lost` are requests, `replica_s` replicas times seconds, `waited_s` seconds in which requests
    waited for a first replica, `longest_s` the longest time in which none could serve. `p99s` counts the
    seconds at each 99th percentile of latency, by its logarithm.
    """

    asked: float = 0.0
    lost: float = 0.0
    replica_s: float = 0.0
    seconds: float = 0.0
    waited_s: float = 0.0
    longest_s: float = 0.0
    least: int | None = None
    most: int = 0
    p99s: Counter[int] = field(default_factory=Counter)

    def add(self, other: "Fare") -> None:
        """Count another in."""
        for name in ("asked", "lost", "replica_s", "seconds", "waited_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest_s, self.most = max(self.longest_s, other.longest_s), max(self.most, other.most)
        known = [each for each in (self.least, other.least) if each is not None]
        self.least = min(known, default=None)
        self.p99s += other.p99s

    @property
    def answered(self) -> float:
        """Return the share of requests that were answered; 1 where nothing was asked."""
        return 1.0 - self.lost / self.asked if self.asked else 1.0

    @property
    def replicas(self) -> float:
        """Return how many replicas there were on average."""
        return self.replica_s / self.seconds if self.seconds else 0.0

    def latency_s(self, quantile: float) -> float | None:
        """Return the p99 latency that so large a share of all seconds stayed within; None if unknown."""
        left = quantile * self.p99s.total()
        for step, count in sorted(self.p99s.items()):
            left -= count
            if left <= 0:
                return exp(step / _FINE)
        return None


@dataclass(slots=True)
class Rehearsal:
    """How one run went: the simulation's report, what was done, and how the users fared."""

    report: Report
    actions: Counter[str] = field(default_factory=Counter)
    fares: dict[str, Fare] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardship:
    """How long a drawn run is, how many troubles an hour befall it, and of which kinds (none: of all)."""

    hours: float = 1.0
    troubles: float = 8.0
    kinds: tuple[str, ...] = ()


def drawn(system: System, policy: Policy, seed: int, hardship: Hardship) -> Story:
    """Draw what befalls a system: loads that move its numbers, a release of each service, and troubles.

    Args:
        system: as wanted at one site; what is drawn goes by it alone, so that policies can be compared.
        policy: what is wanted in its place.
        seed: every draw comes from it.
        hardship: how long, and how much.
    """
    chance, length_s = Chance(seed), hardship.hours * HOUR_S
    draw = chance.stream("rehearsal")
    befallen, system = system, replace(policy(system), name=SYSTEM)
    first = {name: f"r-{name}-1" for name in system.services}
    orders = [Order(at=0.0, intent=Up(id="up-1", system=system, releases=first, by="a person"))]
    for name in system.services:
        up = Up(id=f"up-{name}", system=system, releases={name: f"r-{name}-2"}, by="a person")
        orders.append(Order(at=round(draw.uniform(0.1, 0.8) * length_s, 1), intent=up))
    orders.sort(key=lambda each: each.at)
    past = Past(
        system=system,
        length_s=length_s,
        apps={name: plot.app(chance, each, length_s) for name, each in befallen.services.items()},
        orders=tuple(orders),
        troubles=plot.some(
            chance, befallen, round(hardship.troubles * hardship.hours), length_s, hardship.kinds
        ),
    )
    return story_of(past)


def story_of(past: Past) -> Story:
    """Return what happened as a story; it ends once the slowest rollout could have.

    How much memory an app needs is not known: no limit is below what a simulated one has.
    """
    slowest = (
        len(each.rollout.steps) * (each.rollout.bake_s + each.drain_s) + each.health.start_timeout_s
        for each in past.system.services.values()
    )
    guards = past.system.guards
    budget_s = ACTIONS_EACH * len(past.system.services) * guards.window_s / guards.actions
    end_at = past.length_s + SETTLING_S + 2 * max(slowest, default=0.0) + budget_s
    return Story(
        apps={name: _starting(each, past.system.services.get(name)) for name, each in past.apps.items()},
        troubles=past.troubles,
        orders=tuple(map(_roomy, past.orders)),
        calm_at=past.length_s,
        end_at=end_at,
        wall_at_s=_thawed_s(past.system, end_at),
        hints=True,
    )


def _starting(app: App, service: Service | None) -> App:
    """Return an app that starts in the time that its service has for it."""
    within_s = service.health.start_timeout_s / START_PART if service else app.start_s
    return replace(app, start_s=min(app.start_s, within_s))


def _roomy(order: Order) -> Order:
    if not isinstance(order.intent, Up):
        return order
    services = {name: _with_room(each) for name, each in order.intent.system.services.items()}
    system = replace(order.intent.system, services=services)
    return replace(order, intent=replace(order.intent, system=system))


def _with_room(service: Service) -> Service:
    asked = service.resources
    if not asked.memory_bytes:
        return service
    return replace(service, resources=replace(asked, memory_bytes=max(asked.memory_bytes, ROOM_BYTES)))


def _thawed_s(system: System, length_s: float) -> float:
    """Return the first hour of the week from which nothing is frozen for so long; Monday if there is none."""
    looks = range(0, ceil(length_s) + 60, 60)
    for hour in range(7 * 24 if system.freeze else 0):
        if not any(frozen(system, wall_of(hour * HOUR_S + each)) for each in looks):
            return hour * HOUR_S
    return 0.0


def rehearse(story: Story, seed: int, *, lines: int = 40) -> Rehearsal:
    """Run a story, and see how the users fare until it is calm.

    Args:
        story: what happens.
        seed: of everything in the world that is left to chance.
        lines: how many of the last events the report shows.
    """
    running = Simulation(story, seed, Parts(trace_lines=lines, checkers=_checkers))
    account = _Account(running.world, story)
    running.world.listeners.append(account.heard)
    running.at(STEP_S, account.look)
    report = running.report()
    return Rehearsal(report, account.actions, account.fares)


def _checkers() -> list[Checker]:
    """Return all but one: where a goal asks more of a replica than it can do, a number has to swing."""
    return [each for each in all_checkers() if not isinstance(each, NoFlapping)]


class _Account:
    """Looks at the users of each service once a second."""

    def __init__(self, world: World, story: Story) -> None:
        self.actions: Counter[str] = Counter()
        self.fares = {name: Fare() for name in story.apps}
        self._world, self._story = world, story
        self._down_s = dict.fromkeys(story.apps, 0.0)
        self._up: set[str] = set()
        self._orders = [each for each in story.orders if isinstance(each.intent, Up | Down)]

    def heard(self, event: Event) -> None:
        """Count an action that took effect."""
        if isinstance(event, Applied) and event.at <= self._story.calm_at:
            self.actions[kind_of(event.action)] += 1

    def look(self) -> None:
        """Look at everyone, and again a second later; while all is down by order nobody asks."""
        if self._world.now + STEP_S <= self._story.calm_at:
            self._world.at(self._world.now + STEP_S, self.look)
        if self._down():
            self._up.clear()
            return
        streams = self._world.traffic.streams(self._world.now)
        live = Counter(each.workload for each in self._world.bodies.values() if each.live)
        for name, fare in self.fares.items():
            self._count(name, fare, live[name])
            serving = [each for each in streams.get(name, {}).values() if each.bodies]
            if not serving:
                self._nobody(name, fare)
                continue
            self._up.add(name)
            self._down_s[name] = 0.0
            whole = sum(each.rate_per_s for each in serving)
            lost = sum(each.rate_per_s * self._lost(each) for each in serving)
            fare.lost += self._asked(name) * lost / whole if whole else 0.0
            slowest = max(each.flow.latency_p99_s for each in serving)
            fare.p99s[round(log(max(slowest, 1e-3)) * _FINE)] += 1

    def _down(self) -> bool:
        before = [each for each in self._orders if each.at <= self._world.now]
        return not before or isinstance(before[-1].intent, Down)

    def _asked(self, name: str) -> float:
        return self._world.traffic.demand_per_s(name, self._world.now) * STEP_S

    def _count(self, name: str, fare: Fare, live: int) -> None:
        fare.asked += self._asked(name)
        fare.replica_s += live * STEP_S
        fare.seconds += STEP_S
        fare.most = max(fare.most, live)
        if name in self._up:
            fare.least = live if fare.least is None else min(fare.least, live)

    def _lost(self, stream: Stream) -> float:
        """Return the share that hangs, fails, or finds the queue full."""
        bodies = stream.bodies
        ill = sum(body.failing or body.hung for body in bodies) / len(bodies)
        capacity = capacity_per_s(self._world.traffic.app_of(bodies[0]), len(bodies))
        full = stream.flow.queued >= BACKLOG_S_MAX * capacity and stream.rate_per_s > capacity
        return max(ill, 1.0 - capacity / stream.rate_per_s if full else 0.0)

    def _nobody(self, name: str, fare: Fare) -> None:
        """Requests wait where the service may go to zero, else they are lost; before its first start none."""
        if name not in self._up:
            fare.asked -= self._asked(name)
            return
        waiting = self._world.traffic.waiting.get(name, 0.0)
        if name in self._world.traffic.sleepers and waiting < WAITING_MAX:
            fare.waited_s += STEP_S if waiting else 0.0
            return
        fare.lost += self._asked(name)
        self._down_s[name] += STEP_S
        fare.longest_s = max(fare.longest_s, self._down_s[name])

"""Stories: what a simulated run is about: a system, its apps, what people order, and what goes wrong.

A story is a value: written by hand for a named scenario, or drawn from a seed.
"""

from msgspec.structs import replace

from lamplighter.model.intents import Down, Intent, Rollback, Up
from lamplighter.model.system import (
    Guards,
    Health,
    Range,
    Repair,
    Resources,
    RolloutPolicy,
    Run,
    Scale,
    Service,
    System,
)
from lamplighter.model.value import Instant, Value
from lamplighter.targets.simulated import Ailment, App, Chance, Demand, Faults, drawn

NAMES = ("search", "model", "front")
MEMORY_BYTES = 256 << 20
GOAL = 8.0
BAD_RELEASES = (
    Ailment(crash_at_start_p=1.0),
    Ailment(crash_at_start_p=0.5),
    Ailment(never_ready=True),
    Ailment(slower_times=1.5),
)
"""The second may get lucky and the last only costs more; the others must never be what a run ends with."""


class Order(Value):
    """What a person asks for, and when."""

    at: Instant
    intent: Intent


class Story(Value):
    """A whole run. Faults end at `calm_at`; by `end_at` everything must have come to rest.

    `ailing` are releases that are bad: the run must not end on one where there is a better.
    """

    apps: dict[str, App] = {}
    ailing: dict[str, Ailment] = {}
    faults: Faults = Faults()
    orders: tuple[Order, ...] = ()
    calm_at: Instant = 300.0
    end_at: Instant = 900.0


def story(seed: int) -> Story:
    """Draw a story from a seed: one to three workloads, some rollouts good and bad, and a storm."""
    chance = Chance(seed)
    draw = chance.stream("story")
    names = NAMES[: draw.randint(1, len(NAMES))]
    calm_at = 300.0
    services = {name: _service(chance, name) for name in names}
    system = System(name="sim", services=services, guards=_guards(chance))
    apps = {name: _app(chance, service, calm_at) for name, service in services.items()}
    orders, ailing = _orders(chance, system, calm_at)
    return Story(
        apps=apps,
        ailing=ailing,
        faults=drawn(chance),
        orders=orders,
        calm_at=calm_at,
        end_at=calm_at + 600.0,
    )


def _service(chance: Chance, name: str) -> Service:
    draw = chance.stream(f"service/{name}")
    least = draw.randint(1, 3)
    scales = draw.random() < 0.8  # noqa: PLR2004 - most services scale
    most = least + draw.randint(1, 5) if scales else least
    by_rate = draw.random() < 1 / 3
    scale = Scale(on="rate" if by_rate else "in_flight", goal=40.0 if by_rate else GOAL, window_s=30.0)
    needs = (NAMES[NAMES.index(name) - 1],) if name != NAMES[0] and draw.random() < 1 / 3 else ()
    return Service(
        name=name,
        run=Run(kind="command", value=f"serve {name}"),
        replicas=Range(min=least, max=most),
        scale=scale if scales else None,
        resources=Resources(memory_bytes=MEMORY_BYTES),
        health=Health(path="/healthz", start_timeout_s=draw.choice((20.0, 40.0))),
        drain_s=draw.choice((5.0, 12.0, 30.0)),
        rollout=RolloutPolicy(
            steps=draw.choice(((0.05, 0.25, 1.0), (0.5, 1.0), (1.0,))),
            bake_s=draw.choice((3.0, 10.0, 20.0)),
            surge=draw.choice((0, 1, 1, 2)),
        ),
        repair=Repair(attempts=draw.randint(2, 5), window_s=120.0),
        needs=needs,
    )


def _guards(chance: Chance) -> Guards:
    draw = chance.stream("guards")
    return Guards(
        actions=draw.choice((25, 60, 120)),
        window_s=120.0,
        at_risk=draw.choice((0.25, 0.5, 0.5, 1.0)),
        approve_above=draw.choice((0.4, 1.0, 1.0)),
    )


def _app(chance: Chance, service: Service, calm_at: Instant) -> App:
    draw = chance.stream(f"app/{service.name}")
    service_s = draw.choice((0.03, 0.1, 0.3))
    goal = service.scale.goal if service.scale else GOAL
    per_replica = goal / service_s if service.scale is None or service.scale.on == "in_flight" else goal
    rates = [draw.uniform(0.1, 0.9) * per_replica * service.replicas.max for _ in range(4)]
    times = sorted(draw.uniform(20.0, calm_at) for _ in range(3))
    points = [(0.0, rates[0])]
    for at, rate in zip(times, rates[1:], strict=True):
        ramp_s = draw.choice((1.0, 30.0))
        points += [(max(at, points[-1][0]), points[-1][1]), (max(at, points[-1][0]) + ramp_s, rate)]
    return App(
        service_s=service_s,
        start_s=draw.choice((0.5, 2.0, 5.0)),
        long_p=draw.choice((0.0, 0.0, 0.01)),
        long_s=4.0,
        demand=Demand(points=tuple(points), burst_every_s=draw.choice((0.0, 120.0))),
    )


def _orders(chance: Chance, system: System, calm_at: Instant) -> tuple[tuple[Order, ...], dict[str, Ailment]]:
    draw = chance.stream("orders")
    releases = {name: f"r-{name}-1" for name in system.services}
    orders = [Order(at=0.0, intent=Up(id="up-1", system=system, releases=releases, by="a person"))]
    ailing: dict[str, Ailment] = {}
    for number in range(2, 2 + draw.randint(0, 3)):
        at, name = draw.uniform(30.0, calm_at), draw.choice(sorted(system.services))
        kind = draw.choice(("release", "release", "bad", "rollback", "bounds"))
        if kind == "rollback":
            orders.append(Order(at=at, intent=Rollback(id=f"back-{number}", workload=name, by="a person")))
            continue
        if kind == "bounds":
            system = _rebounded(system, name, draw.randint(1, 4))
            releases = {}
        else:
            releases = {name: f"r-{name}-{number}"}
        if kind == "bad":
            ailing[f"r-{name}-{number}"] = draw.choice(BAD_RELEASES)
        up = Up(id=f"up-{number}", system=system, releases=releases, by="a person")
        orders.append(Order(at=at, intent=up))
    if draw.random() < 0.1:  # noqa: PLR2004 - few runs end with everything down
        orders.append(Order(at=calm_at - 5.0, intent=Down(id="down", by="a person")))
    return tuple(sorted(orders, key=lambda each: each.at)), ailing


def _rebounded(system: System, name: str, least: int) -> System:
    service = system.services[name]
    most = max(least, service.replicas.max)
    changed = replace(service, replicas=Range(min=least, max=most))
    return replace(system, services={**system.services, name: changed})

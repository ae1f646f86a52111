"""Plots: what a story is drawn from: systems, apps, loads, orders and troubles, each from a seed's chance.

Every seed has some kinds of trouble and not others, and often two close together or close to an order, so
that rare combinations come up ("swarm testing", Groce et al., ISSTA 2012).
"""

from math import exp, log
from typing import NamedTuple

from msgspec.structs import replace

from lamplighter.model.intents import Down, Intent, Rollback, Up
from lamplighter.model.system import (
    Freeze,
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
from lamplighter.model.value import Instant
from lamplighter.targets.simulated import Ailment, App, Chance, Demand, Faults, Trouble
from lamplighter.targets.simulated.silences import SOURCES
from lamplighter.targets.simulated.troubles import EVERYTHING, KINDS, OUTAGES, Sort

NAMES = ("search", "model", "front", "index", "chat", "vision")
MEMORY_BYTES = 256 << 20
GOAL = 8.0
HOUR_S = 3600.0
FIRST_S = 30.0
"""Before this nothing goes wrong and nothing new is ordered."""
BAD_RELEASES = (
    Ailment(crash_at_start_p=1.0),
    Ailment(crash_at_start_p=0.5),
    Ailment(never_ready=True),
    Ailment(crash_after_s=20.0),
    Ailment(slower_times=1.5),
)
"""Some may get lucky, the last only costs more; no run may end with the first or the third."""


class Beat(NamedTuple):
    """How often the loop makes a pass, and whether it is told of changes."""

    interval_s: float
    busy_s: float
    hints: bool


def beat(chance: Chance) -> Beat:
    """Draw how fast the loop of a run goes: mostly calmly and woken by hints, sometimes fast."""
    draw = chance.stream("beat")
    (interval_s,) = draw.choices((0.5, 1.0, 2.0, 3.0, 4.0), weights=(1, 3, 6, 10, 20))
    busy_s = min(interval_s, draw.choice((0.4, 1.0, 2.0, 2.0)))
    return Beat(interval_s, busy_s, interval_s > 1 or draw.random() < 1 / 2)


# --- what is wanted


def system(chance: Chance, pace: Beat, length_s: float) -> System:
    """Draw a system of three to six services, its guards and its freeze windows."""
    draw = chance.stream("story")
    names = NAMES[: draw.choice((3, 3, 3, 4, 4, 5, 6))]
    services = {name: _service(chance, name, pace) for name in names}
    return System(name="sim", services=services, guards=_guards(chance), freeze=_freeze(chance, length_s))


def _service(chance: Chance, name: str, pace: Beat) -> Service:
    draw = chance.stream(f"service/{name}")
    least = draw.choice((1, 1, 2, 2, 3))
    scales = draw.random() < 3 / 4
    most = least + draw.choice((0, 1, 2, 3, 5)) if scales else least
    needs = (NAMES[NAMES.index(name) - 1],) if name != NAMES[0] and draw.random() < 1 / 3 else ()
    return Service(
        name=name,
        run=Run(kind="command", value=f"serve {name}"),
        replicas=Range(min=least, max=most),
        scale=_scale(chance, name, pace) if scales else None,
        resources=Resources(cpu=1.0, memory_bytes=MEMORY_BYTES),
        health=Health(
            path="/healthz",
            start_timeout_s=draw.choice((20.0, 40.0, 60.0)),
            unhealthy_after_s=draw.choice((1.0, 3.0, 10.0)),
        ),
        drain_s=draw.choice((5.0, 12.0, 30.0)),
        rollout=RolloutPolicy(
            steps=draw.choice(((0.05, 0.25, 1.0), (0.5, 1.0), (0.1, 0.3, 0.6, 1.0), (1.0,))),
            bake_s=draw.choice((3.0, 10.0, 20.0, 60.0)),
            surge=draw.choice((0, 1, 1, 2)),
        ),
        repair=Repair(
            attempts=draw.randint(2, 5),
            window_s=draw.choice((120.0, 300.0)),
            backoff_s=draw.choice((1.0, 1.0, 4.0)),
        ),
        needs=needs,
    )


def _scale(chance: Chance, name: str, pace: Beat) -> Scale:
    draw = chance.stream(f"scale/{name}")
    on, goal = draw.choice((("in_flight", GOAL),) * 5 + (("rate", 40.0),) * 3 + (("cpu", 0.6),) * 2)
    window_s = draw.choice((30.0, 60.0) if pace.interval_s <= 1 else (60.0, 120.0))
    return Scale(on=on, goal=goal, window_s=window_s, panic_window_s=max(6.0, 4 * pace.interval_s))  # type: ignore[arg-type]


def _guards(chance: Chance) -> Guards:
    draw = chance.stream("guards")
    return Guards(
        actions=draw.choice((12, 25, 60, 120)),
        window_s=draw.choice((60.0, 120.0)),
        at_risk=draw.choice((0.25, 0.5, 0.5, 1.0)),
        approve_above=draw.choice((0.3, 0.4, 1.0, 1.0)),
    )


def _freeze(chance: Chance, length_s: float) -> tuple[Freeze, ...]:
    """Draw a window of some minutes within the run, wherever in the week that lies."""
    draw = chance.stream("freeze")
    if draw.random() >= 1 / 4 or length_s < HOUR_S / 2:
        return ()
    starts = [(base + draw.randrange(2, 40)) % (7 * 24 * 60) for base in (0, 1422, 10056)]
    return tuple(
        Freeze(start_min=start, end_min=(start + draw.randrange(2, 16)) % (7 * 24 * 60)) for start in starts
    )


# --- what runs, and what is asked of it


def app(chance: Chance, service: Service, length_s: float) -> App:
    """Draw what runs in a service's replicas, and a load that has reason to move their number."""
    draw = chance.stream(f"app/{service.name}")
    service_s, slots = draw.choice((0.03, 0.1, 0.3)), 16
    points = [(0.0, draw.uniform(0.1, 0.9))]
    for at in sorted(
        draw.uniform(FIRST_S, length_s) for _ in range(draw.randint(2, 2 + int(length_s / 450)))
    ):
        ramp_s = draw.choice((1.0, 30.0, 300.0))
        since = max(at, points[-1][0])
        points += [(since, points[-1][1]), (since + ramp_s, draw.uniform(0.05, 0.95))]
    most = _per_replica(service, service_s, slots) * service.replicas.max
    return App(
        service_s=service_s,
        slots=slots,
        start_s=draw.choice((0.5, 2.0, 5.0)),
        long_p=draw.choice((0.0, 0.0, 0.01)),
        long_s=4.0,
        demand=Demand(
            points=tuple((round(at, 1), round(share * most, 2)) for at, share in points),
            burst_every_s=draw.choice((0.0, 0.0, 300.0)),
            retries=draw.choice((0, 0, 2)),
        ),
    )


def _per_replica(service: Service, service_s: float, slots: int) -> float:
    """Return the requests per second that one replica is meant to have."""
    scale = service.scale
    if scale is None or scale.on == "in_flight":
        return (scale.goal if scale else GOAL) / service_s
    return scale.goal if scale.on == "rate" else scale.goal * slots / service_s


# --- what people order

ORDERS = ("release", "release", "bad", "rollback", "bounds", "terms", "guards", "leave", "down")


def orders(
    chance: Chance, wanted: System, length_s: float
) -> tuple[list[tuple[Instant, Intent]], dict[str, Ailment]]:
    """Draw what people order: releases good and bad, ways back, other bounds and terms, `down` and `up`."""
    draw = chance.stream("orders")
    releases = {name: f"r-{name}-1" for name in wanted.services}
    first = Up(id="up-1", system=wanted, releases=releases, by="a person")
    given: list[tuple[Instant, Intent]] = [(0.0, first)]
    ailing: dict[str, Ailment] = {}
    count = draw.randint(0, 3) + round(length_s / HOUR_S * 6)
    times = sorted(draw.uniform(FIRST_S, length_s) for _ in range(count))
    present = wanted
    for number, at in enumerate(times, start=2):
        kind, name = draw.choice(ORDERS), draw.choice(sorted(present.services))
        up = Up(id=f"up-{number}", system=present, by="a person")
        if kind == "rollback":
            given.append((at, Rollback(id=f"back-{number}", workload=name, by="a person")))
        elif kind == "down":
            given.append((at, Down(id=f"down-{number}", by="a person")))
            again_at = at + draw.uniform(1.0, min(180.0, length_s / 6))
            if again_at < length_s or draw.random() < 1 / 2:
                given.append((again_at, replace(up, id=f"up-{number}-again", releases=releases)))
        elif kind == "leave" and len(present.services) > 1:
            less = without(present, name)
            given.append((at, replace(up, system=less)))
            back = replace(up, id=f"up-{number}-again", releases={name: releases[name]})
            given.append((at + draw.uniform(20.0, length_s / 6), back))
        elif kind in ("release", "bad"):
            release = f"r-{name}-{number}"
            if kind == "bad":
                ailing[release] = draw.choice(BAD_RELEASES)
            else:
                releases = {**releases, name: release}
            given.append((at, replace(up, releases={name: release})))
        else:
            present = _changed(chance, present, name, kind)
            given.append((at, replace(up, system=present)))
    if draw.random() < 1 / 12:
        given.append((length_s - 5.0, Down(id="down", by="a person")))
    return sorted(((round(at, 1), each) for at, each in given), key=lambda each: each[0]), ailing


def without(wanted: System, name: str) -> System:
    """Return a system without one of its services."""
    left = {
        each: replace(service, needs=tuple(need for need in service.needs if need != name))
        for each, service in wanted.services.items()
        if each != name
    }
    return replace(wanted, services=left)


def _changed(chance: Chance, wanted: System, name: str, kind: str) -> System:
    draw, service = chance.stream("orders"), wanted.services[name]
    if kind == "guards":
        return replace(wanted, guards=_guards(chance))
    if kind == "bounds":
        least = draw.randint(1, 4)
        service = replace(service, replicas=Range(min=least, max=max(least, service.replicas.max)))
    else:
        policy = replace(service.rollout, surge=draw.choice((0, 1, 2)))
        service = replace(service, drain_s=draw.choice((5.0, 12.0, 30.0)), rollout=policy)
    return replace(wanted, services={**wanted.services, name: service})


# --- what goes wrong


def seldom(chance: Chance, length_s: float) -> float:
    """Draw by how much rarer what goes wrong by chance is than in a storm; in a short run it is not."""
    return chance.stream("faults/pace").choice((4.0, 12.0, 40.0)) if length_s >= HOUR_S / 2 else 1.0


def slowed(faults: Faults, times: float) -> Faults:
    """Return faults whose times between events are so many times longer."""
    parts = {}
    for name in faults.__struct_fields__:
        part = getattr(faults, name)
        every = {
            each: getattr(part, each) * times for each in part.__struct_fields__ if each.endswith("_every_s")
        }
        parts[name] = replace(part, **every)
    return replace(faults, **parts)


def troubles(
    chance: Chance, wanted: System, ordered: tuple[Instant, ...], length_s: float
) -> tuple[Trouble, ...]:
    """Draw twenty to forty troubles an hour, of some kinds, some close to an order or to each other."""
    draw = chance.stream("troubles")
    kinds = draw.sample(sorted(KINDS), draw.randint(5, 16))
    count = max(4, round(draw.randint(20, 36) * (length_s / HOUR_S) ** 0.5))
    found: list[Trouble] = [
        _trouble(chance, wanted, draw.choice(OUTAGES), draw.uniform(FIRST_S, length_s), length_s)
        for _ in range(3)
    ]
    for _ in range(count - len(found)):
        at = draw.uniform(FIRST_S, length_s)
        if draw.random() < 1 / 2:
            near = draw.choice([*ordered[1:], *(each.at for each in found)])
            at = max(FIRST_S, near + draw.uniform(-10.0, 30.0))
        found.append(_trouble(chance, wanted, draw.choice(kinds), at, length_s))
    return tuple(sorted((each for each in found if each.at < length_s), key=lambda each: each.at))


def some(
    chance: Chance, wanted: System, count: int, length_s: float, kinds: tuple[str, ...] = ()
) -> tuple[Trouble, ...]:
    """Draw so many troubles, each of any kind, or of these, at any time."""
    draw = chance.stream("troubles/some")
    found = (
        _trouble(
            chance, wanted, draw.choice(kinds or sorted(KINDS)), draw.uniform(FIRST_S, length_s), length_s
        )
        for _ in range(count)
    )
    return tuple(sorted(found, key=lambda each: each.at))


def _trouble(chance: Chance, wanted: System, kind: str, at: Instant, length_s: float) -> Trouble:
    draw, sort = chance.stream("troubles"), KINDS[kind]
    subject = ""
    if sort.on == "workload":
        subject = draw.choice(sorted(wanted.services))
    elif sort.on == "source":
        subject = draw.choice((*SOURCES, EVERYTHING))
    return Trouble(
        kind=kind,
        at=round(at, 1),
        for_s=round(_length(chance, sort, length_s), 1),
        subject=subject,
        size=round(draw.uniform(*sort.sizes), 2),
    )


def _length(chance: Chance, sort: Sort, length_s: float) -> float:
    """Draw a length, short and long ones alike: uniform in its logarithm."""
    low, high = sort.lasts_s[0], min(sort.lasts_s[1], length_s * 2 / 3)
    if high <= 0:
        return 0.0
    return exp(chance.stream("troubles").uniform(log(low), log(max(low, high))))

"""Twists: what makes a third of the drawn stories denser: all that is rare comes close together.

Much befalls one workload within moments, people change their minds, guards are tight and people slow, it
is midnight or frozen just then, one workload goes to zero, another follows its latency. Every draw is from a
stream of its own: what the other stories are, and what a twisted one was drawn from, stays as it was.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from lamplighter.model.intents import Down, Intent, Rollback, Up
from lamplighter.model.system import Freeze, Guards, Range, Scale, Service, System
from lamplighter.model.value import Instant
from lamplighter.targets.simulated import App, Chance, Demand, Trouble
from lamplighter.targets.simulated.silences import SOURCES
from lamplighter.targets.simulated.troubles import KINDS

TWISTED_P = 1 / 3
WEEK_MIN = 7 * 24 * 60
DAY_S = 86_400.0
FIRST_S = 30.0
CLOSE = (
    *("crash", "crash", "vanish", "hang", "hang", "hang-for-good", "lie", "leak", "leak", "checks-flap"),
    *("crash-loop", "crash-loop", "late-crash", "never-ready", "never-ready", "slow-start", "deaf"),
    *("burst", "burst", "lull", "load-lies", "health-lies", "list-short", "silent", "silent", "late"),
    *("orders-lost", "answers-lost", "orders-late", "orders-late", "slow-answers", "refusals"),
    *("killed", "killed", "deposed", "supervisor-restart"),
)
"""What befalls the workload in question, or comes between; some more often than others."""
LASTS_S_MAX = 240.0
BUDGETS = ((4, 60.0), (6, 90.0), (12, 300.0), (40, 600.0))
"""Actions and seconds: tight, and still enough for everything to come to rest."""


class Draft(NamedTuple):
    """What a story is about to be made of."""

    system: System
    orders: list[tuple[Instant, Intent]]
    apps: dict[str, App]
    troubles: tuple[Trouble, ...]
    wall_at_s: float
    thinks_s: float


class Focus(NamedTuple):
    """The workload in question, and about when it comes thick."""

    workload: str
    times: tuple[Instant, ...]


def twisted(draft: Draft, chance: Chance, length_s: float) -> Draft:
    """Return the draft as it is, or one time in three a denser one.

    Args:
        draft: as it was drawn.
        chance: of the seed.
        length_s: until faults end.
    """
    draw = chance.stream("curl")
    if draw.random() >= TWISTED_P:
        return draft
    focus = _focus(draft.system, chance, length_s)
    draft = draft._replace(troubles=_befallen(draft.troubles, focus, chance, length_s))
    for twist in (_changing, _stepped, _guarded, _dated, _zeroed, _latent):
        draft = twist(draft, focus, chance, length_s)
    return draft


def _focus(system: System, chance: Chance, length_s: float) -> Focus:
    draw = chance.stream("twist/focus")
    names = sorted(system.services)
    scaled = [each for each in names if system.services[each].scale is not None] or names
    count = max(2, round(length_s / 600.0))
    return Focus(
        draw.choice(scaled), tuple(sorted(draw.uniform(FIRST_S, length_s - 20.0) for _ in range(count)))
    )


def _befallen(
    troubles: tuple[Trouble, ...], focus: Focus, chance: Chance, length_s: float
) -> tuple[Trouble, ...]:
    """Add a handful of troubles around each of the times."""
    draw = chance.stream("twist/troubles")
    found = list(troubles)
    for time in focus.times:
        kinds = draw.sample(CLOSE, draw.randint(2, 5))
        for kind in [*kinds, draw.choice(kinds)]:
            at = max(FIRST_S, time + draw.uniform(-5.0, 40.0))
            if at < length_s:
                found.append(_trouble(chance, kind, at, focus.workload))
    return tuple(sorted(found, key=lambda each: each.at))


def _trouble(chance: Chance, kind: str, at: Instant, workload: str) -> Trouble:
    draw, sort = chance.stream("twist/troubles"), KINDS[kind]
    low, high = sort.lasts_s[0], min(sort.lasts_s[1], LASTS_S_MAX)
    subject = {"workload": workload, "source": draw.choice(SOURCES)}.get(sort.on, "")
    return Trouble(
        kind=kind,
        at=round(at, 1),
        for_s=round(draw.uniform(low, max(low, high)), 1),
        subject=subject,
        size=round(draw.uniform(*sort.sizes), 2),
    )


# --- people


def _changing(draft: Draft, focus: Focus, chance: Chance, length_s: float) -> Draft:
    """Order a release of the workload in question around each of the times, and then something else."""
    draw = chance.stream("twist/orders")
    given = list(draft.orders)
    for number, time in enumerate(focus.times, start=1):
        if draw.random() < 1 / 3:
            continue
        at = max(FIRST_S, time + draw.uniform(-60.0, 10.0))
        present = _wanted(given, at, draft.system)
        if focus.workload not in present.services:
            continue
        release = f"r-{focus.workload}-t{number}"
        up = Up(id=f"twist-{number}", system=present, by="a person", releases={focus.workload: release})
        given.append((round(at, 1), up))
        for later, intent in _second_thoughts(up, focus.workload, chance):
            if at + later < length_s:
                given.append((round(at + later, 1), intent))
    return draft._replace(orders=sorted(given, key=lambda each: each[0]))


def _wanted(orders: list[tuple[Instant, Intent]], at: Instant, first: System) -> System:
    """Return the system that is in force at an instant."""
    found = [(when, each.system) for when, each in orders if isinstance(each, Up) and when <= at]
    return max(found, key=lambda each: each[0])[1] if found else first


def _second_thoughts(up: Up, workload: str, chance: Chance) -> Iterator[tuple[float, Intent]]:
    draw = chance.stream("twist/orders")
    kind = draw.choice(("", "rollback", "rollback", "rollback-twice", "again", "newer", "bounce"))
    later = draw.uniform(1.0, 150.0)
    back = Rollback(id=f"{up.id}-back", workload=workload, by="a person")
    if kind in ("rollback", "rollback-twice"):
        yield later, back
    if kind == "rollback-twice":
        yield later + draw.uniform(1.0, 120.0), replace(back, id=f"{up.id}-back-again")
    if kind == "again":
        yield later, replace(up, id=f"{up.id}-again", releases={workload: f"r-{workload}-1"})
    if kind == "newer":
        yield later, replace(up, id=f"{up.id}-newer", releases={workload: f"{up.releases[workload]}b"})
    if kind == "bounce":
        yield later, Down(id=f"{up.id}-down", by="a person")
        yield later + draw.uniform(0.5, 30.0), replace(up, id=f"{up.id}-up", releases={})


def _respelled(draft: Draft, respell: Callable[[System], System]) -> Draft:
    """Have every spec that is ordered say so."""
    orders = [
        (at, replace(each, system=respell(each.system)) if isinstance(each, Up) else each)
        for at, each in draft.orders
    ]
    return draft._replace(orders=orders, system=respell(draft.system))


def _guarded(draft: Draft, _focus: Focus, chance: Chance, _length_s: float) -> Draft:
    """Make guards tight, and people slow."""
    draw = chance.stream("twist/guards")
    if draw.random() < 1 / 3:
        return draft
    actions, window_s = draw.choice(BUDGETS)
    guards = Guards(
        actions=actions,
        window_s=window_s,
        at_risk=draw.choice((0.25, 0.34, 0.5, 0.75)),
        approve_above=draw.choice((0.2, 0.3, 1.0)),
    )
    draft = _respelled(draft, lambda system: replace(system, guards=guards))
    return draft._replace(thinks_s=draw.choice((10.0, 30.0, 60.0)))


def _dated(draft: Draft, focus: Focus, chance: Chance, _length_s: float) -> Draft:
    """Let it be midnight at one of the times, and a freeze window begin around another one."""
    draw = chance.stream("twist/dates")
    if draw.random() < 1 / 2:
        day = draw.randrange(1, 8)
        draft = draft._replace(
            wall_at_s=(day * DAY_S - draw.choice(focus.times) - draw.uniform(0.0, 60.0)) % (7 * DAY_S)
        )
    if draw.random() < 1 / 3:
        start = int((draft.wall_at_s + draw.choice(focus.times)) // 60) - draw.randrange(0, 3)
        window = Freeze(
            start_min=start % WEEK_MIN, end_min=(start + draw.randrange(2, 9)) % WEEK_MIN, text="a pause"
        )
        draft = _respelled(draft, lambda system: replace(system, freeze=(*system.freeze, window)))
    return draft


# --- what is wanted of workloads, and asked of them


def _only(name: str, change: Callable[[Service], Service]) -> Callable[[System], System]:
    """Return what changes one service of a system, where it has it."""

    def respell(system: System) -> System:
        if name not in system.services:
            return system
        return replace(system, services={**system.services, name: change(system.services[name])})

    return respell


def _stepped(draft: Draft, focus: Focus, chance: Chance, length_s: float) -> Draft:
    """Let the load of the workload in question go up and down in steps, with more room to follow it."""
    draw, name = chance.stream("twist/load"), focus.workload
    if draw.random() < 1 / 4 or draft.system.services[name].scale is None:
        return draft
    more = draw.choice((2, 4))
    draft = _respelled(
        draft,
        _only(name, lambda it: replace(it, replicas=Range(min=it.replicas.min, max=it.replicas.max + more))),
    )
    app = draft.apps[name]
    top = max(rate for _, rate in app.demand.points) * 1.3
    points, at = [(0.0, top * draw.uniform(0.2, 0.6))], FIRST_S
    while at < length_s:
        points += [(round(at, 1), points[-1][1]), (round(at + 1.0, 1), round(top * draw.uniform(0.05, 1), 2))]
        at += draw.uniform(40.0, 400.0)
    return draft._replace(
        apps={**draft.apps, name: replace(app, demand=replace(app.demand, points=tuple(points)))}
    )


def _other(draft: Draft, focus: Focus, chance: Chance, stream: str) -> str:
    names = sorted(
        each
        for each, service in draft.system.services.items()
        if each != focus.workload and service.scale is not None
    )
    return chance.stream(stream).choice(names) if names else ""


def _zeroed(draft: Draft, focus: Focus, chance: Chance, length_s: float) -> Draft:
    """Let one other workload go to zero when nothing is asked of it, and ask nothing of it at times."""
    draw, name = chance.stream("twist/zero"), _other(draft, focus, chance, "twist/zero")
    if not name or draw.random() < 1 / 2:
        return draft
    idle_s = draw.choice((30.0, 60.0, 120.0))

    def sleepy(service: Service) -> Service:
        scale = replace(service.scale or Scale(), on="in_flight", idle_s=idle_s)
        return replace(service, replicas=Range(min=0, max=service.replicas.max), scale=scale)

    app = draft.apps[name]
    top, points, at = max(rate for _, rate in app.demand.points), [(0.0, 5.0)], FIRST_S
    while at < length_s:
        rate = draw.choice((0.0, 0.0, 0.5, round(top * draw.uniform(0.1, 0.8), 2)))
        points += [(round(at, 1), points[-1][1]), (round(at + 1.0, 1), rate)]
        at += draw.uniform(60.0, 500.0)
    demand = Demand(points=tuple(points), noise=app.demand.noise)
    draft = draft._replace(apps={**draft.apps, name: replace(app, demand=demand)})
    return _respelled(draft, _only(name, sleepy))


def _latent(draft: Draft, focus: Focus, chance: Chance, _length_s: float) -> Draft:
    """Let one other workload follow its latency."""
    draw, name = chance.stream("twist/latency"), _other(draft, focus, chance, "twist/latency")
    if not name or draft.system.services[name].replicas.min == 0 or draw.random() < 2 / 3:
        return draft
    goal_s = round(draft.apps[name].service_s * draw.choice((6.0, 10.0)), 3)

    def latent(service: Service) -> Service:
        scale = replace(service.scale or Scale(), on="latency", goal=goal_s)
        return replace(service, scale=scale)

    return _respelled(draft, _only(name, latent))

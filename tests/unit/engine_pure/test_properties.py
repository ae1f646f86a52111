"""What holds whatever happens: random faults, orders and loads, drawn by hypothesis, on virtual time."""

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.unit.engine_pure.world import World, service, system

from lamplighter.engine.step import step
from lamplighter.model.actions import Replace, Scale
from lamplighter.model.facts import HEALTH, MACHINE, PROCESSES, TRAFFIC
from lamplighter.model.history import History
from lamplighter.model.system import Range
from lamplighter.model.value import encode

EVENTS = st.one_of(
    st.tuples(st.just("kill"), st.integers(0, 9)),
    st.tuples(st.just("hang"), st.integers(0, 9)),
    st.tuples(st.just("load"), st.integers(0, 120)),
    st.tuples(st.just("silence"), st.sampled_from([PROCESSES, HEALTH, TRAFFIC, MACHINE])),
    st.tuples(st.just("hear"), st.just(0)),
    st.tuples(st.just("up"), st.sampled_from(["r1", "r2", "r3"])),
    st.tuples(st.just("broken-up"), st.sampled_from(["bad1", "bad2"])),
    st.tuples(st.just("rollback"), st.just(0)),
    st.tuples(st.just("lose"), st.integers(1, 4)),
    st.tuples(st.just("refuse"), st.integers(1, 4)),
    st.tuples(st.just("forget"), st.integers(0, 9)),
)
STORIES = st.lists(st.tuples(EVENTS, st.integers(1, 25)), max_size=14)
SHAPES = st.sampled_from([(1, 1, 1), (1, 3, 1), (2, 2, 2), (2, 8, 1), (4, 4, 1), (3, 10, 2)])


def told(world: World, event: tuple[str, object]) -> None:  # noqa: C901 - one line for each thing
    """Let one thing happen to a world."""
    name, what = event
    live = world.live()
    match name:
        case "kill" if live:
            world.kill(live[int(str(what)) % len(live)])
        case "forget" if live:
            del world.replicas[live[int(str(what)) % len(live)]]
        case "hang" if live:
            world.hang(live[int(str(what)) % len(live)])
        case "load":
            world.load(int(str(what)))
        case "silence":
            world.silence(str(what))
        case "hear":
            world.silent.clear()
        case "up":
            world.up(str(what))
        case "broken-up":
            world.never_ready.add(str(what))
            world.up(str(what))
        case "rollback":
            world.rollback()
        case "lose" | "refuse":
            _spoil(world, name, int(str(what)))


def _spoil(world: World, how: str, times: int) -> None:
    """Let the target refuse the next few actions, or not answer them (having done them or not)."""
    left = [times]

    def strikes(_action: object) -> bool:
        left[0] -= 1
        return left[0] >= 0

    if how == "lose":
        world.loses = strikes
    else:
        world.refuses = lambda action: "no room" if strikes(action) else ""


def lived(shape: tuple[int, int, int], story: list[tuple[tuple[str, object], int]]) -> World:
    """Let a world go through a story, checking after every pass what must never be."""
    low, high, surge = shape
    wanted = service(replicas=Range(min=low, max=high))
    wanted = msgspec.structs.replace(wanted, rollout=msgspec.structs.replace(wanted.rollout, surge=surge))
    world = World(system(wanted))
    world.settle()
    for event, seconds in story:
        told(world, event)
        for _ in range(seconds):
            world.once()
            _check(world, low, high + surge)
    return world


def _check(world: World, low: int, top: int) -> None:
    assert len(world.live()) <= top, "more live than max and surge allow"
    facts = world.inputs[-1].facts
    silent = {each for each in (PROCESSES, HEALTH) if facts.silence(each, world.inputs[-1].now)}
    ready = {each.id for each in facts.replicas if each.live and each.ready}
    left = set(ready)
    subjects = [each.subject for each in world.results[-1].decisions]
    assert len(set(subjects)) == len(subjects), "two decisions on one subject"
    for each in world.results[-1].decisions:
        if each.state != "act" or not each.chosen.contract.destructive:
            continue
        assert not silent, "destructive while nobody knows what lives"
        action = each.chosen.action
        if isinstance(action, Scale):
            left -= set(action.stops)
    assert len(left) >= min(low, len(ready)), "below min by its own action"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHAPES, STORIES)
def test_bounds_hold_and_nothing_unknown_is_destroyed(
    shape: tuple[int, int, int], story: list[tuple[tuple[str, object], int]]
) -> None:
    """Never below min by its own action, never above max and surge, nothing destructive when blind."""
    lived(shape, story)


@settings(
    max_examples=60,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(SHAPES, STORIES)
def test_all_is_well_some_time_after_the_last_fault(
    shape: tuple[int, int, int], story: list[tuple[tuple[str, object], int]]
) -> None:
    """Once faults stop, one release has all of the traffic and as many ready replicas as are settled."""
    world = lived(shape, story)
    world.silent.clear()
    world.never_ready = {each for each in world.never_ready if each.startswith("bad")}
    world.loses, world.refuses = lambda _action: False, lambda _action: ""
    world.up("r9")
    for _ in range(100):
        world.run(15)
        if not world.history.pending and _well(world, shape):
            return
    raise AssertionError(f"{world.history.workloads['web']} {world.shares} {world.results[-1].findings}")


def _well(world: World, shape: tuple[int, int, int]) -> bool:
    memory = world.history.workloads["web"]
    ready = {
        release: len(world.ready(release)) for release in ("r1", "r2", "r3", "r9") if world.live(release)
    }
    placed = (memory.stable, world.shares["web"], ready) == ("r9", {"r9": 1.0}, {"r9": memory.capacity})
    return placed and shape[0] <= memory.capacity <= shape[1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHAPES, STORIES)
def test_a_successor_decides_the_same_from_the_recording(
    shape: tuple[int, int, int], story: list[tuple[tuple[str, object], int]]
) -> None:
    """The recorded inputs alone give back every result, through a snapshot at every pass, byte for byte."""
    world = lived(shape, story)
    history, replayed = History(), []
    for inputs in world.inputs:
        history, result = step(msgspec.json.decode(encode(history), type=History), inputs)
        replayed.append(encode(result))
    assert [encode(each) for each in world.results] == replayed
    assert encode(world.history) == encode(history)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 70), st.lists(st.integers(-3, 3), min_size=30, max_size=30))
def test_a_constant_load_does_not_make_it_flap(load: int, noise: list[int]) -> None:
    """A load that stays the same, give or take a little, is answered once: up or down, not both."""
    world = World()
    world.settle()
    world.load(load)
    world.run(120)
    since = world.now
    for turn in range(300):
        world.load(max(0, load + noise[turn % 30]))
        world.once()
    scales = [each.chosen.action.replicas for each in world.did(Scale, since) if each.chosen.capacity]
    assert sorted(scales) == scales or sorted(scales, reverse=True) == scales


def test_random_kills_never_use_a_place_up() -> None:
    """A kill every five seconds for two minutes among four: each is replaced, nobody is called."""
    world = World(system(service(replicas=Range(min=4, max=4))), start_s=0.5)
    world.settle()
    world.tick_s = 0.25
    for turn in range(24):
        world.kill(world.ready()[turn * 7 % len(world.ready())])
        world.run(5)
    assert (24, {}) == (len(world.did(Replace)), world.history.handed_over)

"""Rest: a pass that looks only at who is not at rest comes to the same as one that looks at everybody."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.controllers.survey import Survey
from lamplighter.engine.rest import Rest
from lamplighter.engine.step import step
from lamplighter.model.facts import HEALTH, PROCESSES, SOURCES, TRAFFIC, Facts, Load, Phase, Replica, Source
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Freeze, Guards, Range, Repair, Resources, Scale
from lamplighter.model.value import encode

NAMES = ("calm", "fixed", "quick", "slow", "web")

EVENTS = st.one_of(
    st.tuples(
        st.sampled_from(["kill", "vanish", "hang", "heal", "doubt", "sure", "fat", "busy"]),
        st.integers(0, 30),
    ),
    st.tuples(st.just("load"), st.tuples(st.sampled_from(NAMES), st.integers(0, 90))),
    st.tuples(st.just("wobble"), st.tuples(st.sampled_from(NAMES), st.integers(0, 2))),
    st.tuples(st.just("unload"), st.sampled_from(NAMES)),
    st.tuples(st.just("silence"), st.sampled_from(SOURCES)),
    st.tuples(st.just("late"), st.sampled_from([PROCESSES, HEALTH, TRAFFIC])),
    st.tuples(st.just("hear"), st.just(0)),
    st.tuples(st.just("up"), st.sampled_from(["r1", "r2", "r3"])),
    st.tuples(st.just("broken-up"), st.just("bad")),
    st.tuples(st.just("fewer"), st.integers(1, 4)),
    st.tuples(st.just("leave"), st.sampled_from(NAMES)),
    st.tuples(st.just("rollback"), st.sampled_from(NAMES)),
    st.tuples(st.just("reshare"), st.sampled_from(NAMES)),
    st.tuples(st.just("stranger"), st.just(0)),
    st.tuples(st.just("approve"), st.just(0)),
    st.tuples(st.just("jump"), st.sampled_from([0.0, 0.4, 4.0, 7.0, 90.0, 700.0])),
    st.tuples(st.just("pace"), st.sampled_from([0.2, 1.0, 1.7])),
    st.tuples(st.just("lose"), st.integers(1, 3)),
    st.tuples(st.just("refuse"), st.integers(1, 3)),
    st.tuples(st.just("unrecordable"), st.booleans()),
    st.tuples(st.just("down"), st.just(0)),
)
STORIES = st.lists(st.tuples(EVENTS, st.integers(1, 12)), min_size=4, max_size=30)


class TwoForms(World):
    """A world in which each pass is made in both forms, and must come to the same in both."""

    def __init__(self) -> None:
        super().__init__(
            system(
                service("calm", replicas=Range(min=1, max=6), scale=Scale(on="rate", goal=10.0)),
                service("fixed", scale=None, resources=Resources(memory_bytes=100)),
                service("quick", scale=Scale(on="cpu", goal=0.5, window_s=12.0, panic_window_s=2.0)),
                service("slow", scale=Scale(on="latency", goal=0.2), repair=Repair(window_s=40.0)),
                service("web", needs=("fixed",)),
                guards=Guards(actions=400, at_risk=0.4, approve_above=0.6),
            )
        )
        self.rest = Rest()
        self.looked_at: list[int] = []
        self.late: dict[str, float] = {}

    def decide(self, history: History, inputs: Inputs) -> tuple[History, Result]:
        """Decide in both forms."""
        fast, found = step(history, inputs, self.rest)
        plain, expected = step(history, inputs)
        assert encode(expected) == encode(found)
        assert encode(plain) == encode(fast)
        assert msgspec.json.encode(plain) == msgspec.json.encode(fast), "also in the order of its keys"
        return fast, found

    def facts(self) -> Facts:
        """Return what can be seen; what has not changed is the same object, as the loop keeps it."""
        facts = super().facts()
        dated = {name: Source(observed_at=self.now - late_s) for name, late_s in self.late.items()}
        return replace(facts, sources={**facts.sources, **dated})


def told(world: TwoForms, event: tuple[str, object]) -> None:
    """Let one thing happen to a world."""
    name, what = event
    listed = sorted(world.replicas)
    one = listed[int(what) % len(listed)] if listed and isinstance(what, int) else ""
    known = world.replicas.get(one)
    match name:
        case "kill" if known and known.live:
            world.kill(one)
        case "vanish" if known:
            del world.replicas[one]
        case "hang" if known:
            world.hang(one)
        case "heal":
            world.never_ready.discard(one)
        case "doubt" if known:
            world.replicas[one] = replace(known, ready=None)
        case "sure" if known and known.live:
            world.replicas[one] = replace(known, phase=Phase.RUNNING, ready=True)
        case "fat" if known:
            world.replicas[one] = replace(known, memory_bytes=50 if known.memory_bytes == 200 else 200)
        case "busy" if known:
            world.replicas[one] = replace(known, in_flight=(known.in_flight or 0) + 3, cpu=0.5)
        case _:
            told_more(world, name, what)


def told_more(world: TwoForms, name: str, what: object) -> None:  # noqa: C901, PLR0912, PLR0915 - the same
    """Let one thing happen that is not about one replica."""
    match name, what:
        case "load", (str(workload), int(load)):
            rate, p99 = load * 1.0, load / 100
            world.loads[workload] = Load(in_flight=load, rate_per_s=rate, latency_p99_s=p99, cpu=load / 20)
        case "wobble", (str(workload), int(more)) if workload in world.loads:
            load = world.loads[workload]
            world.loads[workload] = replace(load, in_flight=(load.in_flight or 0) + more, queued=0)
        case "unload", str(workload):
            world.loads.pop(workload, None)
        case "silence", str(source):
            world.silence(source)
        case "late", str(source):
            world.late[source] = 3.0
        case "hear", _:
            world.silent.clear()
            world.late.clear()
        case "up", str(release):
            world.up(release)
        case "broken-up", str(release):
            world.never_ready.add(release)
            world.up(release, web=release)
        case "fewer", int(top):
            fewer = {
                name: replace(each, replicas=Range(min=1, max=max(top, 1)))
                for name, each in world.wanted.services.items()
            }
            world.up("r1", replace(world.wanted, services=fewer))
        case "leave", str(workload) if len(world.wanted.services) > 1:
            left = {name: each for name, each in world.wanted.services.items() if name != workload}
            world.up("r1", replace(world.wanted, services=left))
        case "rollback", str(workload):
            world.rollback(workload)
        case "reshare", str(workload) if workload in world.shares:
            world.shares[workload] = {"r1": 0.5, "r2": 0.5}
        case "stranger", _:
            world.replicas["odd-1"] = Replica(
                id="odd-1", workload="odd", release="r0", phase=Phase.UNKNOWN, started_at=world.now
            )
        case "approve", _:
            for each in sorted(world.history.asked):
                world.approve(each)
        case "jump", float(by_s):
            world.now += by_s - world.tick_s * (by_s < 1)
        case "pace", float(tick_s):
            world.tick_s = tick_s
        case "unrecordable", bool(so):
            world.recordable = not so
        case "down", _:
            world.down()
        case "lose" | "refuse", int(times):
            left_over = [times]

            def strikes(_action: object) -> bool:
                left_over[0] -= 1
                return left_over[0] >= 0

            if name == "lose":
                world.loses = strikes
            else:
                world.refuses = lambda action: "no room" if strikes(action) else ""


def begun() -> TwoForms:
    """Return a world in which all has come to rest under some load."""
    world = TwoForms()
    for name in NAMES:
        told(world, ("load", (name, 18)))
    world.settle(seconds=40)
    return world


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STORIES)
def test_who_rests_changes_nothing(story: list[tuple[tuple[str, object], int]]) -> None:
    """Whatever happens, each pass comes to the same results and history in both forms, to the byte."""
    world = begun()
    for event, passes in story:
        told(world, event)
        for _ in range(passes):
            world.once()


def looked_at(world: TwoForms) -> list[str]:
    """Return the workloads that the last pass left awake."""
    return sorted(set(world.history.workloads) - set(world.rest._resting))


def test_what_stands_as_settled_rests() -> None:
    """Under a load that wobbles and asks for no other number nobody is looked at, whatever is followed."""
    world = begun()
    for turn in range(90):
        told(world, ("load", ("web", 17 + turn % 2)))
        told(world, ("busy", turn))
        world.once()
    assert [] == looked_at(world)


def test_only_what_changed_is_looked_at() -> None:
    """A replica that dies wakes its own workload and no other."""
    world = begun()
    world.kill(world.live(workload="quick")[0])
    world.once()
    assert ["quick"] == looked_at(world)


def test_a_repair_is_forgotten_in_time() -> None:
    """A workload that rests again after a repair is looked at once that no longer counts."""
    world = begun()
    world.kill(world.live(workload="slow")[0])
    world.run(20)
    counted = len(world.history.workloads["slow"].repairs)
    world.run(40)
    assert (1, ()) == (counted, world.history.workloads["slow"].repairs)


def test_a_replica_above_its_memory_is_noticed() -> None:
    """Memory that grows beyond what was asked for wakes its workload."""
    world = begun()
    told(world, ("fat", sorted(world.replicas).index(world.live(workload="fixed")[0])))
    world.once()
    assert ["fixed"] == looked_at(world)


def test_facts_that_fall_behind_wake_what_they_are_behind_on() -> None:
    """While facts are older than the last answer on a workload nothing is noted of it, not even its load."""
    world = begun()
    world.kill(world.live(workload="web")[0])
    for turn in range(12):
        told(world, ("late", PROCESSES) if turn % 3 else ("hear", 0))
        told(world, ("wobble", ("web", 1)))
        world.once()
    assert world.history.workloads["web"].answered_at is not None


@pytest.mark.parametrize("source", SOURCES)
def test_in_a_silence_everybody_is_looked_at(source: str) -> None:
    """Nobody rests on what a source said before it fell silent."""
    world = begun()
    told(world, ("silence", source))
    world.once()
    assert sorted(NAMES) == looked_at(world)


def test_while_the_gateway_is_not_set_as_the_spec_says_everybody_is_looked_at() -> None:
    """What it does with the traffic until then is not what was settled."""
    world = begun()
    world.configured = "another"
    world.once()
    assert sorted(NAMES) == looked_at(world)


def test_while_everything_goes_down_everybody_is_looked_at() -> None:
    """Nothing that was settled holds any more."""
    world = begun()
    world.down()
    assert sorted(NAMES) == looked_at(world)


def test_one_that_is_gone_from_the_list_wakes_its_own_workload() -> None:
    """The others stand in other places of it, and as they did."""
    world = begun()
    told(world, ("vanish", sorted(world.replicas).index(world.live(workload="calm")[0])))
    world.once()
    assert ["calm"] == looked_at(world)


def test_another_share_wakes_its_own_workload() -> None:
    """And so does one that a gateway has forgotten."""
    world = begun()
    told(world, ("reshare", "quick"))
    del world.shares["slow"]
    world.once()
    assert ["quick", "slow"] == looked_at(world)


def test_what_is_gone_and_cannot_be_started_again_is_looked_at() -> None:
    """Nothing of it lives, and the target has no room: that is no rest."""
    world = begun()
    world.refuses = lambda _action: "no room"
    for each in world.live(workload="calm"):
        del world.replicas[each]
    world.run(20)
    assert ["calm"] == looked_at(world)


def test_rollout_that_is_held_is_looked_at() -> None:
    """Its numbers are still those of the stable release; it waits for the end of a freeze."""
    world = begun()
    world.up("r1", replace(world.wanted, freeze=(Freeze(start_min=0, end_min=0, text="always"),)))
    world.run(20)
    resting = looked_at(world)
    world.up("r1", web="r2")
    world.run(5)
    assert ([], ["web"]) == (resting, looked_at(world))


def test_pass_in_which_nothing_changes_looks_at_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What everything rests on is asked for in each pass, and told to whoever looks."""
    world, told_to = begun(), list[list[str]]()
    plain = Survey.rest

    def watched(survey: Survey, awake: set[str], stirred: list[str]) -> None:
        told_to.append(sorted(awake))
        plain(survey, awake, stirred)

    monkeypatch.setattr(Survey, "rest", watched)
    world.once()
    world.kill(world.live(workload="quick")[0])
    world.once()
    assert [[], ["quick"]] == told_to

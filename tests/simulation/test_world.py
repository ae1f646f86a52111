"""The simulated world by itself: replicas, traffic, sources and answers behave as they are told to."""

import asyncio

import pytest
from msgspec.structs import replace

from lamplighter.controllers.scaling import HOLD_S_MAX
from lamplighter.model.actions import Action, Configure, Outcome, Replace, Scale, Shift
from lamplighter.model.facts import HEALTH, PROCESSES, Facts, Phase
from lamplighter.model.history import History
from lamplighter.model.intents import Answer, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.ports import Scope
from lamplighter.targets.simulated import (
    STORM,
    Ailment,
    AnswerFaults,
    App,
    Chance,
    Demand,
    Faults,
    ReplicaFaults,
    SimulatedTarget,
    SourceFaults,
    World,
    drawn,
)
from lamplighter.targets.simulated.apps import flow
from lamplighter.targets.simulated.journal import Applied, Ended, Event
from lamplighter.testing.builders import system
from lamplighter.testing.rest import beyond_help
from lamplighter.testing.story import SETTLING_S, Story
from lamplighter.testing.witness import Witness

CALM = App(
    service_s=0.1, slots=16, start_s=2.0, start_spread=0.0, demand=Demand(points=((0.0, 40.0),), noise=0.0)
)


def made(faults: Faults | None = None, app: App = CALM, **ailments: Ailment) -> tuple[World, SimulatedTarget]:
    """Return a world that runs two replicas of search, five seconds old, and a target on it."""
    world = World(seed=3, apps={"search": app}, faults=faults, ailments=ailments)
    target = SimulatedTarget(world)
    act(target, Configure(system=system(search=2)), "a-0")
    act(target, Scale(workload="search", release="r1", replicas=2, starts=("search-1", "search-2")), "a-1")
    act(target, Shift(workload="search", shares={"r1": 1.0}), "a-2")
    world.advance(5.0)
    return world, target


def act(target: SimulatedTarget, action: Action, name: str, token: int = 1) -> Outcome:
    """Apply an action."""
    return asyncio.run(target.apply(action, action_id=name, token=token))


def seen(target: SimulatedTarget, world: World) -> Facts:
    """Observe."""
    return asyncio.run(target.observe(Scope(system="sim", now=world.now)))


def happened(world: World) -> list[Event]:
    """Return what happens from here on."""
    events: list[Event] = []
    world.listeners.append(events.append)
    return events


def test_replicas_come_up_after_their_start() -> None:
    """A replica is starting until its time has come, then runs and is ready."""
    world, target = made()
    act(target, Scale(workload="search", release="r1", replicas=3, starts=("search-3",)), "a-3")
    before = [each.phase for each in seen(target, world).of("search")]
    world.advance(world.now + 3)
    after = [(each.phase, each.ready) for each in seen(target, world).of("search")]
    assert [Phase.RUNNING, Phase.RUNNING, Phase.STARTING] == before
    assert [(Phase.RUNNING, True)] * 3 == after


def test_requests_in_flight_follow_from_rate_and_service_time() -> None:
    """Little's law: forty requests a second of a tenth of a second are about four in flight."""
    world, target = made()
    readings = [seen(target, world).loads["search"].in_flight or 0 for _ in range(200)]
    assert 3.5 < sum(readings) / len(readings) < 4.5


def test_waiting_grows_with_utilisation() -> None:
    """Near its limit a replica's requests wait; far from it they do not."""
    idle, busy = (flow(CALM, 1, rate, 0.0) for rate in (16.0, 152.0))
    assert idle.latency_p50_s < 0.101
    assert busy.latency_p50_s > 0.105


def test_too_much_to_do_piles_up_and_is_worked_off() -> None:
    """What comes beyond capacity is queued, and gone a while after the load is."""
    demand = Demand(points=((0.0, 10.0), (10.0, 10.0), (10.1, 600.0), (20.0, 600.0), (20.1, 10.0)), noise=0.0)
    world, target = made(app=App(service_s=0.1, start_s=1.0, demand=demand))
    world.advance(20.0)
    piled = seen(target, world).loads["search"].queued or 0
    world.advance(60.0)
    assert piled > 1000
    assert seen(target, world).loads["search"].queued == 0


def test_drain_waits_for_requests_in_flight() -> None:
    """A drained replica ends when its requests are finished, and none is cut."""
    world, target = made()
    events = happened(world)
    act(target, Scale(workload="search", release="r1", replicas=1, stops=("search-2",), drain_s=10.0), "a-3")
    world.advance(20.0)
    [ended] = [each for each in events if isinstance(each, Ended)]
    assert ("search-2", 0) == (ended.replica, ended.dropped)


def test_drain_that_is_too_short_cuts_requests() -> None:
    """A replica that is ended before its requests are finished cuts them, and the journal counts them."""
    slow = App(service_s=4.0, start_s=1.0, demand=Demand(points=((0.0, 8.0),)))
    world, target = made(app=slow)
    events = happened(world)
    act(target, Scale(workload="search", release="r1", replicas=1, stops=("search-2",), drain_s=0.0), "a-3")
    world.advance(20.0)
    [ended] = [each for each in events if isinstance(each, Ended)]
    assert ended.dropped > 0
    assert not ended.excused


def test_hung_replica_fails_its_checks_a_moment_later() -> None:
    """The balancer notices within about a second and a half that a replica hangs."""
    world, target = made()
    world.mishaps.hang(world.bodies["search-1"])
    at_once = seen(target, world).of("search")[0].ready
    world.advance(world.now + 2.0)
    assert (True, False) == (at_once, seen(target, world).of("search")[0].ready)


def test_crash_without_a_trace_is_listed_no_more() -> None:
    """A replica whose record was lost with it is not in the facts, dead or alive."""
    world, target = made()
    world.mishaps.crash(world.bodies["search-1"], unrecorded_p=1.0)
    assert ["search-2"] == [each.id for each in seen(target, world).of("search")]


def test_bad_release_crashes_at_its_start() -> None:
    """Every replica of a release that ails so ends before it is ready."""
    world, target = made(r2=Ailment(crash_at_start_p=1.0))
    act(target, Scale(workload="search", release="r2", replicas=1, starts=("search-3",)), "a-3")
    world.advance(world.now + 3)
    [replica] = seen(target, world).of("search", "r2")
    assert (Phase.EXITED, 11) == (replica.phase, replica.exit and replica.exit.signal)


def test_silent_source_says_so() -> None:
    """A source that does not answer leaves None and the instant at which it last did."""
    world, target = made()
    seen(target, world)
    last = world.now
    world.silences.begin(HEALTH, 10.0)
    world.advance(world.now + 1)
    facts = seen(target, world)
    assert {None} == {each.ready for each in facts.of("search")}
    assert (last, "connection refused") == (facts.sources[HEALTH].observed_at, facts.sources[HEALTH].fault)


def test_stuck_source_repeats_itself_with_its_old_date() -> None:
    """A stuck source goes on saying what was so, dated as it was then."""
    world, target = made()
    seen(target, world)
    last = world.now
    world.silences.begin(PROCESSES, 10.0, "stuck")
    world.mishaps.crash(world.bodies["search-1"])
    facts = seen(target, world)
    assert (Phase.RUNNING, last) == (facts.of("search")[0].phase, facts.sources[PROCESSES].observed_at)


def test_new_maintainer_in_a_blackout_knows_of_nothing() -> None:
    """Who has never heard of a replica cannot list it while the source is silent."""
    world, _ = made()
    world.silences.begin(PROCESSES, 10.0)
    facts = seen(SimulatedTarget(world, holder="successor"), world)
    assert ((), "connection refused") == (facts.replicas, facts.sources[PROCESSES].fault)


def test_late_sources_tell_of_the_past_and_date_it() -> None:
    """A late source says what was so a while ago, honestly dated."""
    world, target = made(Faults(sources=SourceFaults(late_p=1.0, late_s=2.0)))
    for _ in range(8):
        seen(target, world)
        world.advance(world.now + 0.5)
    facts = seen(target, world)
    assert 1.0 < facts.at - facts.sources[PROCESSES].observed_at <= 2.1


def test_lost_answer_is_unknown_whether_it_was_done_or_not() -> None:
    """An answer that is lost is unknown; only the world knows whether it was done."""
    shift = Shift(workload="search", shares={"r1": 1.0})
    for faults, done in ((AnswerFaults(lost_before_p=1.0), 0), (AnswerFaults(lost_after_p=1.0), 1)):
        world = World(seed=3, faults=Faults(answers=faults))
        events = happened(world)
        outcome = act(SimulatedTarget(world), shift, "a-1")
        assert ("unknown", done) == (outcome.state, sum(isinstance(each, Applied) for each in events))


def test_late_action_takes_effect_later_but_not_after_a_successor_acted() -> None:
    """What was held up on its way is fenced like everything else."""
    world = World(seed=3, faults=Faults(answers=AnswerFaults(late_p=1.0, late_s=4.0)))
    target = SimulatedTarget(world)
    act(target, Shift(workload="search", shares={"r1": 1.0}), "a-1")
    world.faults = Faults()
    act(target, Shift(workload="search", shares={"r2": 1.0}), "a-2", token=2)
    world.advance(world.now + 10)
    assert {"r2": 1.0} == world.shares["search"]


def test_dead_replica_is_replaced_without_a_drain() -> None:
    """Replacing what is gone starts its successor and ends nothing."""
    world, target = made()
    world.mishaps.crash(world.bodies["search-1"])
    act(target, Replace(workload="search", release="r1", replica="search-1", start="search-3"), "a-3")
    phases = {each.id: each.phase for each in seen(target, world).of("search")}
    expected = {"search-1": Phase.EXITED, "search-2": Phase.RUNNING, "search-3": Phase.STARTING}
    assert expected == phases


def test_calm_ends_faults_and_leaves_what_is_broken() -> None:
    """Once it is calm nothing new goes wrong; what hangs goes on hanging."""
    world, _ = made(Faults(replicas=ReplicaFaults(crash_every_s=5.0)))
    world.mishaps.hang(world.bodies["search-1"])
    world.calm()
    live = [each.id for each in world.bodies.values() if each.live]
    world.advance(world.now + 600)
    assert live == [each.id for each in world.bodies.values() if each.live]
    assert world.bodies["search-1"].hung


def test_some_of_a_storm_is_drawn() -> None:
    """Each seed has some of the faults, and over many seeds each fault comes up and stays away."""
    rates = [drawn(Chance(seed)).answers.lost_after_p for seed in range(60)]
    assert {0.0, STORM.answers.lost_after_p} == set(rates)


def test_burst_multiplies_no_request_of_before() -> None:
    """What was asked for earlier stays what it was; the burst counts from its begin to its end."""
    world, _ = made()
    world.surge("search", 10.0, 3.0)
    world.advance(30.0)
    asked = [world.traffic.demand_per_s("search", at) for at in (4.0, 6.0, 16.0)]
    assert [40.0, 120.0, 40.0] == asked


def test_storm_of_repeated_requests_keeps_itself_up() -> None:
    """Callers that ask again since they wait too long ask for more than there is room for, burst or none."""
    demand = Demand(points=((0.0, 200.0),), noise=0.0, retries=2)
    world, _ = made(app=replace(CALM, demand=demand))
    before = world.traffic.storming("search", world.now)
    world.surge("search", 60.0, 3.0)
    world.advance(600.0)
    assert (False, True) == (before, world.traffic.storming("search", world.now))


@pytest.mark.parametrize(("frail_s", "left"), [(0.0, set()), (20.0, {"search"})])
def test_bad_first_release_is_left_to_people(frail_s: float, left: set[str]) -> None:
    """One that nothing served before is beyond help; what did and lasts must be gone back to."""
    world = World(apps={"search": CALM})
    ailing = {"r9": Ailment(never_ready=True), "r1": Ailment(crash_after_s=frail_s)}
    witness, story = Witness(world), Story(ailing=ailing)
    order = Up(id="up", system=system(search=2), releases={"search": "r9"})
    answer = Answer(intent="up", accepted=True)
    witness.heard(
        Inputs(now=0.0, facts=Facts(at=0.0), intents=(order,)),
        Result(answers=(answer,)),
        History(),
        recorded=True,
    )
    assert {"search"} == beyond_help(witness, story)
    world.start("search-1", "search", "r1", "a-1")
    world.advance(5.0)
    assert left == beyond_help(witness, story)


def test_calm_ends_bursts_for_good() -> None:
    """Once it is calm nobody asks for more than the load says: numbers can come to rest."""
    demand = Demand(points=((0.0, 40.0),), noise=0.0, burst_every_s=10.0, burst_for_s=5.0)
    world, _ = made(app=replace(CALM, demand=demand))
    events = happened(world)
    world.advance(200.0)
    rough = len(events)
    world.calm()
    world.advance(400.0)
    assert (True, 1, {}) == (rough > 5, len(events) - rough, world.traffic.bursting)


def test_stories_wait_for_as_long_as_a_number_may_be_held() -> None:
    """A number that came back right before it was calm has time to go down again, step by step."""
    steps_s, calm_window_s = 8 * 16.0, 120.0 * 7 / 6
    assert SETTLING_S >= HOLD_S_MAX + steps_s + calm_window_s

"""Scaling: the total follows the load, never on what is not known, and does not flap."""

from itertools import pairwise

import pytest
from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.controllers.load import Demand, demand
from lamplighter.controllers.scaling import scaling
from lamplighter.model.actions import Scale
from lamplighter.model.facts import HEALTH, TRAFFIC, Load
from lamplighter.model.history import Sample
from lamplighter.model.system import Guards, Range, Resources
from lamplighter.model.system import Scale as Autoscale
from lamplighter.testing import builders


def world(load: int = 12, **changes: object) -> World:
    """Return a settled world of 2 to 8 replicas with requests in flight, 10 for each being the goal."""
    here = World(system(service(**changes)))
    here.load(load)
    return here.settle(seconds=90)


def totals(here: World) -> list[int]:
    """Return the totals that scaling settled, in order."""
    return [each.chosen.capacity for each in here.acted if each.chosen.controller == "scaling"]


def test_step_of_load_starts_replicas_within_seconds() -> None:
    """A fivefold load shows in the last third of the panic window."""
    here = world(10)
    here.tick_s = 0.25
    here.load(50)
    since = here.now
    here.run(3)
    assert here.did(Scale, since)[0].at - since <= 1.5


def test_enough_replicas_for_the_load() -> None:
    """Once the load has stood for a panic window there are as many as it needs."""
    here = world()
    here.load(60)
    here.run(10)
    assert 6 == len(here.ready())


def test_waiting_requests_count() -> None:
    """Requests that queue need replicas as much as those in flight."""
    here = world()
    here.loads["web"] = Load(in_flight=20, queued=30)
    here.run(10)
    assert 5 == len(here.ready())


def test_never_above_max_and_it_says_so() -> None:
    """More load than `max` can serve is a finding, not a ninth replica."""
    here = world()
    here.load(500)
    here.run(12)
    assert (8, True) == (len(here.live()), "load-exceeds-max" in here.kinds())


def test_short_lull_takes_nothing_away() -> None:
    """Half a calm window of silence from the users is no reason to drain."""
    here = world(75)
    here.load(0)
    here.run(30)
    assert 8 == len(here.ready())


def test_fall_of_load_drains_several_at_once_but_not_more_than_may_be_at_risk() -> None:
    """From 8 to 2 in two decisions: half of the capacity at a time."""
    here = world(75)
    here.load(5)
    here.run(100)
    assert [4, 2] == totals(here)[-2:]


def test_panic_window_never_scales_down() -> None:
    """Within a calm window after a scale-up nothing is drained, however low the load."""
    here = world()
    here.load(60)
    here.run(8)
    here.load(0)
    here.run(50)
    assert 6 == len(here.ready())


def test_least_busy_are_drained() -> None:
    """The replicas with the fewest requests in flight go first."""
    here = world(75)
    for each in here.live():
        here.replicas[each] = replace(here.replicas[each], in_flight=0 if each in ("web-1", "web-4") else 5)
    here.load(45)
    here.run(90)
    stops = [stop for each in here.did(Scale) for stop in each.chosen.action.stops]
    assert {"web-1", "web-4"} <= set(stops[:3])


def test_unknown_load_changes_nothing() -> None:
    """Traffic that is silent is not a load of zero."""
    here = world(75)
    here.load(0)
    here.silence(TRAFFIC)
    here.run(200)
    assert (8, True) == (len(here.ready()), "load-unknown" in here.kinds())


def test_gap_in_the_readings_puts_a_scale_down_off() -> None:
    """The calm window must be known from end to end before anything is drained."""
    here = world(75)
    here.load(0)
    here.run(20)
    here.silence(TRAFFIC)
    here.run(25)
    here.silent.clear()
    here.run(30)
    assert 8 == len(here.ready())


def test_nothing_is_drained_while_health_is_silent() -> None:
    """Which replica could be spared cannot be told without health."""
    here = world(75)
    here.load(0)
    here.silence(HEALTH)
    here.run(200)
    assert (8, False) == (len(here.live()), "action-held" in here.kinds())


def test_bounds_of_a_new_spec_apply_at_once() -> None:
    """A higher `min` needs neither load nor a rollout."""
    here = world()
    here.up("r1", system(service(replicas=Range(min=4, max=8))))
    here.run(6)
    assert (4, ["r1"]) == (len(here.ready()), list(here.shares["web"]))


def test_lower_max_drains_within_the_share_at_risk() -> None:
    """A lower `max` is reached in steps that leave capacity standing."""
    here = world(75)
    here.up("r1", system(service(replicas=Range(min=1, max=2)), guards=Guards(at_risk=0.25)))
    here.run(30)
    assert (2, [6, 5, 4, 3, 2]) == (len(here.ready()), totals(here)[-5:])


def test_without_an_autoscaler_there_are_min() -> None:
    """No `scale` in the spec: the number is `min`."""
    here = World(system(service(scale=None))).settle()
    here.load(500)
    here.run(20)
    assert 2 == len(here.live())


def test_scaling_goes_on_during_a_rollout() -> None:
    """Load that rises while a candidate bakes gets its replicas."""
    here = world()
    here.up("r2")
    here.run(6)
    here.load(60)
    here.run(8)
    assert (6, "r2" in here.shares["web"]) == (len(here.ready("r1")), True)


@pytest.mark.parametrize(
    ("on", "goal", "sample", "needs"),
    [
        ("in_flight", 10.0, {"in_flight": 25.0}, 2.5),
        ("rate", 100.0, {"rate_per_s": 50.0}, 0.5),
        ("cpu", 0.5, {"cpu": 3.0}, 3.0),
        ("latency", 0.2, {"latency_p99_s": 0.3, "ready": 4.0}, 6.0),
        ("latency", 0.2, {"latency_p99_s": 0.3}, None),
        ("rate", 100.0, {"in_flight": 50.0}, None),
    ],
)
def test_what_a_load_needs(on: str, goal: float, sample: dict[str, float], needs: float | None) -> None:
    """Each metric is weighed against its goal for one replica; what is not known needs nothing."""
    samples = (Sample(at=99.0, readings=3, **sample),)
    wants = demand(samples, service(scale=Autoscale(on=on, goal=goal), resources=Resources(cpu=2.0)), 100.0)
    assert Demand(None if needs is None else pytest.approx(needs), None) == wants


def test_one_reading_alone_needs_nothing() -> None:
    """A single reading never scales anything."""
    samples = (Sample(at=99.0, in_flight=500.0, readings=1),)
    assert Demand(None, None) == demand(samples, service(scale=Autoscale()), 100.0)


def test_what_was_just_started_is_not_drained_for_a_calm_window() -> None:
    """However low the load was all along, a scale-up stands for the whole window."""
    here = world()
    here.up("r1", system(service(replicas=Range(min=6, max=8))))
    here.run(8)
    here.up("r1", system(service()))
    here.run(45)
    assert 6 == len(here.ready())
    here.run(60)
    assert 2 == len(here.ready())


def test_replica_of_unknown_readiness_is_not_counted_on() -> None:
    """What would be left has to be known to be ready, or nothing is drained."""
    here = world(55)
    here.load(0)
    for _ in range(100):
        here.replicas["web-3"] = replace(here.replicas["web-3"], ready=None)
        here.once()
    assert 6 == len(here.live())


def test_number_that_had_to_come_back_is_kept_longer_each_time() -> None:
    """What was drained and is needed again soon stays for two calm windows, then for four."""
    here = World().settle()
    kept_s = []
    for _ in range(3):
        here.load(28)
        here.run(12)
        begun, up = here.now, len(here.live())
        here.load(4)
        while len(here.live()) == up:
            here.once()
        kept_s.append(here.now - begun)
    assert [True, True, True] == [
        low <= each <= low + 20 for each, low in zip(kept_s, (60, 110, 230), strict=True)
    ]


def test_number_that_comes_back_long_after_is_kept_no_longer() -> None:
    """A load that rises again minutes later is another load."""
    here = World().settle()
    for _ in range(2):
        here.load(28)
        here.run(12)
        here.load(4)
        here.run(400)
    assert 0 == here.history.workloads["web"].returns


def test_next_replicas_are_drained_only_once_the_rest_shows_how_it_fares() -> None:
    """Between two steps down lies a panic window, however far the load has fallen."""
    here = world(55, replicas=Range(min=1, max=8))
    here.load(4)
    here.run(120)
    instants = [each.at for each in here.did(Scale) if each.chosen.action.stops]
    assert (5, True) == (
        sum(len(each.chosen.action.stops) for each in here.did(Scale)),
        all(later - first >= 6 for first, later in pairwise(instants)),
    )


def test_what_is_too_many_goes_before_the_number_is_lowered() -> None:
    """One more lives than is settled, one less is needed: both at once are more than may be at risk."""
    half = system(service(replicas=Range(min=1, max=8)), guards=Guards(at_risk=0.5, approve_above=1.0))
    here = World(half)
    here.load(12)
    here.settle(seconds=90)
    here.refuses = lambda action: "not now" if isinstance(action, Scale) else ""
    here.load(1)
    here.run(150)
    here.replicas["web-9"] = replace(here.replicas["web-1"], id="web-9")
    here.refuses = lambda _action: ""
    here.run(200)
    assert 1 == len(here.live())


@pytest.mark.parametrize(
    ("on", "goal", "followed", "total"),
    [
        ("in_flight", 10.0, {"in_flight": 6.0}, 4),
        ("latency", 0.2, {"latency_p99_s": 0.02, "ready": 8.0}, 7),
        ("latency", 0.2, {"latency_p99_s": 0.2, "ready": 8.0}, None),
    ],
)
def test_latency_takes_one_at_a_time(
    on: str, goal: float, followed: dict[str, float], total: int | None
) -> None:
    """It does not tell how many would do; what is counted goes down by what may be at risk."""
    scale = Autoscale(on=on, goal=goal, window_s=60.0, panic_window_s=6.0)  # type: ignore[arg-type]
    plan = builders.system(web=builders.service("web", (1, 9), scale=scale))
    samples = (Sample(at=-100.0, readings=9, **followed),)  # type: ignore[arg-type]
    history = builders.settled(plan, web=8)
    memory = replace(history.workloads["web"], samples=samples)
    history = replace(history, workloads={"web": memory}, heard=(builders.NOW - 1, builders.NOW))
    seen = builders.survey(builders.facts(wanted=plan, web=[builders.up] * 8))
    found = [each.capacity for each in scaling(plan, seen, history).proposals]
    assert ([] if total is None else [total]) == found

"""Repair: what is replaced, what is left alone, and when a person is called."""

from itertools import pairwise

from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.controllers.repair import exhausted, next_try, successors
from lamplighter.controllers.survey import Survey
from lamplighter.engine.revalidate import revalidate
from lamplighter.model.actions import Replace, Scale
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Phase
from lamplighter.model.history import Pending
from lamplighter.model.system import Guards, Range, Repair, Resources


def world(low: int = 3, high: int = 4, **changes: object) -> World:
    """Return a settled world of one service without an autoscaler."""
    return World(system(service(replicas=Range(min=low, max=high), scale=None, **changes))).settle()


def replaced(of: World) -> list[tuple[str, str]]:
    """Return who was replaced by whom."""
    return [(each.chosen.action.replica, each.chosen.action.start) for each in of.did(Replace)]


def test_dead_replica_is_replaced_in_the_same_pass() -> None:
    """A replica proven dead is replaced by the pass that sees it, from its own release."""
    here = world()
    here.kill("web-2")
    here.once()
    assert [("web-2", "web-4")] == replaced(here)
    assert "r1" == here.replicas["web-4"].release


def test_every_dead_replica_is_replaced_at_once() -> None:
    """Three deaths in one moment are three replacements in one pass."""
    here = world()
    for each in ("web-1", "web-2", "web-3"):
        here.kill(each)
    here.once()
    assert ["web-1", "web-2", "web-3"] == sorted(old for old, _ in replaced(here))


def test_dead_candidate_comes_back_from_its_own_release() -> None:
    """A canary that dies is replaced by a canary, not by the stable release."""
    here = world()
    here.up("r2")
    here.run(5)
    here.kill(here.ready("r2")[0])
    here.once()
    assert ["r2"] == [each.chosen.action.release for each in here.did(Replace)]


def test_replica_of_unknown_phase_is_left_alone() -> None:
    """While processes are silent nothing is replaced, and the finding names the source."""
    here = world()
    here.replicas["web-1"] = replace(here.replicas["web-1"], phase=Phase.UNKNOWN, ready=None)
    here.run(60)
    assert [] == replaced(here)
    assert "telemetry-silent" in here.kinds()


def test_silence_of_processes_stops_all_repair() -> None:
    """With processes silent not even a failing check leads to a replacement."""
    here = world()
    here.silence(PROCESSES)
    here.hang("web-1")
    here.run(30)
    assert ([], True) == (replaced(here), "telemetry-silent" in here.kinds())


def test_time_without_health_does_not_count_as_unhealthy() -> None:
    """A replica that failed before a silence of health must fail anew for the whole time after it."""
    here = world()
    here.hang("web-1")
    here.run(2)
    here.silence(HEALTH)
    here.run(30)
    here.silent.clear()
    here.run(3)
    assert [] == replaced(here)
    here.run(3)
    assert [("web-1", "web-4")] == replaced(here)


def test_unresponsive_replica_is_drained_and_replaced() -> None:
    """One that fails its checks for `unhealthy_after_s` is replaced while the others serve."""
    here = world()
    here.hang("web-1")
    here.run(3)
    assert [] == replaced(here)
    here.run(1)
    assert [("web-1", "web-4")] == replaced(here)
    assert Phase.DRAINING == here.replicas["web-1"].phase


def test_the_only_replica_is_replaced_by_one_that_serves_first() -> None:
    """When nothing else serves, the hung one ends only after its successor is ready."""
    here = world(1, 1)
    here.hang("web-1")
    here.run(5)
    assert ["web-1", "web-2"] == here.live()
    here.run(4)
    assert ["web-2"] == here.live()


def test_hung_one_is_not_drained_when_nobody_knows_any_more_whether_it_serves() -> None:
    """Its successor serves, and its drain is decided; right before that it must be known to fail still."""
    here = world(1, 1)
    here.hang("web-1")
    here.refuses = lambda action: "wait" if isinstance(action, Scale) and action.stops else ""
    (decision,) = [each for _ in range(9) for each in here.once().decisions if each.subject == "web-1"][1:2]
    here.replicas["web-1"] = replace(here.replicas["web-1"], ready=None)
    here.history = replace(here.history, pending={decision.id: Pending(decision=decision)})
    refusal = revalidate(decision, here.facts(), here.history, here.now)
    assert "precondition-unknown" == (refusal and refusal.code)


def test_one_that_came_up_unseen_may_fail_for_as_long_as_its_spec_bears() -> None:
    """Long after its start, and seen for the first time: it may have served all the while."""
    here = world()
    memory = here.history.workloads["web"]
    unseen = {each: at for each, at in memory.first_ready.items() if each != "web-1"}
    here.history = replace(here.history, workloads={"web": replace(memory, first_ready=unseen)})
    here.now += 100.0
    here.hang("web-1")
    here.run(3)
    assert [] == replaced(here)
    here.run(2)
    assert [("web-1", "web-4")] == replaced(here)


def test_memory_hog_is_drained_after_its_successor_serves() -> None:
    """Memory above the request for a few seconds: start first, drain then, never fewer ready."""
    here = world(2, 2, resources=Resources(memory_bytes=100))
    here.replicas["web-1"] = replace(here.replicas["web-1"], memory_bytes=150)
    fewest = 9
    for _ in range(15):
        here.once()
        fewest = min(fewest, len(here.ready()))
    assert (2, ["web-2", "web-3"]) == (fewest, here.ready())


def test_one_reading_above_the_memory_limit_is_forgiven() -> None:
    """A short peak is no leak."""
    here = world(2, 2, resources=Resources(memory_bytes=100))
    here.replicas["web-1"] = replace(here.replicas["web-1"], memory_bytes=150)
    here.run(2)
    here.replicas["web-1"] = replace(here.replicas["web-1"], memory_bytes=50)
    here.run(10)
    assert ["web-1", "web-2"] == here.ready()


def test_replica_that_never_gets_ready_is_replaced() -> None:
    """Not ready `start_timeout_s` after its start: another is tried."""
    here = world()
    here.never_ready.add("web-4")
    here.kill("web-1")
    here.run(30)
    assert [("web-1", "web-4"), ("web-4", "web-5")] == replaced(here)


def test_crash_loop_is_bounded_and_handed_over() -> None:
    """A place whose replicas never live is tried `attempts` times, at growing intervals, then left."""
    here = world(2, 2)
    for _ in range(60):
        for each in here.live():
            if each != "web-1" and here.now - here.replicas[each].started_at >= 1:
                here.kill(each)
        here.once()
    gaps = [late.at - early.at for early, late in pairwise(here.did(Replace))]
    assert [1.0, 2.0, 4.0, 8.0] == gaps
    assert (["web-7"], "needs-a-person" in here.kinds()) == (list(here.history.handed_over), True)


def test_place_is_tried_again_once_its_failures_are_long_ago() -> None:
    """The bound is within a window: after it, another attempt is made."""
    tries = (100.0, 101.0, 103.0)
    policy = Repair(attempts=3, window_s=600.0)
    assert [True, False] == [exhausted(policy, tries, now) for now in (650.0, 701.0)]


def test_first_repair_is_immediate_and_later_ones_wait_longer() -> None:
    """The wait doubles with the failures of a place, counted from the last start."""
    policy = Repair(backoff_s=1.0)
    waits = [next_try(policy, (500.0,) * count, 500.0, 500.0) - 500.0 for count in range(4)]
    assert [0.0, 1.0, 2.0, 4.0] == waits


def test_long_life_clears_a_place() -> None:
    """Killed again and again after having served, a place never runs out of attempts."""
    here = world(1, 1)
    for _ in range(12):
        here.kill(here.ready()[0])
        here.run(8)
    assert (12, {}) == (len(replaced(here)), here.history.handed_over)


def test_vanished_replicas_are_restored_by_one_scale() -> None:
    """Records that are lost (a reboot) count as missing after some seconds, not at once."""
    here = world()
    here.replicas.clear()
    here.run(4)
    assert [] == here.did(Scale, since=here.now - 5)
    here.run(4)
    assert [("web-4", "web-5", "web-6")] == [
        each.chosen.action.starts for each in here.did(Scale, since=here.now - 8)
    ]


def test_replica_that_was_told_to_end_is_not_repaired() -> None:
    """What drained and ended on request leaves nothing to repair."""
    here = World().settle()
    here.load(75)
    here.run(15)
    here.load(0)
    here.run(140)
    assert ([], 2) == (replaced(here), len(here.live()))


def test_refused_replacement_is_tried_again_later() -> None:
    """A target without room is asked again, at growing intervals, and the finding says why."""
    here = world()
    here.refuses = lambda action: "no room" if isinstance(action, Replace) else ""
    here.kill("web-1")
    here.run(12)
    tries = [one for one in here.history.closed if one.result == "refused"]
    assert 4 == len(tries)
    here.refuses = lambda _action: ""
    here.run(12)
    assert 3 == len(here.ready())


def test_no_more_than_the_share_at_risk_is_replaced_alive() -> None:
    """Of four unresponsive replicas with others serving, two at a time are replaced, not four."""
    here = World(system(service(replicas=Range(min=5, max=5), scale=None), guards=Guards(at_risk=0.4)))
    here.settle()
    for each in ("web-1", "web-2", "web-3", "web-4"):
        here.hang(each)
    here.run(4)
    assert (2, "action-held" in here.kinds()) == (len(replaced(here)), True)


def test_record_of_a_drained_replica_is_nobody_to_replace() -> None:
    """When another one vanishes without a trace, the one that was told to end does not stand in for it."""
    here = World().settle()
    here.load(38)
    here.run(12)
    here.load(0)
    here.run(75)
    assert Phase.EXITED in {each.phase for each in here.replicas.values()}
    del here.replicas[here.live()[0]]
    here.run(3)
    assert [] == replaced(here)


def test_drain_is_not_even_decided_before_the_successor_serves() -> None:
    """Nothing is proposed that would only be refused again."""
    here = world(1, 1)
    here.hang("web-1")
    here.run(15)
    assert {"verified"} == {each.result for each in here.history.closed}


def test_death_during_a_silence_of_processes_waits() -> None:
    """A proven death is repaired when processes are heard again: what else lives cannot be told before."""
    here = world()
    here.kill("web-1")
    here.silence(PROCESSES)
    assert () == here.once().decisions
    here.silent.clear()
    here.once()
    assert [("web-1", "web-4")] == replaced(here)


def test_dead_replica_beyond_a_lowered_max_is_not_replaced() -> None:
    """A place that the spec has no room for any more needs no repair."""
    here = world(4, 4)
    here.refuses = lambda action: "wait" if isinstance(action, Scale) else ""
    here.up("r1", system(service(replicas=Range(min=1, max=1), scale=None)))
    here.run(2)
    here.kill("web-1")
    here.run(5)
    assert [] == replaced(here)


def test_memory_hog_waits_while_it_is_one_of_the_last_that_serve() -> None:
    """Its successor serves, but another replica has just failed: it is drained after that is made good."""
    here = world(2, 2, resources=Resources(memory_bytes=100))
    here.replicas["web-1"] = replace(here.replicas["web-1"], memory_bytes=150)
    here.run(5)
    here.hang("web-2")
    fewest = 9
    for _ in range(15):
        here.once()
        fewest = min(fewest, len(here.ready()))
    assert (2, True) == (fewest, "web-1" not in here.live())


def test_successor_that_dies_before_it_serves_is_not_waited_for() -> None:
    """Its replacement is closed as failed at once, and its place is repaired."""
    here = world()
    here.kill("web-1")
    here.once()
    here.kill("web-4")
    here.run(8)
    assert ({}, 3) == (here.history.pending, len(here.ready()))


def test_name_that_a_held_replacement_would_have_had_is_not_used_twice() -> None:
    """One is held, the next goes ahead; the names go on from the highest that was given."""
    here = world(3, 3)
    here.hang("web-1")
    here.hang("web-2")
    here.run(3)
    here.kill("web-3")
    here.run(30)
    assert 3 == len(here.ready())


def test_memory_in_which_places_go_round_in_a_circle_ends() -> None:
    """However the memory came to be so, looking for a successor comes to an end."""
    here = world()
    memory = replace(here.history.workloads["web"], replaced={"web-1": "web-2", "web-2": "web-1"})
    survey = Survey(here.facts(), here.now)
    assert {"web-1", "web-2"} == successors(memory, survey, "web", "r1").keys()


def test_hung_replica_is_let_go_while_traffic_is_silent_but_one_that_serves_is_not() -> None:
    """What a replica has in flight matters only where it may still answer."""
    hung, hog = world(1, 1), world(1, 1, resources=Resources(memory_bytes=100))
    hung.hang("web-1")
    hog.replicas["web-1"] = replace(hog.replicas["web-1"], memory_bytes=150)
    for here in (hung, hog):
        here.silence(TRAFFIC)
        here.run(20)
    assert (["web-2"], ["web-1", "web-2"]) == (hung.live(), hog.live())


def test_what_has_yet_to_wait_for_its_needs_is_not_missing() -> None:
    """A first release that nothing came of is not started by a repair while what it needs cannot serve."""
    here = World(system(service(needs=("model",)), service("model")))
    here.up("r1")
    here.never_ready.add("model-1")
    memory = here.history.workloads["web"]
    here.history = replace(here.history, workloads={"web": replace(memory, wanted={"r1": 2})})
    here.run(12)
    assert [] == here.live(workload="web")


def test_no_successor_is_started_while_more_live_than_are_settled() -> None:
    """A drain that never arrived leaves one too many: that goes, then the memory hog gets its successor."""
    here = world(2, 6, resources=Resources(memory_bytes=100))
    here.refuses = lambda action: "not now" if isinstance(action, Scale) and action.stops else ""
    here.replicas["web-9"] = replace(here.replicas["web-2"], id="web-9")
    here.replicas["web-1"] = replace(here.replicas["web-1"], memory_bytes=150)
    here.run(20)
    assert 3 == len(here.live())
    here.refuses = lambda _action: ""
    here.run(120)
    assert (2, False) == (len(here.ready()), "web-1" in here.live())

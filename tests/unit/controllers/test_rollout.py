"""Rollout: steps, bake, room, failure, and the way back; traffic only to what is ready."""

from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.controllers.contracts import Why
from lamplighter.controllers.numbers import Numbers
from lamplighter.controllers.rollout import scales
from lamplighter.controllers.survey import Survey
from lamplighter.model.actions import Configure, Scale, Shift
from lamplighter.model.decisions import Priority
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC
from lamplighter.model.history import History, RolloutState
from lamplighter.model.system import Guards, Range, RolloutPolicy

WHY = Why(controller="rollout", priority=Priority.ROLLOUT, because="a test")


def world(low: int = 4, high: int = 8, surge: int = 1, **changes: object) -> World:
    """Return a settled world on release r1, without an autoscaler; steps of 25, 50 and 100%."""
    policy = RolloutPolicy(steps=(0.25, 0.5, 1.0), bake_s=10.0, surge=surge)
    plain = service(replicas=Range(min=low, max=high), scale=None, rollout=policy, **changes)
    return World(system(plain)).settle()


def state(here: World) -> RolloutState:
    """Return the rollout of `web`."""
    found = here.history.workloads["web"].rollout
    assert found is not None
    return found


def shares(here: World) -> list[float]:
    """Return the candidate's shares, in the order in which they were set."""
    return [each.chosen.action.shares.get("r2", 0.0) for each in here.did(Shift)][1:]


def lowest(here: World, seconds: int) -> int:
    """Run, and return the fewest ready replicas that there were."""
    fewest = len(here.ready())
    for _ in range(seconds):
        here.once()
        fewest = min(fewest, len(here.ready()))
    return fewest


def test_first_release_gets_everything_once_it_is_ready() -> None:
    """No stable release: `min` replicas at once, traffic as soon as one is ready, then it is stable."""
    here = World()
    here.up("r1")
    here.run(1)
    assert (["web-1", "web-2"], {}) == (here.live(), here.shares)
    here.run(5)
    assert ({"web": {"r1": 1.0}}, "r1") == (here.shares, here.history.workloads["web"].stable)


def test_gateway_is_configured_before_anything_is_started() -> None:
    """The first pass configures, and only the next one starts replicas."""
    here = World()
    here.refuses = lambda action: "" if isinstance(action, Scale) else "not now"
    here.up("r1")
    here.run(5)
    assert [] == here.live()


def test_candidate_goes_through_its_steps() -> None:
    """A quarter, a half, all: each share with the replicas for it, stable whole until the end."""
    here = world()
    here.up("r2")
    fewest = lowest(here, 60)
    assert ([0.25, 0.5, 1.0], 4, ["r2"]) == (shares(here), fewest, list(here.shares["web"]))
    assert ([], 4) == (here.live("r1"), len(here.ready("r2")))


def test_each_step_bakes() -> None:
    """Between two shares lies at least the bake time."""
    here = world()
    here.up("r2")
    here.run(60)
    first, second, last = (each.at for each in here.did(Shift)[1:])
    assert (True, True) == (second - first >= 10, last - second >= 10)


def test_no_traffic_before_it_is_ready() -> None:
    """A candidate that is not ready gets no share."""
    here = world()
    here.never_ready.add("r2")
    here.up("r2")
    here.run(15)
    assert [] == shares(here)


def test_tight_room_is_used_one_replica_at_a_time() -> None:
    """At `max` with a surge of one: never more than one beyond it, never fewer ready than needed."""
    here = world(4, 4)
    here.up("r2")
    most, fewest = 0, 9
    for _ in range(80):
        here.once()
        most, fewest = max(most, len(here.live())), min(fewest, len(here.ready()))
    assert (5, 4, {"r2": 1.0}) == (most, fewest, here.shares["web"])


def test_without_room_beyond_min_a_rollout_waits_and_says_so() -> None:
    """`min` equals `max` and no surge: starting one would need going below or above."""
    here = world(2, 2, surge=0)
    here.up("r2")
    here.run(30)
    assert ("rollout-has-no-room" in here.kinds(), ["r1"]) == (True, list(here.shares["web"]))


def test_candidate_that_never_gets_ready_is_given_up() -> None:
    """Not ready in its start timeout: traffic stays, the candidate goes, the reason is kept."""
    here = world()
    here.never_ready.add("r2")
    here.up("r2")
    here.run(40)
    assert ("failed", {"r1": 1.0}, []) == (state(here).verdict, here.shares["web"], here.live("r2"))
    assert "was not ready 20 s after its start" in state(here).reason


def test_candidate_that_crashes_on_its_traffic_gives_it_back() -> None:
    """A crash loop with a share of traffic: traffic back first, then the candidate is drained."""
    here = world()
    here.up("r2")
    here.run(5)
    for _ in range(40):
        for each in here.live("r2"):
            if here.now - here.replicas[each].started_at >= 3:
                here.kill(each)
        here.once()
    back = next(
        each.at for each in here.did(Shift) if each.chosen.action.shares == {"r1": 1.0} and each.at > 1016
    )
    drained = next(each.at for each in here.did(Scale) if each.chosen.action.replicas == 0)
    assert ("failed", True) == (state(here).verdict, back < drained)
    assert {"r1": 1.0} == here.shares["web"]


def test_one_kill_during_the_bake_starts_the_bake_anew() -> None:
    """A single death is repaired, and the step bakes for its whole time again."""
    here = world()
    here.up("r2")
    here.run(9)
    here.kill(here.ready("r2")[0])
    here.run(9)
    assert ("", 0) == (state(here).verdict, state(here).step)
    here.run(60)
    assert "promoted" == state(here).verdict


def test_silence_of_health_is_not_failure() -> None:
    """A rollout without health waits, and bakes anew when health is heard again."""
    here = world()
    here.up("r2")
    here.run(6)
    here.silence(HEALTH)
    here.run(100)
    assert ("", 0, "rollout-waits" in here.kinds()) == (state(here).verdict, state(here).step, True)
    here.silent.clear()
    here.run(60)
    assert "promoted" == state(here).verdict


def test_time_that_nobody_saw_is_no_shortfall() -> None:
    """Short for a moment, then nothing was known for long: what is short now has been so for no time yet."""
    here = world()
    here.up("r2")
    here.run(8)
    for each in here.ready("r2"):
        here.hang(each)
    here.run(3)
    here.silence(PROCESSES)
    here.run(30)
    here.silent.clear()
    here.never_ready.clear()
    here.once()
    assert "" == state(here).verdict


def test_same_candidate_again_changes_nothing() -> None:
    """A second `up` with the release that is rolling out goes on with it."""
    here = world()
    here.up("r2")
    here.run(8)
    before = state(here)
    assert "no release changes" == here.up("r2").detail
    assert before.started_at == state(here).started_at


def test_newer_release_supersedes_the_candidate() -> None:
    """The old candidate gives its traffic back and is drained; stable is not touched before."""
    here = world()
    here.up("r2")
    here.run(6)
    here.up("r3")
    fewest = lowest(here, 70)
    assert ([], {"r3": 1.0}) == (here.live("r2") + here.live("r1"), here.shares["web"])
    assert 4 <= fewest


def test_release_that_is_found_to_serve_alone_is_the_stable_one() -> None:
    """A candidate bakes beside who has all the traffic, though the record of how that came about is lost."""
    world = World().settle("r1")
    world.history = History()
    world.up("r2")
    world.run(8.0)
    assert ("r1", {"r1": 0.75, "r2": 0.25}) == (world.history.workloads["web"].stable, world.shares["web"])


def test_release_that_serves_where_no_shares_are_set_is_the_stable_one() -> None:
    """Every release gets traffic there: the only one that is ready has served, the candidate has to bake."""
    world = World().settle("r1")
    world.history, world.shares = History(), {}
    world.up("r2")
    world.once()
    assert "r1" == world.history.workloads["web"].stable


def test_stable_release_that_is_lost_gets_its_room_back() -> None:
    """A candidate that was given up has all the room and serves: it has the traffic until stable is back."""
    here = World(system(service(scale=None, replicas=Range(min=3, max=3)))).settle("r1")
    here.up("r2")
    here.run(40)
    memory = here.history.workloads["web"]
    state = RolloutState(candidate="r2", stable="r1", verdict="failed")
    full = replace(memory, stable="r1", wanted={"r2": 4}, rollout=state)
    here.history = replace(here.history, workloads={"web": full})
    here._start("web", "r2", ("web-90",))
    here.shares = {"web": {"r1": 0.6667, "r2": 0.3333}}
    here.run(2)
    assert {"web": {"r2": 1.0}} == here.shares
    here.run(40)
    assert ({"web": {"r1": 1.0}}, 3) == (here.shares, len(here.ready("r1")))


def test_candidate_that_serves_alone_is_stable_for_the_one_that_supersedes_it() -> None:
    """Stable hangs, the candidate has taken all of the traffic: what comes next has to bake beside it."""
    here = world(1)
    here.refuses = lambda action: "no" if getattr(action, "replica", "") == "web-1" else ""
    here.hang("web-1")
    here.up("r2")
    here.run(16)
    assert {"web": {"r2": 1.0}} == here.shares
    here.up("r3")
    here.run(6)
    assert ("r2", 0.25) == (here.history.workloads["web"].stable, here.shares["web"].get("r3", 0.0))


def test_release_that_was_called_back_makes_room_and_gets_no_more_traffic() -> None:
    """Nothing of the stable release is left, and what was called back has all of the room."""
    here = World(system(service(scale=None, replicas=Range(min=3, max=3)))).settle("r1")
    memory = here.history.workloads["web"]
    state = RolloutState(candidate="r2", stable="r1", verdict="rolled-back")
    left = replace(memory, wanted={"r2": 4}, rollout=state)
    here.history = replace(here.history, workloads={"web": left})
    here.replicas = {}
    here._start("web", "r2", ("web-90", "web-91", "web-92", "web-93"))
    here.shares = {"web": {"r1": 0.6667, "r2": 0.3333}}
    here.run(40)
    shares = [each.chosen.action.shares.get("r2", 0.0) for each in here.did(Shift)]
    assert ({"web": {"r1": 1.0}}, True) == (here.shares, all(each <= 0.3334 for each in shares))


def test_rollback_during_a_rollout_returns_traffic_first() -> None:
    """`rollback` gives stable all of the traffic at once, then drains the candidate."""
    here = world()
    here.up("r2")
    here.run(6)
    here.rollback()
    here.run(1)
    assert {"r1": 1.0} == here.shares["web"]
    here.run(5)
    assert ([], "rolled-back") == (here.live("r2"), state(here).verdict)


def test_rollback_takes_back_the_traffic_that_is_on_its_way() -> None:
    """A share of which nobody knows whether it was given is taken back before the candidate is drained."""
    world = World().settle("r1")
    world.loses = lambda action: isinstance(action, Shift) and "r2" in action.shares
    world.up("r2")
    world.run(3.0)
    world.rollback()
    world.once()
    assert [{"r1": 1.0}] == [each.chosen.action.shares for each in world.did(Shift)[-1:]]  # type: ignore[union-attr]
    world.run(5.0)
    assert [] == world.live("r2")


def test_traffic_on_its_way_is_taken_back_when_stable_serves_again() -> None:
    """All of it was to go to the candidate since stable was lost; that is back before an answer."""
    here = world(1)
    here.refuses = lambda action: "no" if getattr(action, "replica", "") == "web-1" else ""
    here.hang("web-1")
    here.loses = lambda action: isinstance(action, Shift) and action.shares == {"r2": 1.0}
    here.up("r2")
    here.run(12)
    here.never_ready.clear()
    given = {each.chosen.action.shares.get("r2") for each in here.did(Shift)}
    here.run(2)
    left = {each.decision.chosen.action.shares.get("r2") for each in here.history.pending.values()}
    assert (True, False) == (1.0 in given, 1.0 in left)


def test_rollback_afterwards_needs_no_bake_and_loses_no_capacity() -> None:
    """Going back to an earlier release: start, shift, drain; within seconds, at full strength."""
    here = world()
    here.up("r2")
    here.run(60)
    since = here.now
    here.rollback()
    fewest = lowest(here, 8)
    assert ({"r1": 1.0}, 4) == (here.shares["web"], fewest)
    assert here.did(Shift)[-1].at - since <= 4


def test_fix_takes_over_from_a_stable_release_that_is_wholly_lost() -> None:
    """Nothing of stable serves any more: the new release takes all of the traffic, unbaked."""
    here = world()
    here.never_ready.add("r1")
    for each in here.live("r1"):
        here.hang(each)
    here.run(12)
    here.up("r2")
    here.run(15)
    assert {"r2": 1.0} == here.shares["web"]


def test_change_that_changes_no_release_starts_no_rollout() -> None:
    """New bounds, goals or guards leave the replicas as they are."""
    here = world()
    here.up("r1", system(service(replicas=Range(min=4, max=9), scale=None, route="/web")))
    here.run(10)
    assert ["web-1", "web-2", "web-3", "web-4"] == here.live()


def test_service_waits_for_what_it_needs() -> None:
    """A first release starts when the services that it needs have a ready replica."""
    here = World(system(service("web", needs=("model",)), service("model")))
    here.up("r1")
    here.run(2)
    assert ([], 2) == (here.live(), len(here.live(workload="model")))
    assert "waits-for-needs" in here.kinds()
    here.run(6)
    assert 2 == len(here.ready())


def test_what_a_first_release_waited_for_must_serve_right_before_it_is_started() -> None:
    """Its start had no answer; when it is asked for again, what it needs does not serve any more."""
    here = World(system(service(needs=("model",)), service("model")))
    here.loses = lambda action: getattr(action, "workload", "") == "web"
    here.up("r1")
    while not here.did(Scale) or not any(each.subject == "web/r1" for each in here.did(Scale)):
        here.once()
    here.loses = lambda _action: False
    for each in here.ready(workload="model"):
        here.hang(each)
    here.run(4)
    assert [] == here.live(workload="web")


def test_target_that_refuses_the_candidate_ends_the_rollout() -> None:
    """Refused time and again: given up, with the target's own words."""
    here = world()
    here.refuses = lambda action: "no room" if getattr(action, "release", "") == "r2" else ""
    here.up("r2")
    here.run(90)
    assert ("failed", True) == (state(here).verdict, "no room" in state(here).reason)


def test_without_surge_stable_makes_way_as_far_as_min_allows() -> None:
    """At `max` with no surge, one replica is drained before the first candidate starts."""
    policy = RolloutPolicy(steps=(0.5, 1.0), bake_s=2.0, surge=0)
    here = World(system(service(replicas=Range(min=1, max=2), rollout=policy)))
    here.load(18)
    here.settle(seconds=20)
    assert 2 == len(here.ready())
    here.up("r2")
    most = 0
    for _ in range(60):
        here.once()
        most = max(most, len(here.live()))
    assert (2, {"r2": 1.0}) == (most, here.shares["web"])


def test_half_ready_candidate_waits_for_its_share() -> None:
    """A step that needs two replicas gets its traffic when both are ready, not when they are there."""
    here = world()
    here.up("r2")
    here.run(6)
    here.never_ready.add("web-6")
    here.run(14)
    assert ([0.25], ["web-5"]) == (shares(here), here.ready("r2"))


def test_traffic_is_not_even_decided_before_something_is_ready() -> None:
    """Nothing is proposed that would only be refused again."""
    here = World().settle()
    assert {"verified"} == {each.result for each in here.history.closed}


def test_crash_loop_ends_a_rollout_with_its_own_reason() -> None:
    """Three candidates that end soon after their start are enough."""
    here = world()
    here.up("r2")
    for _ in range(20):
        for each in here.live("r2"):
            here.kill(each)
        here.once()
    assert "3 of its replicas ended soon after their start" == state(here).reason


def test_rollout_drains_no_more_at_once_than_may_be_at_risk() -> None:
    """Tight room and a small share at risk: stable makes way one by one, and the rollout ends."""
    here = world(6, 6, surge=3)
    here.up("r2", system(replace(here.wanted.services["web"]), guards=Guards(at_risk=0.2)))
    here.run(120)
    drained = [len(each.chosen.action.stops) for each in here.did(Scale) if each.chosen.contract.blast_radius]
    assert ("promoted", {1}) == (state(here).verdict, set(drained))


def test_order_to_roll_back_ends_with_the_rollback() -> None:
    """Long after a rollback, what the loop does by itself is nobody's order."""
    here = world(2, 4)
    here.up("r2")
    here.run(60)
    here.rollback()
    here.run(20)
    since = here.now
    here.up("r1", system(service(replicas=Range(min=4, max=4), scale=None)))
    here.run(10)
    assert {""} == {each.chosen.ordered_by for each in here.did(Scale, since)}


def test_rollout_without_room_waits_while_traffic_is_silent() -> None:
    """Making way means to drain what serves: not while nobody knows what is in flight."""
    here = world(4, 4)
    here.up("r2")
    here.run(8)
    here.silence(TRAFFIC)
    here.run(40)
    assert (4, "action-held" in here.kinds()) == (len(here.live("r1")) + len(here.live("r2")) - 1, True)


def test_traffic_is_not_taken_from_what_may_serve() -> None:
    """A candidate that was given up, of unknown readiness, keeps its share until stable can carry it."""
    here = world(2, 2)
    here.up("r2")
    here.run(25)
    assert 0.5 == here.shares["web"]["r2"]
    for each in here.live("r1"):
        here.never_ready.add(each)
        here.replicas[each] = replace(here.replicas[each], ready=False)
    for each in here.live("r2"):
        here.replicas[each] = replace(here.replicas[each], ready=None)
    here.rollback()
    assert [] == here.did(Shift, since=here.now - 1)


def test_stable_makes_way_only_once_all_that_stay_serve() -> None:
    """Where two of stable are only coming, none of the three that serve is drained to make room."""
    here = world(3, 5, surge=0)
    memory = replace(here.history.workloads["web"], wanted={"r1": 5})
    survey = Survey(here.facts(), here.now)
    (there,) = scales(survey, service(), replace(memory, wanted={"r1": 3}), Numbers({"r1": 2}), WHY)
    assert 1 == len(there.action.stops)
    survey.motion.coming["web", "r1"] = ["web-4", "web-5"]
    assert [] == scales(survey, service(), memory, Numbers({"r1": 4}), WHY)


def test_first_release_serves_until_the_one_that_supersedes_it_can() -> None:
    """With no shares set yet it has all of the traffic: it is the stable one, and the other has to bake."""
    here = World(system(service(scale=None)))
    here.refuses = lambda action: "not now" if isinstance(action, Shift) else ""
    here.up("r1")
    here.run(6)
    here.never_ready.add("r2")
    here.up("r2")
    here.run(10)
    assert (2, {}) == (len(here.ready("r1")), here.shares)
    here.never_ready.clear()
    here.refuses = lambda _action: ""
    here.run(45)
    assert ([], {"web": {"r2": 1.0}}) == (here.live("r1"), here.shares)


def test_workload_that_is_short_says_what_it_waits_for() -> None:
    """Ordered down and up again while the gateway does not answer, it says why none of it is started."""
    here = world(2, 4)
    here.down()
    here.run(1)
    here.loses = lambda action: isinstance(action, Configure)
    here.up("r1", replace(here.wanted, timezone="Europe/Berlin"))
    here.run(3)
    said = [each.message for each in here.results[-1].findings if each.kind == "rollout-waits"]
    assert ["web, 0 of 2, waits for the gateway"] == said


def test_candidate_is_not_blamed_for_replicas_that_a_guard_holds_back() -> None:
    """The load grows during a step; what its share needs now is not started, and it goes on all the same."""
    here = World(system(service(rollout=RolloutPolicy(steps=(0.25, 1.0), bake_s=30.0, surge=2)))).settle()
    here.load(10)
    here.up("r2")
    while here.shares["web"].get("r2") != 0.25:
        here.once()
    memory = replace(here.history.workloads["web"], capacity=8)
    here.history = replace(here.history, workloads={"web": memory})
    here.load(75)
    here.up("r2", replace(here.wanted, guards=Guards(actions=1, window_s=600.0)))
    here.run(25)
    assert (1, "") == (len(here.ready("r2")), state(here).verdict)

"""To zero and back: only when it is known to be idle, never in a rollout, and up on the first request."""

from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.engine.revalidate import revalidate
from lamplighter.model.actions import Scale, Shift
from lamplighter.model.decisions import Decision
from lamplighter.model.facts import PROCESSES, TRAFFIC, Load
from lamplighter.model.history import WorkloadHistory
from lamplighter.model.system import Guards, Range, RolloutPolicy, Service
from lamplighter.model.system import Scale as Autoscale

IDLE_S = 30.0
QUIET = Load(in_flight=0, queued=0, rate_per_s=0.0)
WAITING = Load(in_flight=0, queued=1, rate_per_s=0.0)


def sleeper(**changes: object) -> Service:
    """Return a service that goes to zero after half a minute."""
    scale = Autoscale(goal=10.0, idle_s=IDLE_S)
    return replace(service(replicas=Range(min=0, max=4)), scale=scale, **changes)


def world(**changes: object) -> World:
    """Return a world whose service was brought up and is asked for nothing, some seconds before it goes."""
    here = World(system(sleeper(**changes)))
    here.loads["web"] = QUIET
    return here.settle(seconds=IDLE_S / 2)


def asleep(**changes: object) -> World:
    """Return a world whose service has gone to zero."""
    here = world(**changes)
    here.run(2 * IDLE_S)
    assert [] == here.live()
    return here


def memory(here: World) -> WorkloadHistory:
    """Return what is remembered of the service."""
    return here.history.workloads["web"]


def wake(here: World, load: Load = WAITING) -> None:
    """Have requests wait."""
    here.loads["web"] = load


def test_the_first_release_is_started_once() -> None:
    """`up` starts one replica, which shows that the release serves."""
    assert 1 == len(world().ready())


def test_it_goes_to_zero_once_it_was_idle_for_long_enough() -> None:
    """The last replica goes `idle` after the last request, not before."""
    here = world()
    here.loads["web"] = Load(in_flight=1, queued=0, rate_per_s=0.0)
    here.run(60)
    here.loads["web"] = QUIET
    since = here.now
    here.run(2 * IDLE_S)
    stopped = here.did(Scale, since)[0]
    assert (True, []) == (IDLE_S <= stopped.at - since <= IDLE_S + 2, here.live())


def test_answers_between_two_readings_keep_it_up() -> None:
    """Requests that are over at every look show in the rate."""
    here = world()
    here.loads["web"] = Load(in_flight=0, queued=0, rate_per_s=0.2)
    here.run(5 * IDLE_S)
    assert 1 == len(here.ready())


def test_one_open_stream_keeps_it_up() -> None:
    """A WebSocket on which nothing moves is in flight."""
    here = world()
    here.loads["web"] = Load(in_flight=1, queued=0, rate_per_s=0.0)
    here.run(5 * IDLE_S)
    assert 1 == len(here.ready())


def test_unknown_is_not_idle() -> None:
    """While nobody says what is asked of it, it stays; then the time of idleness begins anew."""
    here = world()
    here.silence(TRAFFIC)
    here.run(5 * IDLE_S)
    here.silent.clear()
    since = here.now
    here.run(2 * IDLE_S)
    assert IDLE_S <= here.did(Scale, since)[0].at - since


def test_a_rate_that_is_not_known_is_not_zero() -> None:
    """A gateway that has just started has not counted what was before."""
    here = world()
    here.loads["web"] = Load(in_flight=0, queued=0)
    here.run(5 * IDLE_S)
    assert 1 == len(here.ready())


def test_it_stays_up_while_a_rollout_goes_on() -> None:
    """A candidate that bakes is not taken away for want of requests."""
    here = world(rollout=RolloutPolicy(steps=(0.25, 1.0), bake_s=5 * IDLE_S))
    here.up("r2")
    here.run(2 * IDLE_S)
    assert (True, True) == (bool(here.live("r1")), bool(here.live("r2")))


def test_an_approval_for_every_risk_is_not_asked_for_this() -> None:
    """Nothing is at risk where nothing is in flight and what comes is held."""
    here = World(replace(system(sleeper()), guards=Guards(approve_above=0.01)))
    here.loads["web"] = QUIET
    here.settle(seconds=3 * IDLE_S)
    assert [] == here.live()


def test_a_request_that_came_meanwhile_stops_the_stop() -> None:
    """Right before the last replica is stopped it is looked once more whether nothing is asked of it."""
    here = world()
    stop = stopping(here)
    here.loads["web"] = WAITING
    refusal = revalidate(stop, here.facts(), here.history, here.now)
    assert "precondition-false" == (refusal.code if refusal else "")


def stopping(here: World) -> Decision:
    """Return the decision that stops the last replica, as soon as it is made."""
    for _ in range(int(3 * IDLE_S)):
        decided = [each for each in here.once().decisions if isinstance(each.chosen.action, Scale)]
        if decided:
            return decided[0]
    raise AssertionError("it was never stopped")


def test_a_waiting_request_starts_one_in_the_same_pass() -> None:
    """From zero one reading is enough, also right after a silence."""
    here = asleep()
    here.silence(TRAFFIC)
    here.run(20)
    here.silent.clear()
    wake(here)
    assert [1] == [each.chosen.action.replicas for each in here.once().decisions]


def test_many_waiting_requests_start_as_many_as_they_need() -> None:
    """The queue is a load like any other: a goal of 10 each, and at most `max`."""
    here = asleep()
    wake(here, Load(in_flight=0, queued=25, rate_per_s=0.0))
    here.run(5)
    assert 3 == len(here.ready())


def test_a_wake_needs_no_gateway_statistics() -> None:
    """Waiting requests are known by whoever holds them, whatever else is not."""
    here = asleep()
    wake(here, Load(queued=1))
    here.run(5)
    assert 1 == len(here.ready())


def test_it_is_not_started_while_processes_are_unknown() -> None:
    """One may be running that nobody sees."""
    here = asleep()
    here.silence(PROCESSES)
    here.run(10)
    wake(here)
    assert [] == here.live()


def test_a_crash_at_the_first_start_is_repaired() -> None:
    """Requests go on waiting, and the next one serves them."""
    here = asleep()
    wake(here)
    here.once()
    here.kill(here.live()[0])
    here.run(10)
    assert 1 == len(here.ready())


def test_a_new_release_at_zero_is_tried_alone() -> None:
    """One replica shows that it serves; the old release is not started for that, and nothing bakes."""
    here = asleep()
    since = here.now
    here.up("r2")
    here.run(10)
    started = [each.chosen.action.release for each in here.did(Scale, since)]
    assert ("r2", {"r2"}) == (memory(here).stable, set(started))


def test_the_next_start_is_of_the_new_release() -> None:
    """Once tried, it goes to zero like any other, and comes back as itself."""
    here = asleep()
    here.up("r2")
    here.run(10 + 2 * IDLE_S)
    assert [] == here.live()
    wake(here)
    here.run(5)
    assert 1 == len(here.ready("r2"))


def test_a_bad_release_at_zero_leaves_the_old_one_in_force() -> None:
    """It is given up, and what comes is served by the release before."""
    here = asleep()
    here.never_ready.add("bad")
    here.up("bad")
    here.run(90)
    wake(here)
    here.run(5)
    assert ("r1", 1) == (memory(here).stable, len(here.ready("r1")))


def test_requests_that_wait_during_that_trial_get_the_old_release() -> None:
    """Nobody waits for a release that may never serve while there is one that does."""
    here = asleep()
    here.never_ready.add("bad")
    here.up("bad")
    wake(here)
    here.run(8)
    assert 1 == len(here.ready("r1"))


def test_a_rollback_at_zero_starts_the_earlier_release() -> None:
    """It is tried alone as well, and is then the one that the next request starts."""
    here = asleep()
    here.up("r2")
    here.run(10 + 2 * IDLE_S)
    here.rollback()
    here.run(10)
    assert ("r1", []) == (memory(here).stable, here.live("r2"))


def test_who_needs_a_service_at_zero_need_not_wait_for_it() -> None:
    """It starts when it is asked."""
    caller = service(name="front", needs=("web",))
    here = asleep()
    here.up("r1", replace(here.wanted, services={**here.wanted.services, "front": caller}))
    here.run(10)
    assert 2 == len(here.live(workload="front"))


def test_release_from_zero_bakes_beside_one_that_turns_out_to_serve() -> None:
    """Nobody knew whether requests wait, so the former release was started: it takes traffic."""
    here = asleep(rollout=RolloutPolicy(steps=(0.25, 1.0), bake_s=10.0, surge=1))
    here.silence(TRAFFIC)
    here.up("r2")
    here.run(6)
    shares = [each.chosen.action.shares for each in here.did(Shift)]
    assert (True, {"r1": 0.75, "r2": 0.25}) == (bool(here.ready("r1")), shares[-1])

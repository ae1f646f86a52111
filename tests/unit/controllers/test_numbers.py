"""Numbers: who grows and who makes way while traffic moves from one release to another."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import Why
from lamplighter.controllers.numbers import Numbers, numbers
from lamplighter.controllers.rollout import scales
from lamplighter.model.decisions import Priority
from lamplighter.model.history import RolloutState, WorkloadHistory
from lamplighter.model.system import RolloutPolicy
from lamplighter.testing.builders import Shape, facts, hung, of, service, survey, up

MAYBE = replace(up, ready=None)


@pytest.mark.parametrize(("candidate", "stable"), [(up, 1), (hung, 2)])
def test_stable_makes_way_for_what_carries_too_much_already(candidate: Shape, stable: int) -> None:
    """Given 60% while nothing of stable lived, a candidate of one needs two: as many serve as before."""
    web = service("web", 2, rollout=RolloutPolicy(steps=(0.6, 1.0), surge=1))
    state = RolloutState(candidate="r2", stable="r1")
    memory = WorkloadHistory(stable="r1", rollout=state, capacity=2, wanted={"r1": 2, "r2": 1})
    seen = facts(web=[up, up, of("r2", candidate)])
    seen = replace(seen, shares={"web": {"r1": 0.4, "r2": 0.6}})
    assert {"r1": stable, "r2": 1} == numbers(memory, web, survey(seen), 2).wanted


def test_release_that_was_ended_is_not_started_for_traffic_that_nobody_took_from_it() -> None:
    """All was ordered down and up again in a rollout: what the gateway still gives an earlier one is void."""
    web = service("web", 2, rollout=RolloutPolicy(steps=(0.5, 1.0), surge=1))
    state = RolloutState(candidate="r2", stable="r1")
    memory = WorkloadHistory(stable="r1", rollout=state, capacity=2)
    seen = replace(facts(web=[]), shares={"web": {"r0": 0.3, "r1": 0.7}})
    assert {"r2": 2} == numbers(memory, web, survey(seen), 2).wanted


def test_release_with_traffic_keeps_what_that_needs_whatever_is_settled() -> None:
    """One that left the spec and came back has no number; what takes traffic is not drained."""
    web = service("web", 4, rollout=RolloutPolicy(steps=(0.5, 1.0), surge=1))
    memory = WorkloadHistory(stable="r1", capacity=4)
    seen = replace(facts(web=[up, up, of("r0")]), shares={"web": {"r0": 0.3, "r1": 0.7}})
    assert 1 == numbers(memory, web, survey(seen), 4).wanted["r0"]


@pytest.mark.parametrize(("candidate", "stable"), [(up, 2), (hung, 3)])
def test_stable_that_comes_back_too_late_makes_way(candidate: Shape, stable: int) -> None:
    """It was lost and its traffic went to the candidate, which needs the room; not before that serves."""
    web = service("web", (2, 4), rollout=RolloutPolicy(steps=(1.0,), surge=1))
    state = RolloutState(candidate="r2", stable="r1")
    memory = WorkloadHistory(stable="r1", rollout=state, capacity=4, wanted={"r1": 3, "r2": 2})
    seen = replace(facts(web=[up, up, up, *[of("r2", candidate)] * 2]), shares={"web": {"r2": 1.0}})
    assert {"r1": stable, "r2": 2} == numbers(memory, web, survey(seen), 4).wanted


@pytest.mark.parametrize(("gains", "drained"), [({"r1": 1.0}, 0), (None, 1)])
def test_release_that_gains_traffic_by_this_very_move_is_not_drained(
    gains: dict[str, float] | None, drained: int
) -> None:
    """What is too many of it goes once the traffic is there, and it is known who serves."""
    web, memory = service("web", 1), WorkloadHistory(stable="r1", wanted={"r1": 2})
    seen = survey(replace(facts(web=[up, up]), shares={"web": {"r0": 1.0}}))
    why = Why(controller="rollout", priority=Priority.ROLLOUT, because="a test")
    assert drained == len(scales(seen, web, memory, Numbers({"r1": 1}, gains), why))


@pytest.mark.parametrize(("there", "wanted"), [(4, {"r1": 3, "r2": 2}), (1, {"r1": 1, "r2": 5})])
def test_stable_without_traffic_makes_way_for_a_candidate_that_has_all(
    there: int, wanted: dict[str, int]
) -> None:
    """Nothing of stable lived for a while, and it is back at full number: the candidate has to have room."""
    web = service("web", (3, 6), rollout=RolloutPolicy(steps=(0.6, 1.0), surge=0))
    state = RolloutState(candidate="r2", stable="r1")
    memory = WorkloadHistory(stable="r1", rollout=state, capacity=6, wanted={"r1": there, "r2": 2})
    seen = replace(facts(web=[up] * there + [of("r2")] * 2), shares={"web": {"r2": 1.0}})
    assert wanted == numbers(memory, web, survey(seen), 6).wanted


def test_what_a_lost_stable_has_goes_to_an_earlier_release_that_serves_and_not_to_the_candidate() -> None:
    """Half of the traffic is with nobody: r0, which has the other half, takes it; r2 is to be baked first."""
    web = service("web", 2, rollout=RolloutPolicy(steps=(0.05, 1.0), surge=1))
    state = RolloutState(candidate="r2", stable="r1")
    memory = WorkloadHistory(stable="r1", rollout=state, capacity=2, wanted={"r0": 2, "r2": 2})
    seen = replace(
        facts(web=[of("r0", up), of("r0", up), of("r2", up)]), shares={"web": {"r0": 0.5, "r1": 0.5}}
    )
    assert {"r0": 1.0} == numbers(memory, web, survey(seen), 2).shares


@pytest.mark.parametrize(("hidden", "shares"), [({}, {"r1": 1.0}), ({"web-9": 59.0}, {"r1": 0.5, "r2": 0.5})])
def test_traffic_stays_where_one_may_serve_that_is_only_not_listed(
    hidden: dict[str, float], shares: dict[str, float]
) -> None:
    """A list leaves out the only one of a release that serves: it keeps what r1 alone could not carry."""
    web = service("web", 2, rollout=RolloutPolicy(steps=(0.5, 1.0), surge=1))
    state = RolloutState(candidate="r3", stable="r1")
    memory = WorkloadHistory(stable="r1", rollout=state, capacity=2, wanted={"r1": 2, "r2": 1})
    memory = replace(memory, unlisted_since=hidden)
    seen = replace(facts(web=[up, hung]), shares={"web": {"r1": 0.3, "r2": 0.7}})
    assert shares == numbers(memory, web, survey(seen), 2).shares


@pytest.mark.parametrize(
    ("candidate", "shares"), [(up, {"r1": 0.5, "r2": 0.5}), (hung, {"r1": 1.0}), (MAYBE, None)]
)
def test_forgotten_shares_are_not_set_anew_before_it_is_known_who_serves(
    candidate: Shape, shares: dict[str, float] | None
) -> None:
    """Until then every release that serves has its part of the traffic; unknown is not failed."""
    web = service("web", 2, rollout=RolloutPolicy(steps=(0.5, 1.0), surge=1))
    state = RolloutState(candidate="r2", stable="r1")
    memory = WorkloadHistory(stable="r1", rollout=state, capacity=2, wanted={"r1": 1, "r2": 1})
    seen = replace(facts(web=[up, of("r2", candidate)]), shares={})
    assert shares == numbers(memory, web, survey(seen), 2).shares


def test_gateway_without_shares_gives_all_to_the_only_release() -> None:
    """With no rollout under way there is nobody to divide it with, however few of it are ready."""
    web = service("web", 2)
    memory = WorkloadHistory(stable="r1", capacity=2, wanted={"r1": 2})
    seen = replace(facts(web=[up, hung]), shares={})
    assert Numbers({"r1": 2}, {"r1": 1.0}) == numbers(memory, web, survey(seen), 2)


def test_share_that_is_as_it_was_but_for_rounding_is_not_set_again() -> None:
    """A third of the traffic stands as 0.3333 at the gateway: that is what one of three ready carries."""
    web = service("web", 3, rollout=RolloutPolicy(steps=(1.0,), surge=1))
    memory = WorkloadHistory(
        stable="r1", rollout=RolloutState(candidate="r2", stable="r1"), capacity=3, wanted={"r1": 3, "r2": 1}
    )
    seen = facts(web=[up, up, up, of("r2", up)])
    seen = replace(seen, shares={"web": {"r1": round(2 / 3, 4), "r2": round(1 / 3, 4)}})
    assert numbers(memory, web, survey(seen), 3).shares is None

"""Numbers: who grows and who makes way while traffic moves from one release to another."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.numbers import numbers
from lamplighter.model.history import RolloutState, WorkloadHistory
from lamplighter.model.system import RolloutPolicy
from lamplighter.testing.builders import facts, hung, of, service, survey, up


@pytest.mark.parametrize(("candidate", "stable"), [(up, 1), (hung, 2)])
def test_stable_makes_way_for_what_carries_too_much_already(candidate: object, stable: int) -> None:
    """Given 60% while nothing of stable lived, a candidate of one needs two: as many serve as before."""
    web = service("web", 2, rollout=RolloutPolicy(steps=(0.6, 1.0), surge=1))
    state = RolloutState(candidate="r2", stable="r1")
    memory = WorkloadHistory(stable="r1", rollout=state, capacity=2, wanted={"r1": 2, "r2": 1})
    seen = facts(web=[up, up, of("r2", candidate)])  # type: ignore[arg-type]
    seen = replace(seen, shares={"web": {"r1": 0.4, "r2": 0.6}})
    assert {"r1": stable, "r2": 1} == numbers(memory, web, survey(seen), 2).wanted


def test_release_that_was_ended_is_not_started_for_traffic_that_nobody_took_from_it() -> None:
    """All was ordered down and up again in a rollout: what the gateway still gives an earlier one is void."""
    web = service("web", 2, rollout=RolloutPolicy(steps=(0.5, 1.0), surge=1))
    state = RolloutState(candidate="r2", stable="r1")
    memory = WorkloadHistory(stable="r1", rollout=state, capacity=2)
    seen = replace(facts(web=[]), shares={"web": {"r0": 0.3, "r1": 0.7}})
    assert {"r2": 2} == numbers(memory, web, survey(seen), 2).wanted

"""Traffic that changes hands: slow starts, forgotten shares, rounding, and facts that are behind."""

import pytest
from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.controllers.contracts import Why, propose
from lamplighter.controllers.numbers import Numbers, numbers
from lamplighter.controllers.rollout import _shift
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.memory import advance
from lamplighter.model.actions import Contract, Shift
from lamplighter.model.decisions import Decision, Priority
from lamplighter.model.history import Pending, RolloutState, WorkloadHistory
from lamplighter.model.system import Range, RolloutPolicy, Service
from lamplighter.testing.builders import NOW, facts, of, starting, up

SERVICE = service(replicas=Range(min=4, max=8), scale=None)


def placed(shares: dict[str, float], *shapes: object, wanted: Service = SERVICE) -> dict[str, float] | None:
    """Return the shares that come next in a rollout from r1 to r2, with replicas that stand so."""
    seen = replace(facts(web=shapes), shares={"web": shares} if shares else {})  # type: ignore[arg-type]
    memory = WorkloadHistory(
        stable="r1",
        capacity=4,
        wanted={"r1": 4, "r2": 4},
        rollout=RolloutState(candidate="r2", stable="r1", step=1),
    )
    return numbers(memory, wanted, Survey(trusted(seen, NOW), NOW), 4).shares


@pytest.mark.parametrize(
    ("stable", "candidate", "shares"),
    [
        (4, 2, {"r1": 1.0}),
        (3, 2, {"r1": 0.6, "r2": 0.4}),
        (1, 3, {"r1": 0.25, "r2": 0.75}),
        (3, 0, {"r1": 1.0}),
    ],
)
def test_shares_that_a_gateway_forgot_go_to_who_can_carry_them(
    stable: int, candidate: int, shares: dict[str, float]
) -> None:
    """In the middle of a rollout: all to stable where it is whole, else by how many of each are ready."""
    missing = [replace(starting, release="r1")] * (4 - stable)
    assert shares == placed({}, *[up] * stable, *missing, *[of("r2")] * candidate)


def test_slow_start_is_no_shortfall() -> None:
    """More of a candidate that serves its share are started for the next one; they may take their time."""
    policy = RolloutPolicy(steps=(0.25, 1.0), bake_s=5.0, surge=4)
    here = World(system(replace(SERVICE, rollout=policy)), start_s=14.0).settle(seconds=30)
    here.up("r2")
    here.run(80)
    assert ("promoted", {"r2": 1.0}) == (here.history.workloads["web"].rollout.verdict, here.shares["web"])  # type: ignore[union-attr]


@pytest.mark.parametrize("dust", [-0.0004, 0.0004])
def test_rounding_by_a_gateway_keeps_a_step_in_force(dust: float) -> None:
    """A share that comes back a little other than it was set does not stop a bake."""
    here = World(
        system(replace(SERVICE, rollout=RolloutPolicy(steps=(0.25, 1.0), bake_s=8.0, surge=1)))
    ).settle()
    here.up("r2")
    here.run(6)
    here.shares["web"] = {"r1": 0.75 - dust, "r2": 0.25 + dust}
    here.run(4)
    assert here.history.workloads["web"].rollout.step_since is not None  # type: ignore[union-attr]


@pytest.mark.parametrize(("given", "taken_back"), [(0.254, False), (0.256, True)])
def test_traffic_on_its_way_is_taken_back_where_it_is_more_than_rounding(
    given: float,
    taken_back: bool,  # noqa: FBT001
) -> None:
    """A share that no one has confirmed yet is the step's own, give or take half a percent."""
    here = World(system(replace(SERVICE, rollout=RolloutPolicy(steps=(0.25, 1.0), bake_s=99.0)))).settle()
    here.up("r2")
    here.run(8)
    survey = shifting(here, {"r1": 1 - given, "r2": given})
    memory = here.history.workloads["web"]
    assert taken_back == bool(_shift(survey, SERVICE, memory, Numbers({"r1": 4, "r2": 1})))


def shifting(here: World, shares: dict[str, float]) -> Survey:
    """Return the facts of a world in which traffic is being shared so, and nobody has answered yet."""
    shift = Shift(workload="web", shares=shares)
    why = Why("rollout", Priority.ROLLOUT, "a step")
    chosen = propose(why, "web", shift, Contract(gain="more"))
    decision = Decision(id="a-1", at=here.now, subject="web", chosen=chosen, state="act", basis="b")
    return Survey(trusted(here.facts(), here.now), here.now, {"a-1": Pending(decision=decision)})


def test_rollout_does_not_move_on_facts_of_before_the_last_answer() -> None:
    """What was just done does not show in them: neither a bake begins by them, nor does a shortfall."""
    here = World(system(replace(SERVICE, rollout=RolloutPolicy(steps=(0.25, 1.0), bake_s=3.0)))).settle()
    here.up("r2")
    here.run(8)
    memory = replace(here.history.workloads["web"], answered_at=here.now + 1)
    survey = Survey(trusted(here.facts(), here.now), here.now + 4)
    history = replace(here.history, workloads={"web": memory})
    survey.catch_up(history.workloads)
    assert memory is advance(history, survey).workloads["web"]

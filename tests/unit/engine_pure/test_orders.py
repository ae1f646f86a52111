"""Orders: what is answered to a person, and what it changes."""

import pytest
from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.engine.orders import take
from lamplighter.model.actions import Dismantle, Scale
from lamplighter.model.history import History
from lamplighter.model.intents import Up
from lamplighter.model.system import Guards, Range
from lamplighter.planning.basis import basis


def rolled(*releases: str) -> World:
    """Return a world that went through these releases."""
    here = World().settle(releases[0])
    for each in releases[1:]:
        here.up(each)
        here.run(40)
    return here


def test_plan_on_changed_facts_is_refused() -> None:
    """A basis that is not today's means a new plan is needed, and changes nothing."""
    here = World().settle()
    before = here.history.system
    answer = here.ask(Up(id="x", system=system(service("other")), releases={"other": "r1"}, basis="stale"))
    assert (False, "facts-changed", before) == (answer.accepted, answer.code, here.history.system)


def test_plan_on_the_same_facts_is_taken() -> None:
    """A basis that still holds lets the plan through."""
    here = World().settle()
    now = basis(here.facts(), here.history)
    assert here.ask(Up(id="x", system=here.wanted, releases={"web": "r2"}, basis=now)).accepted


def test_up_without_a_release_keeps_the_one_in_force() -> None:
    """A service that is not named keeps its release."""
    here = World().settle()
    assert here.ask(Up(id="x", system=here.wanted)).accepted
    assert "r1" == here.history.workloads["web"].stable


def test_new_service_without_a_release_is_refused() -> None:
    """Nothing can be started from nothing."""
    answer = World().ask(Up(id="x", system=system()))
    assert (False, "release-missing") == (answer.accepted, answer.code)


def test_other_system_is_refused() -> None:
    """One maintainer keeps one system."""
    here = World().settle()
    answer = here.ask(Up(id="x", system=system(service(), name="else"), releases={"web": "r1"}))
    assert "other-system" == answer.code


@pytest.mark.parametrize(
    ("workload", "to", "code"),
    [
        ("wbe", "", "unknown-workload"),
        ("web", "r9", "unknown-release"),
        ("web", "r2", "already-there"),
    ],
)
def test_rollback_that_cannot_be_is_refused(workload: str, to: str, code: str) -> None:
    """The answer says what exists instead."""
    answer = rolled("r1", "r2").rollback(workload, to)
    assert (False, code) == (answer.accepted, answer.code)


def test_refused_rollback_names_what_there_is() -> None:
    """Known workloads and releases stand in the answer."""
    here = rolled("r1", "r2")
    assert "web" in here.rollback("wbe").detail
    assert "r1" in here.rollback("web", "r9").detail


def test_rollback_of_a_first_release_is_refused() -> None:
    """There is nothing earlier."""
    assert "no-earlier-release" == World().settle().rollback().code


def test_second_rollback_goes_further_back() -> None:
    """Not to the release that was just left."""
    here = rolled("r1", "r2", "r3")
    for _ in range(2):
        here.rollback()
        here.run(20)
    assert ("r1", ("r3", "r2")) == (
        here.history.workloads["web"].stable,
        here.history.workloads["web"].earlier,
    )


def test_rollback_asked_twice_is_one_rollback() -> None:
    """Asking again while it goes back does not turn it round."""
    here = rolled("r1", "r2")
    here.rollback()
    here.run(1)
    assert "already going back to r1" == here.rollback().detail
    here.run(15)
    assert "r1" == here.history.workloads["web"].stable


def test_rollback_to_a_named_release() -> None:
    """Any earlier release can be named."""
    here = rolled("r1", "r2", "r3")
    here.rollback(to="r1")
    here.run(20)
    assert "r1" == here.history.workloads["web"].stable


def test_rollback_of_a_rolled_out_candidate_names_the_person() -> None:
    """The decision that an order leads to says whose order it was."""
    here = rolled("r1", "r2")
    here.rollback()
    here.run(1)
    assert "ann" == here.acted[-1].chosen.ordered_by


def test_down_of_nothing_is_refused() -> None:
    """There is nothing to take down."""
    assert "nothing-up" == World().down().code


def test_down_twice_is_one_down() -> None:
    """The second order changes nothing."""
    here = World().settle()
    here.down()
    assert "already going down" == here.down().detail


def test_rollback_while_going_down_is_refused() -> None:
    """Everything was ordered down."""
    here = World().settle()
    here.down()
    assert "stopping" == here.rollback().code


def test_up_while_being_dismantled_is_refused() -> None:
    """Between the last replica and the end there is no way back but to wait."""
    here = World().settle()
    here.loses = lambda action: isinstance(action, Dismantle)
    here.down()
    here.run(5)
    assert "stopping" == here.up("r1").code


def test_failed_release_can_be_asked_for_again() -> None:
    """A release that was given up once gets another rollout when a person asks for it."""
    here = World().settle()
    here.never_ready.add("r2")
    here.up("r2")
    here.run(40)
    here.never_ready.clear()
    here.up("r2")
    here.run(60)
    assert "r2" == here.history.workloads["web"].stable


def test_first_capacity_is_min() -> None:
    """With no load known the first release gets `min` replicas, and at least one."""
    here = World(system(service(replicas=Range(min=0, max=4))))
    here.up("r1")
    assert 1 == here.history.workloads["web"].capacity


def test_nothing_up_decides_nothing() -> None:
    """Without a system there is nothing to decide."""
    here = World()
    here.run(3)
    assert (History(), []) == (here.history, [each for each in here.results if each.decisions])


def test_nothing_is_promised_without_a_record() -> None:
    """While no record can be kept an intent is refused and changes nothing."""
    here = World().settle()
    here.recordable = False
    answer = here.up("r2")
    assert (False, "held", "r1") == (answer.accepted, answer.code, here.history.workloads["web"].stable)
    assert "promoted" == getattr(here.history.workloads["web"].rollout, "verdict", "")


def test_longer_window_of_a_new_spec_counts_what_was_done_before() -> None:
    """What was done under a short window is remembered for as long as the next spec may look back."""
    here = World(system(guards=Guards(actions=60, window_s=10.0))).settle()
    here.run(60)
    here.up("r1", system(guards=Guards(actions=1, window_s=600.0)))
    here.kill("web-1")
    here.run(5)
    assert (1, True) == (len(here.live()), "action-held" in here.kinds())


@pytest.mark.parametrize(("at_risk", "tries"), [(0.4, 1), (0.5, 3)])
def test_drain_that_other_guards_let_pass_is_not_asked_for_again(at_risk: float, tries: int) -> None:
    """It has no answer when the guards change: the facts tell what became of it, and the new ones judge."""
    here = World(system(guards=Guards(at_risk=0.5))).settle()
    here.loses = lambda action: isinstance(action, Scale) and bool(action.stops)
    here.load(60)
    here.run(12)
    here.load(0)
    while not (drains := [each for each in here.did(Scale) if each.chosen.action.stops]):
        here.once()
    here.up("r1", replace(here.wanted, guards=Guards(at_risk=at_risk)))
    here.run(3)
    assert tries == sum(each.id == drains[0].id for each in here.did(Scale))


def test_drain_of_a_down_that_is_called_off_is_not_asked_for_again() -> None:
    """It has no answer yet, and nothing overtakes it, since the budget is used up."""
    here = World(system(guards=Guards(actions=1, window_s=600.0))).settle()
    here.loses = lambda action: isinstance(action, Scale)
    here.down()
    here.loses = lambda _action: False
    here.up("r1")
    here.run(20)
    assert 2 == len(here.ready())


@pytest.mark.parametrize(
    ("to", "candidate", "at_once"), [("", "r3", False), ("r2", "r3", False), ("r1", "r1", True)]
)
def test_rollback_in_a_rollout_goes_to_the_release_that_is_named(
    to: str, candidate: str, *, at_once: bool
) -> None:
    """The stable one ends the rollout; an earlier one is another rollout, at once."""
    here = rolled("r1", "r2")
    here.up("r3")
    here.rollback(to=to)
    state = here.history.workloads["web"].rollout
    assert state is not None
    assert (candidate, at_once, "r2") == (state.candidate, state.at_once, state.stable)
    assert ("" if at_once else "rolled-back") == state.verdict


@pytest.mark.parametrize(("settled", "capacity"), [({}, 2), ({"r1": 3}, 3), ({"r1": 4}, 4)])
def test_lower_max_holds_at_once_for_what_is_not_settled_to_live(
    settled: dict[str, int], capacity: int
) -> None:
    """A total of four, of which some were ordered down: the next spec has room for two, and no surge."""
    here = World(system(service(replicas=Range(min=4, max=4)))).settle()
    web = replace(here.history.workloads["web"], wanted=settled)
    history = replace(here.history, workloads={"web": web}, stopping=here.now)
    up = Up(id="x", system=system(service(replicas=Range(min=2, max=2))), releases={"web": "r1"})
    after, _ = take(history, (up,), here.facts(), here.now)
    assert capacity == after.workloads["web"].capacity

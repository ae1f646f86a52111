"""Teardown, removal and housekeeping: how things end, and what is kept tidy."""

import pytest
from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.controllers import contracts
from lamplighter.controllers.configure import configure
from lamplighter.controllers.housekeeping import housekeeping
from lamplighter.controllers.survey import Survey
from lamplighter.controllers.teardown import teardown
from lamplighter.model.actions import Dismantle, Forget, OutcomeState, Scale
from lamplighter.model.decisions import Decision, Priority
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Phase
from lamplighter.model.history import Pending
from lamplighter.model.system import Freeze, Guards, Range
from lamplighter.testing import builders


def pair() -> World:
    """Return a settled world in which `web` needs `model`."""
    return World(system(service("web", needs=("model",)), service("model"))).settle(seconds=20)


def test_down_drains_in_reverse_order_of_needs_and_then_dismantles() -> None:
    """Those who need others go first; the gateway is the last to go."""
    here = pair()
    here.down()
    here.run(12)
    ended = [each.chosen.action.workload for each in here.did(Scale) if each.chosen.action.replicas == 0]
    assert (["web", "model"], True) == (ended, here.history.stopped)
    assert isinstance(here.acted[-1].chosen.action, Dismantle)


def test_next_workload_waits_until_the_one_before_is_gone() -> None:
    """While `web` still drains, `model` serves."""
    here = pair()
    here.down()
    assert (0, 2) == (len(here.live()), len(here.live(workload="model")))


def test_down_passes_guards_and_silent_traffic() -> None:
    """An order by a person needs neither approval nor budget nor traffic telemetry."""
    guards = Guards(actions=0, at_risk=0.1, approve_above=0.1)
    here = World().settle()
    here.up("r1", system(guards=guards))
    here.silence(TRAFFIC, HEALTH)
    here.down()
    here.run(8)
    assert here.history.stopped


def test_down_waits_while_processes_are_silent() -> None:
    """What is left cannot be told, so nothing is dismantled."""
    here = World().settle()
    here.silence(PROCESSES)
    here.down()
    here.run(30)
    assert (False, "telemetry-silent" in here.kinds()) == (here.history.stopped, True)


def test_down_is_not_done_without_a_record() -> None:
    """Even an order waits while nothing can be recorded."""
    here = World().settle()
    here.recordable = False
    here.down()
    here.run(10)
    assert (2, "unrecordable" in here.kinds()) == (len(here.live()), True)


def test_up_after_down_starts_afresh_and_names_are_not_used_again() -> None:
    """A stopped system comes up as new; earlier releases are still known."""
    here = World().settle()
    here.down()
    here.run(10)
    here.up("r2")
    here.run(10)
    memory = here.history.workloads["web"]
    assert (["web-3", "web-4"], "r2", ("r1",)) == (here.ready(), memory.stable, memory.earlier)


def test_up_during_the_drain_calls_it_off() -> None:
    """As long as nothing is dismantled, `up` keeps the system."""
    here = pair()
    here.down()
    here.up("r1")
    here.run(15)
    assert (2, 2) == (len(here.ready()), len(here.ready(workload="model")))


def test_service_that_left_the_spec_is_drained_and_forgotten() -> None:
    """Its replicas go, then its memory, but for what its next replicas must not be called."""
    here = pair()
    before = here.history.workloads["web"]
    here.up("r1", system(service("model")))
    here.run(70)
    left = here.history.workloads["web"]
    assert ([], "", {}, before.ordinal) == (here.live(), left.stable, left.wanted, left.ordinal)


def test_removal_waits_for_the_end_of_a_freeze() -> None:
    """What leaves the spec can wait; it is held, with the window as the reason."""
    here = pair()
    week = (Freeze(start_min=0, end_min=0, text="always"),)
    here.up("r1", system(service("model"), freeze=week))
    here.run(10)
    assert (2, "action-held" in here.kinds()) == (len(here.live()), True)


def test_records_of_the_dead_are_kept_for_a_minute() -> None:
    """Evidence stays for a while, then the target is told to forget it."""
    here = World().settle()
    here.kill("web-1")
    here.run(55)
    assert "web-1" in here.replicas
    here.run(10)
    assert "web-1" not in here.replicas


def test_only_a_few_records_are_kept() -> None:
    """Many deaths in a short time leave no more than five records."""
    here = World(system(service(replicas=Range(min=8, max=8)))).settle()
    for each in here.live():
        here.kill(each)
    here.run(10)
    dead = [each for each in here.replicas.values() if each.phase is Phase.EXITED]
    assert (5, 8) == (len(dead), len(here.ready()))


def test_record_of_an_unrepaired_death_is_never_forgotten() -> None:
    """A place that was handed to a person keeps its evidence."""
    here = World().settle()
    here.refuses = lambda action: "" if isinstance(action, Forget) else "no"
    here.kill("web-1")
    here.run(100)
    assert "web-1" in here.replicas


@pytest.mark.parametrize(("outcome", "kept"), [("unknown", True), ("accepted", False)])
def test_record_stays_while_its_start_may_be_ordered_again(outcome: OutcomeState, kept: bool) -> None:  # noqa: FBT001
    """Without a record the target would start another of that name, if it is asked once more."""
    wanted = builders.system(web=1)
    why = contracts.Why("scaling", Priority.SCALING, "load")
    chosen = contracts.grow("web", "r1", (1, 1, 2), why, contracts.Timing(60.0, 30.0))
    chosen = replace(chosen, action=replace(chosen.action, starts=("web-2",)))
    started = Decision(id="a-1", at=0.0, subject=chosen.subject, chosen=chosen, state="act", basis="")
    history = replace(builders.settled(wanted), pending={"a-1": Pending(started, outcome=outcome)})
    memory = replace(history.workloads["web"], ended={"web-2": -60.0}, replaced={"web-2": "web-3"})
    seen = builders.facts(web=[builders.up, builders.crashed])
    survey = Survey(seen, seen.at, history.pending)
    said = housekeeping(wanted, survey, replace(history, workloads={"web": memory}))
    assert kept == (() == said.proposals)


def test_more_than_settled_are_drained() -> None:
    """A replica that nobody counts on (an answer was lost) is drained."""
    here = World().settle()
    here.replicas["web-9"] = replace(here.replicas["web-1"], id="web-9", started_at=here.now)
    here.run(5)
    assert ["web-1", "web-2"] == here.live()


def test_stranger_is_reported_and_left_alone() -> None:
    """A replica of a workload that this system never had is none of our business."""
    here = World().settle()
    here.replicas["x-1"] = replace(here.replicas["web-1"], id="x-1", workload="x")
    here.run(20)
    assert (["x-1"], "not-ours" in here.kinds()) == (here.live(workload="x"), True)


@pytest.mark.parametrize("down", [False, True])
def test_overdue_drain_is_reported(down: bool) -> None:  # noqa: FBT001
    """A drain that outlasts its deadline is a finding, also while everything is being ended."""
    here = World().settle()
    if down:
        here.down()
    ghost = replace(here.replicas["web-1"], id="web-0", phase=Phase.DRAINING, draining_since=here.now + 1e6)
    here.replicas["web-0"] = ghost
    here.once()
    here.replicas["web-0"] = replace(ghost, draining_since=here.now - 21)
    facts = here.facts()
    here.facts = lambda: replace(facts, at=here.now)  # type: ignore[method-assign]
    here.once()
    assert "drain-overdue" in here.kinds()


def test_end_of_everything_ends_what_nobody_remembers_too() -> None:
    """A replica of a workload that is in no history is the system's all the same."""
    wanted = builders.system(web=1)
    seen = builders.survey(builders.facts(web=[], odd=[builders.up]))
    history = replace(builders.settled(wanted), workloads={})
    actions = [each.action for each in teardown(wanted, seen, history).proposals]
    assert [("odd", ("odd-1",))] == [(each.workload, each.stops) for each in actions]  # type: ignore[union-attr]


@pytest.mark.parametrize(("under_way", "proposed"), [("this", 0), ("another", 1), ("none", 1)])
def test_gateway_that_is_being_set_is_left_to_it(under_way: str, proposed: int) -> None:
    """Where it is being set as the spec in force says; another spec's order is overtaken."""
    wanted = builders.system(web=1)
    why = contracts.Why("configure", Priority.SAFETY, "a test")
    chosen = contracts.configure(wanted if under_way == "this" else builders.system(web=2), why)
    decision = Decision(id="a-1", at=59.0, subject=chosen.subject, chosen=chosen, state="act", basis="b")
    pending = {} if under_way == "none" else {"a-1": Pending(decision=decision)}
    seen = Survey(builders.facts(web=[builders.up]), builders.NOW, pending)
    assert proposed == len(configure(wanted, seen, builders.settled(wanted)).proposals)


@pytest.mark.parametrize(
    ("lives", "wanted", "drained"),
    [(2, {"r1": 2}, 0), (1, {"r1": 3}, 0), (3, {"r1": 2}, 1), (2, {"r1": 0}, 0), (3, {"r1": 1}, 1)],
)
def test_only_what_is_beyond_a_number_that_is_not_zero_is_too_many(
    lives: int, wanted: dict[str, int], drained: int
) -> None:
    """A release that is to go is not its business; and no more go at once than may be at risk."""
    plan = builders.system(web=3)
    history = builders.settled(plan)
    history = replace(history, workloads={"web": replace(history.workloads["web"], wanted=wanted)})
    seen = builders.survey(builders.facts(wanted=plan, web=[builders.up] * lives))
    actions = [each.action for each in housekeeping(plan, seen, history).proposals]
    assert drained == sum(len(each.stops) for each in actions if isinstance(each, Scale))

"""What a new order takes over from one on its way: nothing is doubled, and no more stopped than is asked."""

import pytest
from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service
from tests.unit.engine_pure.world import system as plan

from lamplighter.controllers.contracts import Timing, Why, grow
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.guard import Watch, guard
from lamplighter.engine.settle import carried
from lamplighter.model.actions import Contract, OutcomeState, Scale
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.history import Closed, Pending
from lamplighter.model.intents import Up
from lamplighter.model.system import Guards
from lamplighter.testing.builders import NOW, Shape, crashed, draining, facts, settled, system, up

WHY = Why("scaling", Priority.SCALING, "the load", capacity=0)


def wants(to: int, *stops: str, starts: int = 0) -> Proposal:
    """Return a proposal to have so many of `web`."""
    plain = grow("web", "r1", (4, to - starts, to), WHY, Timing(9.0, 9.0))
    return replace(plain, action=replace(plain.action, stops=stops))  # type: ignore[type-var]


def under_way(chosen: Proposal, outcome: OutcomeState | None, **changes: object) -> Pending:
    """Return an action that was decided a second ago and was answered so."""
    decision = Decision(id="a-1", at=NOW - 1, subject="web/r1", chosen=chosen, state="act", basis="b")
    return replace(Pending(decision=decision, since=NOW - 1, outcome=outcome), **changes)


def taken(new: Proposal, old: Pending, lives: int = 4) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is started and stopped by an order that takes over from another."""
    survey = Survey(trusted(facts(web=[up] * lives), NOW), NOW, {"a-1": old})
    action = carried(new, old, survey).action
    assert isinstance(action, Scale)
    return action.starts, action.stops


@pytest.mark.parametrize(
    ("to", "starts", "stops"),
    [
        (6, ("web-5", "web-6"), ()),
        (5, ("web-5",), ("web-6",)),
        (4, (), ("web-5", "web-6")),
        (3, (), ("web-5", "web-6", "web-1")),
        (7, ("web-5", "web-6", ""), ()),
    ],
)
def test_starts_that_nobody_has_seen_are_taken_over(
    to: int, starts: tuple[str, ...], stops: tuple[str, ...]
) -> None:
    """As many as are wanted keep their names, the others are called off first, and no more is stopped."""
    old = replace(wants(6), action=replace(wants(6).action, starts=("web-5", "web-6")))  # type: ignore[type-var]
    new = wants(to, "web-1", "web-2", starts=3)
    assert (starts, stops) == taken(new, under_way(old, "unknown"))


@pytest.mark.parametrize(
    ("outcome", "to", "stops"),
    [
        (None, 4, ()),
        (None, 3, ("web-4",)),
        (None, 2, ("web-4", "web-1")),
        ("accepted", 3, ("web-1", "web-2")),
    ],
)
def test_stops_without_an_answer_are_taken_over_first(
    outcome: OutcomeState | None, to: int, stops: tuple[str, ...]
) -> None:
    """What was to be stopped, and may still live, goes before others; an answered stop is over."""
    old = under_way(wants(3, "web-4"), outcome)
    assert ((), stops) == taken(wants(to, "web-1", "web-2"), old)


def test_what_was_seen_or_should_have_been_is_not_started_again() -> None:
    """Of one that arrived, or that the target has long said it started, the name is not used again."""
    old = replace(wants(5), action=replace(wants(5).action, starts=("web-5",)))  # type: ignore[type-var]
    new = wants(5, starts=1)
    seen = under_way(old, "accepted", arrived=("web-5",))
    assert (("",), ()) == taken(new, seen)
    assert (("",), ()) == taken(new, under_way(old, "accepted", since=NOW - 5))
    assert (("web-5",), ()) == taken(new, under_way(old, "accepted", since=NOW - 4.9))
    assert (("web-5",), ()) == taken(new, under_way(old, "unknown", since=NOW - 5))


def test_what_is_ordered_away_while_it_only_starts_is_called_off_at_once() -> None:
    """No answer to its start has come when its workload leaves the spec: nothing of it comes up later."""
    here = World(plan(service("web"), service("old"))).settle()
    here.wanted = plan(service("web"), service("old"), service("new"))
    here.loses = lambda action: getattr(action, "workload", "") == "new"
    here.up("r1")
    here.run(2)
    here.up("r1", plan(service("web"), service("old")))
    here.run(2)
    under_way = [each.decision.chosen.action for each in here.history.pending.values()]
    assert [] == [each for each in under_way if getattr(each, "starts", ())]


def test_what_destroys_nothing_needs_no_yes_however_much_it_touches() -> None:
    """Approvals are for what stops something that may serve."""
    wanted = replace(system(web=(2, 8)), guards=Guards(approve_above=0.1))
    chosen = replace(wants(5, starts=1), contract=Contract(gain="more", blast_radius=0.9))
    decision = Decision(id="a-1", at=NOW, subject="web/r1", chosen=chosen, state="act", basis="b")
    seen = Survey(trusted(facts(web=[up] * 4), NOW), NOW)
    assert "act" == guard(decision, Watch(settled(wanted, web=4), seen, recordable=True)).state


def test_undo_waits_for_no_earlier_failure() -> None:
    """The action that it undoes has failed, and its workload waits for that."""
    history = settled(replace(system(web=(2, 8))), web=4)
    failed = Closed(action="a-0", at=NOW, result="failed", subject="web/r1", kind="scale")
    seen = Survey(trusted(facts(web=[up] * 4), NOW), NOW)
    states = []
    for controller in ("undo", "scaling"):
        chosen = replace(wants(5, starts=1), controller=controller)
        decision = Decision(id="a-1", at=NOW, subject="web/r1", chosen=chosen, state="act", basis="b")
        watch = Watch(replace(history, closed=(failed,)), seen, recordable=True)
        states.append(guard(decision, watch).state)
    assert ["act", "held"] == states


def test_start_without_an_answer_is_asked_for_again_under_other_guards() -> None:
    """Guards judge what stops something; what only starts goes on as it was."""
    here = World().settle()
    here.loses = lambda action: bool(getattr(action, "starts", ()))
    here.load(60)
    here.run(5)
    (waiting,) = here.history.pending.values()
    here.up("r1", plan(guards=Guards(at_risk=0.1)))
    assert "decided" == waiting.state == here.history.pending[waiting.decision.id].state


def test_stable_release_that_is_asked_for_again_takes_the_candidate_back() -> None:
    """Whose order it was, and why, stands in the rollout that it ends."""
    here = World().settle()
    here.up("r2")
    here.ask(Up(id="i-9", system=here.wanted, releases={"web": "r1"}, by="ann"))
    state = here.history.workloads["web"].rollout
    assert state is not None
    assert ("rolled-back", "ann") == (state.verdict, state.by)
    assert "the stable release was asked for again" == state.reason


def test_no_more_is_started_than_the_new_order_starts() -> None:
    """What else is lacking is repair's: it lives no more, and is not this order's to start."""
    old = replace(wants(6), action=replace(wants(6).action, starts=("web-5", "web-6")))  # type: ignore[type-var]
    assert (("web-5", "web-6", ""), ()) == taken(wants(9, starts=1), under_way(old, "unknown"))


def test_each_is_stopped_once() -> None:
    """One that the overtaken order was to stop, and the new one too, is counted once."""
    old = under_way(wants(3, "web-4"), None)
    assert ((), ("web-4", "web-1")) == taken(wants(2, "web-4", "web-1", "web-2"), old)


@pytest.mark.parametrize(("shape", "stops"), [(up, ("web-4",)), (crashed, ()), (draining, ())])
def test_what_was_to_be_stopped_and_lives_no_more_is_not_stopped_again(
    shape: Shape, stops: tuple[str, ...]
) -> None:
    """No answer has come, but it is seen to have ended, or to be on its way."""
    old = under_way(wants(3, "web-4"), None)
    survey = Survey(trusted(facts(web=[up, up, up, shape]), NOW), NOW, {"a-1": old})
    action = carried(wants(3), old, survey).action
    assert isinstance(action, Scale)
    assert stops == action.stops

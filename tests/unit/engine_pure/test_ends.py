"""Ends: what an answer changes, what a failure says and undoes, and what one pass leaves behind."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import Timing, Why, grow, shift, shrink, substitute
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.revalidate import revalidate
from lamplighter.engine.settle import settle
from lamplighter.engine.step import step
from lamplighter.engine.verify import answered, verify
from lamplighter.model.actions import Action, Condition, Outcome, Ready, Replace, Scale, Serving, Shift
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.facts import PROCESSES, Facts, Phase, Source
from lamplighter.model.history import Acted, History, Pending
from lamplighter.model.passes import Inputs
from lamplighter.model.system import Resources, System
from lamplighter.testing.builders import (
    NOW,
    Shape,
    facts,
    hung,
    of,
    service,
    settled,
    starting,
    system,
    up,
)

TWO = system(web=service("web", 2, resources=Resources(memory_bytes=100)))
TIMING = Timing(start_s=20.0, drain_s=5.0)


def noting(wanted: System = TWO, /, **web: object) -> History:
    """Return the history of a system at rest, with something noted of `web`."""
    history = settled(wanted)
    return replace(history, workloads={"web": replace(history.workloads["web"], **web)})


def made(action: Action, controller: str = "scaling", **chosen: object) -> Decision:
    """Return a decision that goes ahead."""
    why = Why(controller, Priority.SCALING, "a test")
    plain = grow("web", "r1", (2, 2, 3), why, TIMING)
    subject = action.replica if isinstance(action, Replace) else "web/r1"
    proposal = replace(plain, **{"action": action, "subject": subject, **chosen})
    return Decision(id="a-1", at=NOW, subject=proposal.subject, chosen=proposal, state="act", basis="b")


def under_way(decision: Decision, **changes: object) -> History:
    """Return a history with an action on its way."""
    pending = replace(Pending(decision=decision, since=NOW - 3, tried_at=NOW - 3), **changes)
    return replace(noting(), pending={"a-1": pending})


MORE = Scale(workload="web", release="r1", replicas=3, starts=("web-3",))


def said(history: History, state: str, **more: str) -> History:
    """Return the history once the target has said this, a second ago."""
    outcome = Outcome(action="a-1", state=state, at=NOW - 1, **more)  # type: ignore[arg-type]
    return answered(history, (outcome,), NOW)[0]


@pytest.mark.parametrize(
    ("state", "since", "now"), [("accepted", NOW - 1, "applied"), ("unknown", NOW - 3, "decided")]
)
def test_answer_is_kept_with_its_instant_and_its_words(state: str, since: float, now: str) -> None:
    """What was applied counts from then; what is not known counts from when it was decided."""
    pending = said(under_way(made(MORE)), state, detail="so").pending["a-1"]
    assert (now, since, NOW - 1) == (pending.state, pending.since, pending.tried_at)
    assert (state, "so") == (pending.outcome, pending.detail)


def test_refusal_to_repeat_says_nothing_of_the_time_before() -> None:
    """It is kept, with the target's words, and asked again later."""
    history = said(under_way(made(MORE), outcome="unknown"), "refused", code="busy", detail="later")
    pending = history.pending["a-1"]
    assert ("busy: later", NOW - 1, "decided") == (pending.detail, pending.tried_at, pending.state)


@pytest.mark.parametrize("code", ["precondition-false", "precondition-unknown", "overtaken", "facts-changed"])
def test_what_the_facts_moved_away_from_lapses(code: str) -> None:
    """Where it may have happened before, only the facts decide; else it is over, and no fault."""
    maybe = said(under_way(made(MORE), outcome="unknown"), "refused", code=code).pending["a-1"]
    assert ("applied", NOW - 1) == (maybe.state, maybe.since)
    history = said(under_way(made(MORE)), "refused", code=code, detail="gone")
    (closed,) = history.closed
    assert ({}, "lapsed", f"{code}: gone") == (history.pending, closed.result, closed.detail)


def test_refused_number_and_total_are_as_before() -> None:
    """As long as nobody has settled another since."""
    history = under_way(made(MORE, capacity=3), before=2, capacity_before=2)
    later = replace(history.workloads["web"], wanted={"r1": 3}, capacity=3)
    history = replace(history, workloads={"web": later})
    taken = said(history, "refused", code="full").workloads["web"]
    assert ({"r1": 2}, 2) == (taken.wanted, taken.capacity)
    other = replace(history, workloads={"web": replace(later, wanted={"r1": 5}, capacity=5)})
    kept = said(other, "refused", code="full").workloads["web"]
    assert ({"r1": 5}, 5) == (kept.wanted, kept.capacity)


def repair(action: Replace | Scale) -> Decision:
    """Return a repair that goes ahead, of one replica or of those that are missing."""
    return made(action, controller="repair")


INSTEAD = Replace(workload="web", release="r1", replica="web-2", start="web-3")


@pytest.mark.parametrize(
    ("action", "noticed"),
    [
        (INSTEAD, {"replaced": {"web-2": "web-3"}, "attempts": {"web-2": (5.0, NOW), "web-3": (5.0, NOW)}}),
        (MORE, {"restores": (5.0, NOW), "attempts": {"web-2": (5.0,)}}),
    ],
)
def test_repair_that_the_target_would_not_begin_was_not_tried(
    action: Replace | Scale, noticed: dict[str, object]
) -> None:
    """Only what was begun, and did not last, uses up the attempts after which a person is asked."""
    decision = repair(action)
    history = replace(noting(**noticed), pending=under_way(decision).pending)
    web = said(history, "refused", code="busy").workloads["web"]
    assert ({}, {"web-2": (5.0,)}) == (web.replaced, web.attempts)
    assert tuple(each for each in noticed.get("restores", ()) if each != NOW) == web.restores  # type: ignore[attr-defined]


@pytest.mark.parametrize(("arrived", "left"), [((), {}), (("web-3",), {"web-2": "web-3"})])
def test_successor_that_was_never_seen_takes_nobodys_place(
    arrived: tuple[str, ...], left: dict[str, str]
) -> None:
    """Once its order has failed, whom it was to replace counts again; one that came is known by its end."""
    plain = substitute(facts(web=[up, hung]).replicas[1], 0.5, Why("repair", Priority.REPAIR, ""), TIMING, ())
    decision = made(INSTEAD, controller="repair", contract=plain.contract)
    pending = Pending(
        decision=decision,
        since=NOW - 99,
        tried_at=NOW - 99,
        state="applied",
        arrived=arrived,
        outcome="accepted",
    )
    history = replace(noting(replaced={"web-2": "web-3"}), pending={"a-1": pending})
    found = verify(history, Survey(trusted(facts(web=[up, hung]), NOW), NOW, history.pending))
    assert (["failed"], left) == (
        [each.result for each in found.closed],
        found.history.workloads["web"].replaced,
    )


def judged(
    decision: Decision, known: Facts, **changes: object
) -> tuple[list[str], list[str], list[Proposal]]:
    """Return what verifying an action comes to: ends, findings' evidence, and what undoes it."""
    history = under_way(decision, **{"state": "applied", "outcome": "accepted", **changes})
    found = verify(history, Survey(trusted(known, NOW), NOW, history.pending))
    evidence = [word for each in found.findings for word in each.evidence.looked_at]
    return [each.result for each in found.closed], evidence, list(found.undo)


def test_failure_names_what_does_not_hold() -> None:
    """Only that: what holds, or cannot be told, is no evidence."""
    needs = (
        Ready(workload="web", release="r1", at_least=1),
        Serving(replica="web-2"),
        Serving(replica="web-3"),
    )
    decision = made(MORE, "rollout")
    contract = replace(decision.chosen.contract, expects=needs, undo=None)
    decision = replace(decision, chosen=replace(decision.chosen, contract=contract))
    known = facts(web=[up, hung, replace(up, phase=Phase.UNKNOWN, ready=None)])
    assert (["failed"], [str(needs[1])], []) == judged(decision, known, since=NOW - 99)


@pytest.mark.parametrize(
    ("web", "to", "stops"),
    [
        ((up, up, starting), 2, ("web-3",)),
        ((up, up, up, starting), 3, ("web-4",)),
        ((up, up, starting, starting), 2, ("web-3", "web-4")),
        ((up, hung, starting), 2, ("web-3",)),
        ((up, up), 2, ()),
    ],
)
def test_undone_is_what_does_not_serve(web: tuple[Shape, ...], to: int, stops: tuple[str, ...]) -> None:
    """Down to the number before, or to what serves if that is more; nothing that may serve is stopped."""
    four = replace(MORE, replicas=4, starts=("web-3", "web-4"))
    why = Why("scaling", Priority.SCALING, "a test", capacity=4)
    chosen = grow("web", "r1", (2, 2, 4), why, TIMING)
    decision = replace(made(four), chosen=replace(chosen, action=four))
    arrived = ("web-3", "web-4")
    pending = {"since": NOW - 99, "before": 2, "capacity_before": 2, "arrived": arrived}
    ((undo,),) = [judged(decision, facts(web=web), **pending)[2]]
    assert Scale(workload="web", release="r1", replicas=to, stops=stops, drain_s=5.0) == undo.action
    assert (to, "undo", 0.0) == (undo.capacity, undo.controller, undo.contract.blast_radius)
    assert undo.contract.destructive


@pytest.mark.parametrize(("before", "to", "stops"), [(0, 1, ("web-1",)), (1, 1, ("web-2",))])
def test_undone_start_from_zero_leaves_what_repair_has_started(
    before: int, to: int, stops: tuple[str, ...]
) -> None:
    """Requests wait for it; above zero others serve them, and a number that does not help goes."""
    two = replace(MORE, replicas=before + 1, starts=("web-1",))
    chosen = grow("web", "r1", (before, before, before + 1), Why("scaling", Priority.SCALING, ""), TIMING)
    decision = replace(made(two), chosen=replace(chosen, action=two))
    known = facts(web=[replace(hung, started_at=NOW - 50), starting])
    ((undo,),) = [judged(decision, known, since=NOW - 51, before=before, arrived=("web-1",))[2]]
    assert (to, stops) == (undo.action.replicas, undo.action.stops)  # type: ignore[union-attr]


# --- one pass


def test_what_was_done_is_remembered_for_as_long_as_a_budget_may_ask() -> None:
    """Twenty minutes at least, or the budget's own window; at its end it is forgotten."""
    late = 5000.0
    acted = tuple(Acted(at=late - age, subject="s", kind="scale") for age in (1200.0, 1199.9, 5.0))
    known = replace(facts(at=late, web=[up, up], wanted=TWO), wall="2026-11-25T12:00:00+00:00")
    history, _ = step(replace(settled(TWO), acted=acted), Inputs(now=late, facts=known))
    assert [late - 1199.9, late - 5.0] == [each.at for each in history.acted]


def test_lower_number_waits_while_what_is_missing_from_it_is_made_good() -> None:
    """A repair rests on the number before; one that is replaced alive leaves the number as it is."""
    survey = Survey(trusted(facts(web=[up, up, up]), NOW), NOW)
    why, mend = (
        Why(each, priority, "a test")
        for each, priority in (("scaling", Priority.SCALING), ("repair", Priority.REPAIR))
    )
    less = shrink(survey, Scale(workload="web", release="r1", replicas=1, stops=("web-1",)), why, sources=())
    broken = substitute(survey.replicas["web-3"], 0.3, mend, TIMING, ())
    both = settle([less, broken], settled(TWO), survey)
    assert ["web-3", "web/r1"] == [each.decision.subject for each in both]
    dead = substitute(survey.replicas["web-3"], 0.0, mend, TIMING, ())
    (only,) = settle([less, dead], settled(system(web=(2, 8)), web=3), survey)
    assert ("web-3", ["web/r1"]) == (
        only.decision.subject,
        [each.proposal.subject for each in only.decision.lost],
    )


def test_undo_needs_and_promises_nothing_of_what_it_undoes() -> None:
    """It goes back whatever the facts say, and is itself not undone."""
    four = replace(MORE, replicas=4, starts=("web-3", "web-4"))
    chosen = grow("web", "r1", (2, 2, 4), Why("scaling", Priority.SCALING, "a test", capacity=4), TIMING)
    decision = replace(made(four), chosen=replace(chosen, action=four))
    (undo,) = judged(decision, facts(web=[up, up, starting]), since=NOW - 99, before=2, capacity_before=2)[2]
    assert ((), (), None) == (undo.contract.needs, undo.contract.expects, undo.contract.undo)
    assert ("web/r1", Priority.SAFETY, 2) == (undo.subject, undo.priority, undo.capacity)


@pytest.mark.parametrize(("read_at", "is_behind"), [(NOW - 1.1, True), (NOW - 1, False)])
def test_facts_are_behind_where_they_were_read_before_the_answer(read_at: float, *, is_behind: bool) -> None:
    """What was read at the very instant has seen it."""
    known = facts(web=[up, up])
    known = replace(known, sources={**known.sources, PROCESSES: Source(observed_at=read_at)})
    survey = Survey(trusted(known, NOW), NOW)
    survey.catch_up(noting(answered_at=NOW - 1).workloads)
    assert ({"web"} if is_behind else set()) == survey.behind


@pytest.mark.parametrize(
    ("stops", "to", "by", "refused"),
    [
        (("web-8",), 0, "", False),
        (("web-1", "web-2"), 1, "", True),
        (("web-1",), 1, "", False),
        (("web-1", "web-2"), 0, "", False),
        (("web-1", "web-2"), 1, "ann", False),
        (("web-8", "web-9"), 1, "", False),
        (("web-1", "web-2", "web-9"), 1, "", True),
        ((), 1, "", False),
    ],
)
def test_last_ready_ones_are_not_stopped_while_others_are_to_stay(
    stops: tuple[str, ...], to: int, by: str, *, refused: bool
) -> None:
    """Unless a person ordered it; those that are not listed serve nobody."""
    scale = Scale(workload="web", release="r1", replicas=to, stops=stops)
    plain = made(scale, ordered_by=by)
    contract = replace(plain.chosen.contract, needs=())
    decision = replace(plain, chosen=replace(plain.chosen, contract=contract))
    refusal = revalidate(decision, facts(web=[up, up]), under_way(decision), NOW)
    assert ("precondition-false" if refused else "") == (refusal.code if refusal else "")


@pytest.mark.parametrize(
    ("web", "judged_share", "by", "refused"),
    [
        ((up, up, up, up, up), 0.2, "", False),
        ((up, up, up, up), 0.2, "", True),
        ((up, up, up, up), 0.25, "", False),
        ((up, up, up, up), 0.2, "ann", False),
        ((hung, up, up, up), 0.2, "", False),
    ],
)
def test_what_is_handed_over_late_stops_no_more_than_was_judged(
    web: tuple[Shape, ...], judged_share: float, by: str, *, refused: bool
) -> None:
    """One of five went without a yes; one of four, once another has gone, does not, unless it was ordered."""
    scale = Scale(workload="web", release="r1", replicas=3, stops=("web-1",))
    plain = made(scale, ordered_by=by)
    contract = replace(plain.chosen.contract, needs=(), blast_radius=judged_share, destructive=True)
    decision = replace(plain, chosen=replace(plain.chosen, contract=contract))
    history = under_way(decision)
    assert history.system is not None
    guards = replace(history.system.guards, approve_above=0.2)
    history = replace(history, system=replace(history.system, guards=guards))
    refusal = revalidate(decision, facts(web=web), history, NOW)
    assert ("precondition-false" if refused else "") == (refusal.code if refusal else "")


@pytest.mark.parametrize(("before", "undone"), [({"r1": 1.0}, True), ({"r2": 1.0}, False), ({}, False)])
def test_shares_are_undone_where_those_who_had_them_can_serve(
    before: dict[str, float], *, undone: bool
) -> None:
    """Two of r1 do, none of r2; and where nothing was set there is nothing to go back to."""
    known = replace(facts(web=[up, up, of("r2", hung)]), shares={"web": before})
    survey = Survey(trusted(known, NOW), NOW)
    chosen = shift(survey, "web", {"r3": 1.0}, Why("rollout", Priority.ROLLOUT, "a test"))
    decision = replace(made(chosen.action), chosen=chosen, subject="web")
    ends, _, undo = judged(decision, known, since=NOW - 99)
    assert ([Shift(workload="web", shares=before)] if undone else []) == [each.action for each in undo]
    assert ([] if undone else ["failed"]) == ends


def checked(action: Action, *web: Shape, needs: tuple[Condition, ...] = ()) -> str:
    """Return why an action is refused right before it is applied, by its code; a workload of two to three."""
    plain = made(action)
    contract = replace(plain.chosen.contract, needs=needs)
    decision = replace(plain, chosen=replace(plain.chosen, contract=contract))
    refusal = revalidate(decision, facts(web=web), under_way(decision), NOW)
    return refusal.code if refusal else ""


@pytest.mark.parametrize(
    ("web", "refused"),
    [((up, of("r2")), True), ((up, of("r2", hung)), False), ((up, up, of("r2")), False)],
)
def test_traffic_is_not_taken_from_what_serves_by_now(web: tuple[Shape, ...], *, refused: bool) -> None:
    """One of r1 may take over from r2 while nothing of that serves; else two have to, its `min`."""
    shift = Shift(workload="web", shares={"r1": 1.0})
    plain = made(shift)
    decision = replace(plain, chosen=replace(plain.chosen, contract=replace(plain.chosen.contract, needs=())))
    seen = replace(facts(web=web), shares={})
    refusal = revalidate(decision, seen, under_way(decision), NOW)
    assert ("precondition-false" if refused else "") == (refusal.code if refusal else "")


def test_stop_of_what_is_not_listed_where_nothing_serves_takes_nothing_away() -> None:
    """Nobody is left ready, and nobody was."""
    assert "" == checked(Scale(workload="web", release="r1", replicas=1, stops=("web-8",)), hung, hung)


SWAP = Replace(workload="web", release="r1", replica="web-2", start="web-9")
ADD = Scale(workload="web", release="r1", replicas=9, starts=("web-9",))


@pytest.mark.parametrize(
    ("action", "lives", "refused"),
    [
        (ADD, 2, False),
        (ADD, 3, True),
        (replace(ADD, starts=("web-8", "web-9")), 2, True),
        (replace(ADD, starts=("web-1", "web-9")), 2, False),
        (replace(ADD, starts=("web-1", "web-2")), 3, False),
        (replace(ADD, stops=("web-1",)), 3, False),
        (SWAP, 3, False),
        (SWAP, 4, True),
        (replace(SWAP, replica="web-8"), 3, True),
        (replace(ADD, workload="odd"), 3, False),
        (Shift(workload="web", shares={"r1": 1.0}), 9, False),
    ],
)
def test_start_is_refused_where_there_is_no_room_any_more(
    action: Action, lives: int, *, refused: bool
) -> None:
    """Two and one of surge may live; what is listed already was started, what makes way leaves its place."""
    assert ("precondition-false" if refused else "") == checked(action, *[up] * lives)


@pytest.mark.parametrize(
    ("replica", "code"), [("web-1", ""), ("web-2", "precondition-false"), ("web-3", "precondition-unknown")]
)
def test_precondition_must_be_known_to_hold(replica: str, code: str) -> None:
    """What is not known is no yes."""
    web = (up, hung, replace(up, ready=None))
    assert code == checked(SET_ALL, *web, needs=(Serving(replica="web-1"), Serving(replica=replica)))


SET_ALL = Shift(workload="web", shares={"r1": 1.0})


@pytest.mark.parametrize(
    ("before", "shares", "web", "refused"),
    [
        ({"r1": 1.0}, {"r2": 1.0}, (up, up, of("r2")), True),
        ({"r1": 1.0}, {"r2": 1.0}, (up, up, of("r2"), of("r2")), False),
        ({"r1": 1.0}, {"r1": 0.5, "r2": 0.5}, (up, up, of("r2")), False),
        ({"r1": 1.0}, {"r1": 0.0, "r2": 1.0}, (up, up, of("r2")), True),
        ({"r1": 1.0}, {"r2": 1.0}, (up, hung, of("r2")), False),
        ({"r1": 0.5, "r2": 0.5}, {"r2": 1.0}, (up, hung, of("r2")), True),
        ({"r1": 1.0, "r2": 0.0}, {"r2": 1.0}, (up, of("r2"), of("r2")), False),
        ({}, {"r2": 1.0}, (up, of("r2")), True),
        ({"r1": 1.0}, {"r2": 1.0}, (hung, hung, of("r2", hung)), False),
    ],
)
def test_traffic_is_not_moved_where_fewer_would_serve_than_now_and_than_are_needed(
    before: dict[str, float], shares: dict[str, float], web: tuple[Shape, ...], *, refused: bool
) -> None:
    """Two at least: who it is taken from may serve only since it was decided."""
    plain = made(Shift(workload="web", shares=shares))
    decision = replace(plain, chosen=replace(plain.chosen, contract=replace(plain.chosen.contract, needs=())))
    known = replace(facts(web=web), shares={"web": before} if before else {})
    refusal = revalidate(decision, known, under_way(decision), NOW)
    assert ("precondition-false" if refused else "") == (refusal.code if refusal else "")

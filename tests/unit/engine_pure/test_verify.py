"""Verify, settle, revalidate, conditions, samples: the parts around a decision."""

from collections import Counter

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.controllers.contracts import Timing, Why, grow, shift, shrink, substitute
from lamplighter.controllers.numbers import Numbers
from lamplighter.controllers.rollout import scales
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.conditions import holds
from lamplighter.engine.revalidate import revalidate
from lamplighter.engine.samples import sampled
from lamplighter.engine.settle import carried, settle, starting
from lamplighter.engine.step import step
from lamplighter.engine.verify import ATTEMPTS_MAX, undoing
from lamplighter.model.actions import (
    Broken,
    Condition,
    Configured,
    Dismantle,
    Gone,
    Heard,
    Idle,
    Live,
    OutcomeState,
    Ready,
    Replace,
    Scale,
    Serving,
    Shares,
    Shift,
)
from lamplighter.model.decisions import Decision, Priority
from lamplighter.model.facts import HEALTH, PROCESSES, Load, Phase
from lamplighter.model.history import History, Pending, Sample
from lamplighter.model.system import Range
from lamplighter.model.value import encode


def closed(here: World, kind: str) -> list[str]:
    """Return how the actions of a kind ended."""
    return [each.result for each in here.history.closed if each.kind == kind]


def test_action_is_verified_by_its_postcondition() -> None:
    """A Scale is done when its replicas are ready, not when the target said so."""
    here = World()
    here.up("r1")
    here.run(2)
    assert [] == closed(here, "scale")
    here.run(3)
    assert ["verified"] == closed(here, "scale")


def test_scale_up_that_does_not_help_is_undone_as_far_as_it_does_not_serve() -> None:
    """After its deadline the replicas that never got ready are ended; the one that did stays."""
    here = World(system(service(health=replace(service().health, start_timeout_s=200.0)))).settle()
    here.never_ready |= {f"web-{number}" for number in range(4, 40)}
    here.load(55)
    here.run(240)
    (undo,) = (each for each in here.did(Scale) if each.chosen.controller == "undo")
    assert ("undone", 3, True) == (
        closed(here, "scale")[-2],
        undo.chosen.action.replicas,
        "web-3" in here.ready(),
    )


def test_unknown_postcondition_is_neither_done_nor_failed() -> None:
    """With health silent past the deadline the action stays open, and a finding says so."""
    here = World()
    here.up("r1")
    here.once()
    here.silence(HEALTH)
    here.run(200)
    assert ([], True) == (closed(here, "scale"), "postcondition-unknown" in here.kinds())


def test_lost_answer_is_asked_for_again_under_the_same_id() -> None:
    """The first answer is lost; the same action is handed over again and nothing is doubled."""
    here = World().settle()
    lost = iter([True])
    here.loses = lambda _action: next(lost, False)
    here.kill("web-1")
    here.run(6)
    ids = [each.id for each in here.did(Replace)]
    assert (2, 1, 2) == (len(ids), len(set(ids)), len(here.ready()))


def test_target_that_never_answers_is_asked_a_bounded_number_of_times() -> None:
    """After so many tries only the facts decide."""
    here = World().settle()
    here.loses = lambda action: isinstance(action, Replace)
    here.kill("web-1")
    here.run(300)
    assert ATTEMPTS_MAX == max(Counter(each.id for each in here.did(Replace)).values())


def test_refused_scale_takes_its_number_back() -> None:
    """What the target would not do is not settled."""
    here = World().settle()
    here.refuses = lambda action: "no room" if isinstance(action, Scale) else ""
    here.load(60)
    while not closed(here, "scale")[1:]:
        here.once()
    memory = here.history.workloads["web"]
    assert ({"r1": 2}, 2) == (memory.wanted, memory.capacity)


def test_overtaken_scale_hands_over_what_it_has_not_done() -> None:
    """Replicas ordered by an action whose answer is lost are ordered again under their own names."""
    here = World().settle()
    here.load(45)
    here.loses = lambda action: isinstance(action, Scale)
    while not here.did(Scale, here.now - 1):
        here.once()
    first = here.did(Scale)[-1].chosen.action.starts
    here.load(300)
    here.loses = lambda _action: False
    here.run(12)
    assert (8, True) == (len(here.ready()), set(first) <= set(here.ready()))


def test_decision_has_another_id_each_time_it_is_taken() -> None:
    """The same shares set again later are another action, or the target would think it done."""
    here = World().settle()
    for _ in range(2):
        here.up("r2")
        here.run(6)
        here.rollback()
        here.run(10)
    ids = [each.id for each in here.did(Shift)]
    assert len(ids) == len(set(ids))


def test_losers_stand_with_the_reason() -> None:
    """When repair and rollout want the same room, the one that lost is kept with why."""
    here = World(system(service(replicas=Range(min=1, max=1), scale=None))).settle()
    here.hang("web-1")
    here.run(3)
    here.up("r2")
    (decision,) = here.results[-1].decisions
    assert ("repair", ["rollout"]) == (
        decision.chosen.controller,
        [x.proposal.controller for x in decision.lost],
    )
    assert "took the last room" in decision.lost[0].reason


def test_equal_inputs_give_equal_bytes() -> None:
    """A step is a function."""
    here = World().settle()
    here.kill("web-1")
    inputs = type(here.inputs[0])(now=here.now, facts=here.facts())
    once, twice = step(here.history, inputs), step(here.history, inputs)
    assert encode(once) == encode(twice)


def test_history_survives_its_encoding() -> None:
    """A snapshot gives back the very same memory."""
    here = World().settle()
    here.load(60)
    here.kill("web-1")
    here.up("r2")
    here.run(5)
    assert here.history == msgspec.json.decode(encode(here.history), type=History)


def test_scale_that_takes_over_stops_says_what_is_at_stake() -> None:
    """What another was to end, with no answer yet, is ended by it: the guards judge that, too."""
    here = World().settle()
    survey, why = Survey(here.facts(), here.now), Why("rollout", Priority.ROLLOUT, "a test")
    old = Scale(workload="web", release="r1", replicas=1, stops=("web-1",), drain_s=5.0)
    drain = shrink(survey, old, why, sources=(PROCESSES,))
    decision = Decision(id="a-1", at=here.now, subject="web/r1", chosen=drain, state="act", basis="b")
    lower = grow("web", "r1", (1, 1, 1), why, Timing(9.0, 9.0))
    found = carried(lower, Pending(decision=decision), survey)
    assert (("web-1",), 0.5, True) == (
        found.action.stops,  # type: ignore[union-attr]
        found.contract.blast_radius,
        found.contract.destructive,
    )


def test_start_that_is_taken_over_counts_beside_what_others_start() -> None:
    """One of two is being replaced, unanswered: what another was to start would be one too many, and ends."""
    here = World().settle()
    why = Why("scaling", Priority.SCALING, "a test")
    up = grow("web", "r1", (2, 2, 3), why, Timing(9.0, 9.0))
    up = replace(up, action=replace(up.action, starts=("web-8",)))
    place = substitute(here.replicas["web-1"], 0.5, why, Timing(9.0, 9.0), ())
    place = replace(place, action=replace(place.action, start="web-9"))
    pending = {
        each.subject: Pending(
            decision=Decision(id="a", at=0.0, subject=each.subject, chosen=each, state="act", basis="b")
        )
        for each in (up, place)
    }
    undo = grow("web", "r1", (2, 2, 2), why, Timing(9.0, 9.0))
    found = carried(undo, pending["web/r1"], Survey(here.facts(), here.now, pending)).action
    assert ((), ("web-8",)) == (found.starts, found.stops)  # type: ignore[union-attr]


@pytest.mark.parametrize(("needs", "blast_radius"), [((), 1.0), ((Idle(workload="web"),), 0.0)])
def test_what_ends_all_says_so_of_what_it_takes_over(
    needs: tuple[Condition, ...], blast_radius: float
) -> None:
    """A release that goes altogether takes its stops with it; one that is asked for nothing risks none."""
    here = World().settle()
    survey, why = Survey(here.facts(), here.now), Why("teardown", Priority.ROLLOUT, "a test")
    half, none = (
        shrink(
            survey,
            Scale(workload="web", release="r1", replicas=left, stops=stops, drain_s=5.0),
            why,
            sources=(PROCESSES,),
        )
        for left, stops in ((1, ("web-1",)), (0, ("web-2",)))
    )
    none = replace(none, contract=replace(none.contract, needs=needs, blast_radius=0.5 if not needs else 0.0))
    decision = Decision(id="a-1", at=here.now, subject="web/r1", chosen=half, state="act", basis="b")
    found = carried(none, Pending(decision=decision), survey)
    assert (blast_radius, 2) == (found.contract.blast_radius, len(found.action.stops))  # type: ignore[union-attr]


@pytest.mark.parametrize(("outcome", "names"), [(None, ("web-8", "web-9")), ("accepted", ())])
def test_names_of_what_was_started_and_went_unseen_are_not_given_again(
    outcome: OutcomeState | None, names: tuple[str, ...]
) -> None:
    """The target said long ago that it had started them, and nobody lists them: they are no more."""
    here = World().settle()
    survey = Survey(here.facts(), here.now)
    up = grow("web", "r1", (2, 2, 4), Why("scaling", Priority.SCALING, "load"), Timing(9.0, 9.0))
    started = replace(up, action=replace(up.action, starts=("web-8", "web-9")))
    decision = Decision(id="a-1", at=here.now, subject="web/r1", chosen=started, state="act", basis="b")
    found = carried(up, Pending(decision=decision, outcome=outcome, since=here.now - 60.0), survey)
    assert names == tuple(each for each in found.action.starts if each)  # type: ignore[union-attr]


def test_name_that_a_person_was_asked_about_is_given_to_nobody_else() -> None:
    """It is in what was asked, which may go ahead in the same pass as another start."""
    here = World().settle()
    survey, why = Survey(here.facts(), here.now), Why("repair", Priority.REPAIR, "a test")
    asked, other = (
        substitute(here.replicas[each], 0.5, why, Timing(9.0, 9.0), ()) for each in ("web-2", "web-1")
    )
    (first,) = settle([asked], here.history, survey)
    history = replace(here.history, asked={first.decision.id: first.decision})
    names = [
        one
        for each in settle([asked, other], history, survey)
        for one in starting(each.decision.chosen.action)
    ]
    assert ["web-4", "web-3"] == names


def test_nothing_is_saved_in_the_pass_that_moves_the_traffic() -> None:
    """A drain by who gets traffic now waits until it has moved; whose traffic it is shows then."""
    here = World().settle()
    survey, why = Survey(here.facts(), here.now), Why("scaling", Priority.SCALING, "a test")
    scale = Scale(workload="web", release="r1", replicas=1, stops=("web-1",), drain_s=5.0)
    move = shift(survey, "web", {"r2": 1.0}, Why("rollout", Priority.ROLLOUT, "a test"))
    settled = settle([move, shrink(survey, scale, why, sources=(PROCESSES,))], here.history, survey)
    assert [("web", 1)] == [(each.decision.subject, len(each.decision.lost)) for each in settled]


# --- revalidate


def drain(here: World) -> tuple[World, Decision]:
    """Let the load fall until a drain is decided; the target will not do it."""
    here.load(60)
    here.run(12)
    here.load(0)
    here.refuses = lambda action: "wait" if isinstance(action, Scale) and action.stops else ""
    here.run(75)
    while True:
        for each in here.once().decisions:
            if each.state == "act" and isinstance(each.chosen.action, Scale):
                return here, each


def test_decision_on_the_same_facts_stands() -> None:
    """Nothing has changed, nothing stands in the way."""
    here, decision = drain(World().settle())
    assert None is revalidate(decision, here.facts(), here.history, here.now)


def test_decision_is_refused_when_a_replica_has_died_since() -> None:
    """Fewer are ready than the drain was decided on."""
    here, decision = drain(World().settle())
    here.kill(next(each for each in here.ready() if each not in decision.chosen.action.stops))
    refusal = revalidate(decision, here.facts(), here.history, here.now)
    assert "precondition-false" == (refusal and refusal.code)


def test_decision_is_refused_when_a_source_has_fallen_silent() -> None:
    """What was sure a moment ago cannot be told now."""
    here, decision = drain(World().settle())
    here.silence(HEALTH)
    refusal = revalidate(decision, here.facts(), here.history, here.now)
    assert refusal is not None


def test_traffic_goes_to_as_many_as_it_was_decided_by() -> None:
    """One of two that were ready for all of the traffic fails before it is given: it is thought over."""
    here = World().settle()
    unshared = Survey(replace(here.facts(), shares={}), here.now)
    chosen = shift(unshared, "web", {"r1": 1.0}, Why("rollout", Priority.ROLLOUT, "a test"))
    decision = Decision(id="a-1", at=here.now, subject="web", chosen=chosen, state="act", basis="b")
    history = replace(here.history, pending={"a-1": Pending(decision=decision)})
    here.hang("web-1")
    refusal = revalidate(decision, here.facts(), history, here.now)
    assert "precondition-false" == (refusal and refusal.code)


@pytest.mark.parametrize("there", [True, False])
def test_traffic_is_not_taken_from_what_has_come_back(there: bool) -> None:  # noqa: FBT001
    """It was to lose all since nothing of it served; one that does by now keeps what it has."""
    here = World().settle()
    shared = replace(here.facts(), shares={"web": {"r0": 0.5, "r1": 0.5}})
    back = replace(here.replicas["web-1"], id="web-0", release="r0")
    hung = (replace(back, ready=False),) if there else ()
    before, now = (replace(shared, replicas=(*shared.replicas, *more)) for more in (hung, (back,)))
    chosen = shift(Survey(before, here.now), "web", {"r1": 1.0}, Why("rollout", Priority.ROLLOUT, "a test"))
    decision = Decision(id="a-1", at=here.now, subject="web", chosen=chosen, state="act", basis="b")
    history = replace(here.history, pending={"a-1": Pending(decision=decision)})
    found = [revalidate(decision, each, history, here.now) for each in (before, now)]
    assert [None, "precondition-false"] == [each and each.code for each in found]


@pytest.mark.parametrize(("most", "code"), [(3, None), (2, "precondition-false")])
def test_nothing_is_started_where_others_have_taken_the_room(most: int, code: str | None) -> None:
    """Whom a predecessor started with no record of it nobody remembers; it is seen, and counts."""
    here = World().settle()
    up = grow("web", "r1", (2, 2, 3), Why("scaling", Priority.SCALING, "load"), Timing(9.0, 9.0))
    chosen = replace(up, action=replace(up.action, starts=("web-9",)))
    decision = Decision(id="a-1", at=here.now, subject="web/r1", chosen=chosen, state="act", basis="b")
    policy = replace(service().rollout, surge=0)
    wanted = system(service(replicas=Range(min=1, max=most), rollout=policy))
    history = replace(here.history, system=wanted, pending={"a-1": Pending(decision=decision)})
    refusal = revalidate(decision, here.facts(), history, here.now)
    assert code == (refusal and refusal.code)


def test_overtaken_decision_is_refused() -> None:
    """What is no longer under way is not applied."""
    here, decision = drain(World().settle())
    refusal = revalidate(decision, here.facts(), History(), here.now)
    assert "overtaken" == (refusal and refusal.code)


# --- conditions: known to hold, known not to, cannot be told


@pytest.mark.parametrize(
    ("condition", "answer", "blind"),
    [
        (Heard(source=HEALTH), True, False),
        (Configured(digest="x"), False, None),
        (Live(workload="web", release="r1", exactly=2), True, None),
        (Live(workload="web", release="r1", exactly=3), False, None),
        (Ready(workload="web", release="r1", at_least=2), True, None),
        (Ready(workload="web", release="r1", at_least=3), False, None),
        (Serving(replica="web-1"), True, None),
        (Serving(replica="web-7"), False, None),
        (Broken(replica="web-1"), False, None),
        (Broken(replica="web-3"), True, True),
        (Broken(replica="web-7"), None, None),
        (Gone(replica="web-1"), False, None),
        (Gone(replica="web-3"), True, True),
        (Gone(replica="web-7"), True, None),
        (Shares(workload="web", shares={"r1": 1.0}), True, None),
        (Shares(workload="web", shares={"r1": 0.5, "r2": 0.5}), False, None),
    ],
)
def test_condition(condition: Condition, answer: bool | None, blind: bool | None) -> None:  # noqa: FBT001
    """Each condition against two ready replicas and a dead one; then with processes and health silent."""
    here = World().settle()
    dead = replace(here.replicas["web-1"], id="web-3", phase=Phase.EXITED, ready=False)
    here.replicas["web-3"] = dead
    known = holds(condition, Survey(here.facts(), here.now))
    here.silence(HEALTH, PROCESSES)
    unknown = holds(condition, Survey(trusted(here.facts(), here.now), here.now))
    assert (answer, blind) == (known, unknown)


# --- samples


def test_samples_stay_few_and_keep_the_mean() -> None:
    """Hours of a load that is another at each pass become few samples, and their mean is its mean."""
    here = World()
    samples, heard = (), ()
    for turn in range(4000):
        facts = replace(here.facts(), loads={"web": Load(in_flight=7 + turn % 3, queued=1)})
        now = 1000.0 + turn * 0.25
        samples = sampled(samples, service(), Survey(facts, now), heard)
        heard = (*heard[-1:], now)
        assert len(samples) <= 30
    ends = [each.at for each in samples[1:]] + [heard[-1]]
    total = sum(each.in_flight * (end - each.at) for each, end in zip(samples, ends, strict=True))
    assert pytest.approx(9.0, rel=0.01) == total / (heard[-1] - samples[0].at)


def test_constant_load_adds_no_sample() -> None:
    """A load that is read again and again and stays as it is leaves one sample, the same object."""
    facts = replace(World().facts(), loads={"web": Load(in_flight=7)})
    samples = sampled((), service(), Survey(facts, 1001.0), (1000.0,))
    assert samples is sampled(samples, service(), Survey(facts, 1002.0), (1000.0, 1001.0))
    assert (Sample(at=1000.0, in_flight=7.0),) == samples


def test_time_in_which_nobody_looked_is_not_known() -> None:
    """A maintainer that was gone for a while knows nothing of the load meanwhile."""
    facts = replace(World().facts(), loads={"web": Load(in_flight=7)})
    samples = sampled((Sample(at=950.0, in_flight=5.0),), service(), Survey(facts, 1000.0), (951.0, 952.0))
    expected = (Sample(at=950.0, in_flight=5.0, readings=2), Sample(at=952.0, readings=0))
    assert (*expected, Sample(at=999.0, in_flight=7.0)) == samples


def test_unknown_load_leaves_no_sample() -> None:
    """None is not zero."""
    here = World()
    facts = replace(here.facts(), loads={"web": Load(queued=3)})
    assert () == sampled((), service(), Survey(facts, here.now), (here.now - 1.0,))


def test_shares_that_got_lost_are_set_again_by_another_action() -> None:
    """A gateway that forgot its shares gets them under a new id, or it would think the action done."""
    here = World().settle()
    for _ in range(2):
        here.shares.clear()
        here.run(3)
    ids = [each.id for each in here.did(Shift)]
    assert (3, 3, {"r1": 1.0}) == (len(ids), len(set(ids)), here.shares["web"])


def test_precondition_that_cannot_be_told_is_no_yes() -> None:
    """One replica whose readiness is not known is enough to put a drain off."""
    here, decision = drain(World().settle())
    other = next(each for each in here.ready() if each not in decision.chosen.action.stops)
    here.replicas[other] = replace(here.replicas[other], ready=None)
    refusal = revalidate(decision, here.facts(), here.history, here.now)
    assert "precondition-unknown" == (refusal and refusal.code)


def test_room_is_kept_for_what_an_unanswered_order_leaves_alive() -> None:
    """Drains whose answers are lost make no room: nothing is started beyond `max` and `surge`."""
    here = World(system(service(replicas=Range(min=4, max=4), scale=None))).settle()
    here.up("r2")
    most = 0
    for turn in range(60):
        here.loses = lambda action, turn=turn: turn < 40 and isinstance(action, Scale) and bool(action.stops)
        here.once()
        most = max(most, len(here.live()))
    assert 5 == most


def test_load_is_answered_though_a_drain_had_no_answer() -> None:
    """What may or may not have been stopped counts as living; only what lacks beyond it is started."""
    here = World().settle()
    here.load(60)
    here.run(12)
    here.load(0)
    here.loses = lambda action: isinstance(action, Scale)
    while not any(each.chosen.action.stops for each in here.did(Scale)):
        here.once()
    here.loses = lambda _action: False
    here.load(78)
    here.run(10)
    assert 8 == len(here.ready())


def test_name_of_a_replica_that_nobody_recorded_is_not_given_again() -> None:
    """Started without a record by a maintainer that died: it is there, so the next name goes beyond it."""
    here = World().settle()
    here.replicas["web-7"] = replace(here.replicas["web-1"], id="web-7")
    here.once()
    here.kill("web-1")
    here.kill("web-2")
    here.once()
    assert ["web-8"] == [each.chosen.action.start for each in here.did(Replace)]


def test_number_raised_on_what_only_comes_is_undone_to_the_number_before() -> None:
    """A Scale up that has nothing to start itself ends all the same, undone to what was settled."""
    here = World(system(service(replicas=Range(min=2, max=8), scale=None))).settle()
    survey = Survey(here.facts(), here.now)
    memory = replace(here.history.workloads["web"], wanted={"r1": 1})
    why = Why(controller="scaling", priority=Priority.SCALING, because="a test")
    (proposal,) = scales(survey, service(), memory, Numbers({"r1": 2}), why)
    assert ((), Scale(workload="web", release="r1", replicas=1, drain_s=5.0)) == (
        proposal.action.starts,
        proposal.contract.undo,
    )


def test_replica_that_is_not_known_to_live_is_not_known_to_serve() -> None:
    """With processes silent, checks that passed say nothing of what has ended since."""
    here = World().settle()
    here.silence(PROCESSES)
    survey = Survey(trusted(here.facts(), here.now), here.now)
    found = [
        holds(Ready(workload="web", release="r1", at_least=2), survey),
        holds(Serving(replica="web-1"), survey),
    ]
    assert [None, None] == found


def test_start_that_had_no_answer_is_not_asked_for_again_once_all_is_ordered_down() -> None:
    """A repair whose answer was lost before the order to go down starts nothing after it."""
    here = World().settle()
    here.loses = lambda action: isinstance(action, Replace)
    here.kill("web-1")
    here.once()
    tries = len(here.did(Replace))
    here.loses = lambda _action: False
    here.down()
    here.run(200)
    assert (1, 1, True) == (tries, len(here.did(Replace)), here.history.stopped)


def test_dismantling_that_was_never_answered_is_not_done() -> None:
    """Asked for in vain again and again it has failed, and is decided anew; only then is all down."""
    here = World().settle()
    here.loses = lambda action: isinstance(action, Dismantle)
    here.down()
    here.run(300)
    assert (False, True) == (here.history.stopped, "failed" in closed(here, "dismantle"))
    here.loses = lambda _action: False
    here.run(120)
    assert (True, "") == (here.history.stopped, here.configured)


def test_undone_number_of_one_release_leaves_the_total_of_both() -> None:
    """A candidate's number goes back to what it was, the workload's total to what that was."""
    settled = Pending(decision=raised("r2", 1, capacity=4), before=0, capacity_before=3)
    here = World().settle()
    undo = undoing(settled, Survey(here.facts(), here.now))
    assert (0, 3) == (undo and undo.action.replicas, undo and undo.capacity)


def raised(release: str, replicas: int, capacity: int) -> Decision:
    """Return a decision of scaling's that raised one release's number, and the total."""
    why = Why(controller="scaling", priority=Priority.SCALING, because="a test", capacity=capacity)
    proposal = grow("web", release, (replicas - 1, replicas - 1, replicas), why, Timing(60.0, 30.0))
    return Decision(
        id="a-1", at=0.0, subject=proposal.subject, chosen=proposal, state="act", basis="", lost=()
    )

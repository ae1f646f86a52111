"""Limits to the point: budgets, risks, back-off, freeze windows, repeats; at the limit and just beyond."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.commit import ACTED_MAX, commit
from lamplighter.engine.freeze import frozen, week_minute
from lamplighter.engine.guard import Watch, guard, guarded
from lamplighter.engine.settle import Settled
from lamplighter.engine.verify import ATTEMPTS_MAX, answered, verify
from lamplighter.model.actions import Contract, Gone, Heard, Outcome, Scale
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Facts, Source
from lamplighter.model.history import Acted, Closed, History, Pending
from lamplighter.model.system import Freeze, Guards
from lamplighter.testing.builders import NOW, facts, settled, system, up

WANTED = replace(system(web=(2, 8)), guards=Guards(actions=2, window_s=100.0, at_risk=0.5, approve_above=0.4))


def decision(name: str = "a-1", *, stops: int = 1, blast: float = 0.25, **chosen: object) -> Decision:
    """Return a decision to stop some of four replicas."""
    scale = Scale(workload="web", release="r1", replicas=3, stops=("web-1",) * stops)
    contract = Contract(gain="less", blast_radius=blast, destructive=True, needs=(Heard(source=HEALTH),))
    plain = Proposal(
        controller="scaling",
        priority=Priority.SCALING,
        subject="web/r1",
        action=scale,
        contract=contract,
        because="the test says so",
    )
    made = replace(plain, **chosen)
    return Decision(id=name, at=NOW, subject="web/r1", chosen=made, state="act", basis="b")


def watch(history: History, seen: Facts | None = None, *, recordable: bool = True) -> Watch:
    """Return what guards look at, with four replicas that serve."""
    seen = seen or facts(web=[up] * 4)
    return Watch(history, Survey(trusted(seen, NOW), NOW, history.pending), recordable=recordable)


def acted(*ages_s: float) -> History:
    """Return a history with actions of these ages."""
    past = tuple(Acted(at=NOW - each, subject="web/r1", kind="scale") for each in ages_s)
    return replace(settled(WANTED, web=4), acted=past)


def ended(result: str, *ages_s: float) -> History:
    """Return a history in which the same action ended so, these ages ago."""
    past = [
        Closed(action=f"a-{each}", at=NOW - each, result=result, subject="web/r1", kind="scale")  # type: ignore[arg-type]
        for each in ages_s
    ]
    return replace(settled(WANTED, web=4), closed=tuple(past))


@pytest.mark.parametrize(
    ("ages_s", "state"),
    [((1, 2), "held"), ((1,), "act"), ((1, 100), "act"), ((1, 99.9), "held"), ((), "act")],
)
def test_budget_counts_what_is_in_the_window(ages_s: tuple[float, ...], state: str) -> None:
    """An action counts until it is a whole window old, wherever the clock stands."""
    assert state == guard(decision(), watch(acted(*ages_s))).state


@pytest.mark.parametrize("kind", ["configure", "forget", "shift", "dismantle"])
def test_what_starts_and_stops_nothing_of_its_own_is_not_in_the_budget(kind: str) -> None:
    """Only what starts or stops replicas is counted."""
    past = tuple(Acted(at=NOW - 1, subject="web", kind=kind) for _ in range(5))
    assert "act" == guard(decision(), watch(replace(acted(), acted=past))).state


def test_undo_waits_for_no_budget() -> None:
    """Its action is counted already, and nothing else is done on the same subject until it is undone."""
    wanted = decision()
    undo = replace(wanted, chosen=replace(wanted.chosen, controller="undo"))
    here = watch(acted(1, 1, 1, 1, 1))
    assert ("held", "act") == (guard(wanted, here).state, guard(undo, here).state)


def test_undo_uses_up_the_budget_of_those_beside_it() -> None:
    """It goes ahead whatever is spent, so what is settled before it in the same pass waits for it."""
    first, undo = decision("a-1", blast=0.1), decision("a-2", blast=0.0)
    undo = replace(undo, chosen=replace(undo.chosen, controller="undo"))
    assert ["held", "act"] == [each.state for each in guarded([first, undo], watch(acted(1)))]


def start(workload: str, controller: str = "repair") -> Decision:
    """Return a decision to start one more of a workload."""
    scale = Scale(workload=workload, release="r1", replicas=5, starts=(f"{workload}-9",))
    contract = Contract(gain="more", destructive=False)
    plain = decision(f"a-{workload}", controller=controller, subject=f"{workload}/r1")
    return replace(plain, chosen=replace(plain.chosen, action=scale, contract=contract))


@pytest.mark.parametrize(
    ("actions", "used", "first"),
    [
        (4, ("web-1", "web/r1", "web-2"), "api"),
        (4, ("web-1", "api-1", "api-2"), "web"),
        (8, ("web-1",) * 7, "api"),
    ],
)
def test_last_of_a_budget_goes_to_who_had_less_of_it(actions: int, used: tuple[str, ...], first: str) -> None:
    """One whose replicas end again and again does not use up what the others need."""
    wanted = replace(system(api=4, web=4), guards=replace(WANTED.guards, actions=actions))
    past = tuple(Acted(at=NOW - 1, subject=each, kind="scale") for each in used)
    here = watch(replace(settled(wanted, web=4, api=4), acted=past), facts(web=[up] * 4, api=[up] * 4))
    states = {each.id: each.state for each in guarded([start("web"), start("api")], here)}
    assert {"a-api": "held", "a-web": "held", f"a-{first}": "act"} == states


def test_what_saves_goes_before_nobody() -> None:
    """Where the budget is all but used up a drain that only saves leaves it to a repair, whoever had more."""
    wanted = replace(system(api=4, web=4), guards=replace(WANTED.guards, actions=3))
    past = tuple(Acted(at=NOW - 1, subject="web-1", kind="replace") for _ in range(2))
    here = watch(replace(settled(wanted, web=4, api=4), acted=past), facts(web=[up] * 4, api=[up] * 4))
    saves = decision("a-api", subject="api/r1")
    saves = replace(saves, chosen=replace(saves.chosen, action=replace(saves.chosen.action, workload="api")))
    assert ["held", "act"] == [each.state for each in guarded([saves, start("web")], here)]


def test_what_saves_goes_before_who_had_nearly_all_of_the_budget() -> None:
    """One whose replicas end again and again would else keep all others from ever getting smaller."""
    wanted = replace(system(api=4, web=4), guards=replace(WANTED.guards, actions=5))
    past = tuple(Acted(at=NOW - 1, subject="web-1", kind="replace") for _ in range(4))
    here = watch(replace(settled(wanted, web=4, api=4), acted=past), facts(web=[up] * 4, api=[up] * 4))
    saves = decision("a-api", subject="api/r1")
    saves = replace(saves, chosen=replace(saves.chosen, action=replace(saves.chosen.action, workload="api")))
    assert ["act", "held"] == [each.state for each in guarded([saves, start("web")], here)]


def test_budget_is_spent_within_a_pass_too() -> None:
    """What goes ahead in this pass counts for those after it."""
    here = watch(acted(1))
    assert "act" == guard(decision("a-1", blast=0.1), here).state
    here.take(decision("a-1", blast=0.1))
    assert "held" == guard(decision("a-2", blast=0.1), here).state


@pytest.mark.parametrize(
    ("under_way", "state"), [((), "act"), ((0.25,), "act"), ((0.26,), "held"), ((0.5,), "held")]
)
def test_what_is_at_risk_adds_up(under_way: tuple[float, ...], state: str) -> None:
    """What is under way and what is to come together stay within what may be at risk."""
    there = {
        f"p-{each}": Pending(decision=decision(f"p-{each}", blast=each), state="applied")
        for each in under_way
    }
    assert state == guard(decision(), watch(replace(acted(), pending=there))).state


def test_one_replica_may_always_be_at_risk() -> None:
    """However little may be at risk, one of those that carry the traffic may."""
    history = replace(acted(), system=replace(WANTED, guards=Guards(at_risk=0.1, approve_above=1.0)))
    assert "act" == guard(decision(blast=0.25), watch(history)).state
    assert "held" == guard(decision(blast=0.5), watch(history)).state


@pytest.mark.parametrize(("blast", "state"), [(0.4, "act"), (0.41, "asked"), (0.0, "act")])
def test_yes_is_asked_for_above_the_limit(blast: float, state: str) -> None:
    """At the limit nobody is asked, above it a person is."""
    assert state == guard(decision(blast=blast), watch(acted())).state


@pytest.mark.parametrize(
    ("ages_s", "state"),
    [
        ((0.9,), "held"),
        ((1.0,), "act"),
        ((3, 1.9), "held"),
        ((3, 2.0), "act"),
        ((9, 8, 3.9), "held"),
        ((601,), "act"),
    ],
)
def test_failure_makes_the_next_wait(ages_s: tuple[float, ...], state: str) -> None:
    """One second after the first, two after the second, four after the third; old ones are forgiven."""
    assert state == guard(decision(), watch(ended("failed", *ages_s))).state


@pytest.mark.parametrize("result", ["refused", "undone", "lapsed", "failed"])
def test_every_bad_end_counts(result: str) -> None:
    """What was refused, undone or failed waits; what lapsed does so from the second time on."""
    assert "held" == guard(decision(), watch(ended(result, 1.0, 0.5))).state
    once = guard(decision(), watch(ended(result, 0.5))).state
    assert ("act" if result == "lapsed" else "held") == once


@pytest.mark.parametrize("result", ["verified", "superseded"])
def test_good_end_makes_nothing_wait(result: str) -> None:
    """What worked, or was overtaken, is held against nobody."""
    assert "act" == guard(decision(), watch(ended(result, 0.1, 0.1, 0.1))).state


def test_wait_is_for_the_same_kind_on_the_same_subject() -> None:
    """A failure elsewhere, or of another kind of action, is another matter."""
    history = ended("failed", 0.1)
    other = tuple(replace(each, subject="api/r1") for each in history.closed)
    kind = tuple(replace(each, kind="replace") for each in history.closed)
    for closed in (other, kind):
        assert "act" == guard(decision(), watch(replace(history, closed=closed))).state


def test_order_passes_what_stands_for_a_persons_judgement_and_no_more() -> None:
    """Budget, risk and approval are passed; silence and a record that cannot be kept are not."""
    ordered = decision(blast=1.0, ordered_by="ann")
    assert "act" == guard(ordered, watch(acted(1, 2, 3))).state
    assert "held" == guard(ordered, watch(acted(), recordable=False)).state
    assert "held" == guard(ordered, watch(acted(), facts(web=[up] * 4, silent={HEALTH: 0.0}))).state


def test_silence_of_what_it_does_not_rest_on_holds_nothing() -> None:
    """Only the sources that an action needs can hold it."""
    assert "act" == guard(decision(), watch(acted(), facts(web=[up] * 4, silent={TRAFFIC: 0.0}))).state


@pytest.mark.parametrize(
    ("wall", "inside"),
    [
        ("2026-11-23T09:59:00+00:00", False),
        ("2026-11-23T10:00:00+00:00", True),
        ("2026-11-23T10:59:00+00:00", True),
        ("2026-11-23T11:00:00+00:00", False),
        ("2026-11-24T10:30:00+00:00", False),
        ("2026-11-23T10:30:00", True),
        ("soon", True),
    ],
)
def test_window_has_its_first_minute_and_not_its_last(wall: str, inside: bool) -> None:  # noqa: FBT001
    """From ten to eleven: ten is inside, eleven is not; a time that cannot be told is."""
    window = Freeze(start_min=600, end_min=660)
    assert inside == (frozen(replace(WANTED, freeze=(window,)), wall) is not None)
    assert frozen(WANTED, wall) is None


def test_week_begins_on_monday_at_home() -> None:
    """The minute is that of the system's own zone."""
    assert 0 == week_minute("2026-11-23T00:00:00+00:00", "UTC")
    assert 7 * 1440 - 1 == week_minute("2026-11-29T23:59:00+00:00", "UTC")
    assert 60 == week_minute("2026-11-23T00:00:00+00:00", "Europe/Paris")


def pending(outcome: str | None, attempts: int, **more: object) -> Pending:
    """Return an action that was handed over so often, the last time now."""
    made = decision()
    contract = replace(made.chosen.contract, expects=(Gone(replica="web-1"),), deadline_s=10.0)
    chosen = replace(made.chosen, contract=contract)
    plain = Pending(decision=replace(made, chosen=chosen), since=NOW, tried_at=NOW, attempts=attempts)
    return replace(plain, **({"outcome": outcome} | more))


def verified_after(each: Pending, seconds: float, **silent: float) -> tuple[tuple[str, ...], list[str], str]:
    """Return repeats, ends and the state of an action that is judged so much later."""
    now = NOW + seconds
    seen = replace(facts(at=now, web=[up] * 4, silent=silent or None), shares={"web": {"r1": 1.0}})
    history = replace(settled(WANTED, web=4), pending={"a-1": each})
    after = verify(history, Survey(trusted(seen, now), now, history.pending))
    left = after.history.pending.get("a-1")
    return after.retries, [one.result for one in after.closed], left.state if left else ""


@pytest.mark.parametrize(
    ("attempts", "after_s", "again"),
    [
        (1, 1.9, False),
        (1, 2.0, True),
        (2, 3.9, False),
        (2, 4.0, True),
        (3, 7.9, False),
        (3, 8.0, True),
        (9, 7.9, False),
        (9, 8.0, True),
    ],
)
def test_answer_is_waited_for_longer_each_time_up_to_a_bound(
    attempts: int,
    after_s: float,
    again: bool,  # noqa: FBT001
) -> None:
    """Two seconds, four, then every eight the action is handed over again."""
    assert (("a-1",) if again else ()) == verified_after(pending(None, attempts), after_s)[0]


def test_known_loss_is_made_good_at_once_the_first_time() -> None:
    """An answer that is known to be lost need not be waited for; the second time it is."""
    assert ("a-1",) == verified_after(pending("unknown", 1), 0.0)[0]
    assert () == verified_after(pending("unknown", 2), 1.9)[0]


def test_after_the_last_attempt_only_facts_decide() -> None:
    """It is not handed over any more, and counts as applied from then on."""
    assert ((), [], "applied") == verified_after(pending(None, ATTEMPTS_MAX), 100.0)


@pytest.mark.parametrize(("after_s", "ends"), [(10.0, []), (10.1, ["failed"])])
def test_deadline_is_the_last_good_moment(after_s: float, ends: list[str]) -> None:
    """At its deadline an action may still work; beyond it has failed, if that is known."""
    assert ends == verified_after(pending("accepted", 1, state="applied"), after_s)[1]


def test_unknown_neither_fails_nor_passes() -> None:
    """Where processes are silent nobody can tell whether a replica is gone."""
    late = verified_after(pending("accepted", 1, state="applied"), 60.0, **{PROCESSES: NOW})
    assert ((), [], "applied") == late


def test_answer_counts_for_the_action_it_is_for() -> None:
    """An answer to something that is not under way is of no use; the others are noted, each at its own."""
    history = replace(settled(WANTED, web=4), pending={"a-1": pending(None, 1)})
    told = (
        Outcome(action="a-9", state="refused", at=NOW),
        Outcome(action="a-1", state="accepted", at=NOW + 1),
    )
    after, closed = answered(history, told, NOW + 2)
    assert ((), "applied", NOW + 1) == (closed, after.pending["a-1"].state, after.pending["a-1"].since)


def test_only_so_many_actions_are_remembered() -> None:
    """The oldest are forgotten first."""
    past = tuple(Acted(at=float(each), subject="web", kind="scale") for each in range(ACTED_MAX))
    history = replace(settled(WANTED, web=4), acted=past)
    after, _ = commit(history, [Settled(decision())], NOW)
    assert (ACTED_MAX, 1.0, NOW) == (len(after.acted), after.acted[0].at, after.acted[-1].at)


def test_source_is_heard_for_as_long_as_it_may_be_old() -> None:
    """A source is silent once its last answer is older than facts may be."""
    seen = Facts(at=NOW, sources={PROCESSES: Source(observed_at=NOW)})
    assert seen.silence(PROCESSES, NOW) is None
    assert seen.silence(HEALTH, NOW) is not None


@pytest.mark.parametrize(
    ("result", "ages_s", "state"),
    [
        ("failed", (100, 3), "act"),
        ("failed", (100, 90, 3), "held"),
        ("failed", (600, 90, 3), "act"),
        ("failed", (599.9, 90, 3), "held"),
        ("lapsed", (100, 90, 80, 70, 3), "act"),
        ("lapsed", (50, 40, 3), "act"),
        ("lapsed", (50, 40, 30, 3), "held"),
        ("lapsed", (60, 40, 30, 3), "act"),
        ("lapsed", (59.9, 40, 30, 3), "held"),
    ],
)
def test_failures_count_for_ten_minutes_and_lapses_for_one(
    result: str, ages_s: tuple[float, ...], state: str
) -> None:
    """The third makes the next wait for four seconds; of lapses one is forgiven."""
    assert state == guard(decision(blast=0.1), watch(ended(result, *ages_s))).state

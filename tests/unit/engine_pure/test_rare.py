"""What stories seldom come by: intents without a name, approvals of what is over, who left the spec."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers import contracts
from lamplighter.controllers.contracts import Timing, Why
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.guard import Watch, _scarce, _turn, guard, guarded
from lamplighter.engine.orders import _let_be, begun, take
from lamplighter.engine.settle import _excluded, _marks, carried, settle
from lamplighter.engine.verify import _total_before, verify
from lamplighter.model.actions import Contract, Replace, Scale
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.facts import Facts
from lamplighter.model.history import Acted, Closed, History, Pending, RolloutState, WorkloadHistory
from lamplighter.model.intents import Approve, Down, Rollback, Up
from lamplighter.model.system import Freeze, Guards
from lamplighter.testing.builders import NOW, crashed, draining, facts, of, settled, system, up

WHY = Why("toy", Priority.SCALING, "a test")
TIMING = Timing(start_s=20.0, drain_s=5.0)
WANTED = system(web=(2, 3), db=2)
REST = settled(WANTED)
KNOWN = facts(web=[up, up], db=[up, up])


def seen(known: Facts = KNOWN) -> Survey:
    """Return what is seen."""
    return Survey(trusted(known, NOW), NOW)


def decided(chosen: Proposal, name: str = "a-1") -> Decision:
    """Return a decision."""
    return Decision(id=name, at=NOW, subject=chosen.subject, chosen=chosen, state="act", basis="b")


@pytest.mark.parametrize(
    ("action", "result", "code"),
    [
        ("a-1", "lapsed", "lapsed"),
        ("a-1", "verified", "unknown-action"),
        ("a-2", "lapsed", "unknown-action"),
        ("a-2", "failed", "unknown-action"),
    ],
)
def test_approval_of_what_is_over(action: str, result: str, code: str) -> None:
    """Lapsed is said only of the very action that has lapsed."""
    gone = Closed(action=action, at=1.0, result=result, subject="web", kind="scale")  # type: ignore[arg-type]
    history = replace(REST, closed=(gone,))
    _, (answer,) = take(history, (Approve(id="i", action="a-1"),), KNOWN, NOW, recordable=True)
    assert (False, code) == (answer.accepted, answer.code)


@pytest.mark.parametrize(("by", "noted"), [("", "a person"), ("ann", "ann")])
def test_rollback_is_somebodys(by: str, noted: str) -> None:
    """Without a name it is a person's all the same: what is ordered passes the guards."""
    web = replace(REST.workloads["web"], earlier=("r0",))
    history = replace(REST, workloads={**REST.workloads, "web": web})
    after, _ = take(history, (Rollback(id="i", workload="web", by=by),), KNOWN, NOW, recordable=True)
    state = after.workloads["web"].rollout
    assert state is not None
    assert ("r0", "r1", noted, NOW, True) == (
        state.candidate,
        state.stable,
        state.by,
        state.started_at,
        state.at_once,
    )


def test_rollout_is_begun_now_by_whom_who_asked() -> None:
    """Its beginning is noted: failures before it are not held against it."""
    asked = Up(id="i", system=WANTED, releases={"web": "r2", "db": "r1"}, by="ann")
    after, _ = take(REST, (asked,), KNOWN, NOW, recordable=True)
    state = after.workloads["web"].rollout
    assert state is not None
    assert ("r2", "r1", "ann", NOW, 0, "") == (
        state.candidate,
        state.stable,
        state.by,
        state.started_at,
        state.step,
        state.verdict,
    )
    assert after.workloads["db"].rollout is None


def waiting(action: Scale | Replace) -> History:
    """Return a history with an action that got no answer for ten seconds."""
    chosen = contracts.propose(WHY, "web/r1", action, Contract(gain="", deadline_s=60.0))
    return replace(
        REST, pending={"a-1": Pending(decision=decided(chosen), since=NOW - 10, tried_at=NOW - 10)}
    )


@pytest.mark.parametrize(
    ("workload", "starts", "stopping", "retried"),
    [
        ("web", ("web-3",), None, True),
        ("gone", ("gone-3",), None, False),
        ("gone", (), None, True),
        ("web", ("web-3",), 50.0, False),
        ("web", (), 50.0, True),
    ],
)
def test_what_starts_something_that_is_to_go_is_not_asked_for_again(
    workload: str,
    starts: tuple[str, ...],
    stopping: float | None,
    retried: bool,  # noqa: FBT001
) -> None:
    """Its workload has left the spec, or all is to go; what stops something is asked for still."""
    scale = Scale(workload=workload, release="r1", replicas=2, starts=starts)
    found = verify(replace(waiting(scale), stopping=stopping), seen())
    state = found.history.pending["a-1"].state
    assert (
        (("a-1",), "decided") == (found.retries, state)
        if retried
        else ((), "applied") == (found.retries, state)
    )


def test_replicas_of_a_release_that_nobody_settled_take_room() -> None:
    """Four live of the four that max and surge allow, two of no settled number: no more is started."""
    more = contracts.grow("web", "r1", (2, 2, 3), WHY, TIMING)
    crowded = facts(web=[up, up, of("r7"), of("r7")], db=[up, up])
    assert [] == [*settle([more], REST, seen(crowded))]
    roomy = facts(web=[up, up, of("r7")], db=[up, up])
    assert ["web/r1"] == [each.decision.subject for each in settle([more], REST, seen(roomy))]


def share(workload: str, release: str) -> Proposal:
    """Return a proposal to give a release all of a workload's traffic."""
    return contracts.shift(seen(SHARED), workload, {release: 1.0}, WHY)


def drain(workload: str, release: str, replica: str) -> Proposal:
    """Return a proposal to stop a replica that serves."""
    scale = Scale(workload=workload, release=release, replicas=1, stops=(replica,))
    return contracts.shrink(seen(SHARED), scale, WHY, sources=())


SHARED = replace(
    facts(web=[up, up, of("r2"), of("r2")], db=[up, up, of("r2"), of("r2")]),
    shares={name: {"r1": 0.5, "r2": 0.5} for name in ("web", "db")},
)


@pytest.mark.parametrize(
    ("proposals", "states"),
    [
        ([share("web", "r2"), share("db", "r2"), drain("web", "r2", "web-3")], ["act", "act", "held"]),
        ([share("web", "r2"), share("db", "r2"), drain("web", "r1", "web-1")], ["act", "act", "act"]),
        (
            [drain("web", "r2", "web-3"), drain("db", "r2", "db-3"), share("web", "r2")],
            ["act", "act", "held"],
        ),
        ([drain("web", "r2", "web-3"), drain("db", "r2", "db-3"), share("web", "r1")], ["act", "act", "act"]),
        ([drain("web", "r2", "web-3"), share("db", "r2")], ["act", "act"]),
    ],
)
def test_who_is_at_odds_with_whom(proposals: list[Proposal], states: list[str]) -> None:
    """Whoever gains in a pass loses none that serves in it, however much is decided in between."""
    wanted = replace(WANTED, guards=Guards(at_risk=1.0, approve_above=1.0, actions=99))
    watch = Watch(replace(REST, system=wanted), seen(SHARED), recordable=True)
    found = guarded([decided(each, f"a-{rank}") for rank, each in enumerate(proposals)], watch)
    assert states == [each.state for each in found]


@pytest.mark.parametrize(
    ("stable", "capacity", "from_zero", "after"),
    [("r1", 0, True, 1), ("", 0, False, 0), ("r1", 1, False, 1), ("r1", 2, False, 2)],
)
def test_rollout_at_zero_starts_one(stable: str, capacity: int, from_zero: bool, after: int) -> None:  # noqa: FBT001
    """Of a workload that has a stable release and none of it lives; else it is a rollout as any other."""
    memory = WorkloadHistory(stable=stable, capacity=capacity)
    made = begun(memory, RolloutState(candidate="r2", stable=stable))
    assert made.rollout is not None
    assert (from_zero, after) == (made.rollout.from_zero, made.capacity)


@pytest.mark.parametrize(
    ("total", "before", "was", "replicas", "back"),
    [
        (6, 4, 4, 4, 4),
        (6, 4, 4, 5, 5),
        (6, 4, 4, 3, 4),
        (6, 4, 4, 9, 6),
        (6, -1, 4, 4, None),
        (None, 4, 4, 4, None),
        (6, 0, 0, 0, 0),
    ],
)
def test_total_that_an_undo_goes_back_to(
    total: int | None, before: int, was: int, replicas: int, back: int | None
) -> None:
    """The one before and what serves beyond its number, at most what was wanted; None if there was none."""
    scale = Scale(workload="web", release="r1", replicas=6)
    chosen = contracts.propose(replace(WHY, capacity=total), "web/r1", scale, Contract(gain=""))
    pending = Pending(decision=decided(chosen), before=was, capacity_before=before)
    assert back == _total_before(pending, replace(scale, replicas=replicas))


@pytest.mark.parametrize(
    ("state", "wanted", "release", "reason"),
    [
        (None, {}, "r2", ""),
        (RolloutState(candidate="r2", stable=""), {}, "r2", ""),
        (RolloutState(candidate="r2", stable="r1"), {}, "r1", ""),
        (RolloutState(candidate="r2", stable="r1"), {"r2": 1}, "r2", ""),
        (RolloutState(candidate="r2", stable="r1", verdict="failed"), {}, "r2", ""),
        (RolloutState(candidate="r2", stable="r1"), {"r2": 0}, "r2", "frozen: now (UTC)"),
    ],
)
def test_what_a_freeze_holds(
    state: RolloutState | None, wanted: dict[str, int], release: str, reason: str
) -> None:
    """The first of a candidate where there is a stable release; nothing of a first release."""
    frozen = replace(WANTED, freeze=(Freeze(start_min=0, end_min=7 * 1440 - 1, text="now"),))
    web = replace(REST.workloads["web"], rollout=state, wanted=wanted)
    history = replace(REST, system=frozen, workloads={**REST.workloads, "web": web})
    more = contracts.grow("web", release, (0, 0, 1), WHY, TIMING)
    known = replace(KNOWN, wall="2026-11-28T12:00:00+00:00")
    found = guard(decided(more), Watch(history, seen(known), recordable=True))
    assert ((reason,) if reason else ()) == found.reasons


@pytest.mark.parametrize(
    ("controller", "priority", "scarce", "turn"),
    [
        ("undo", Priority.SAFETY, True, -1),
        ("undo", Priority.SAFETY, False, -1),
        ("repair", Priority.REPAIR, False, 0),
        ("repair", Priority.REPAIR, True, 3),
        ("rollout", Priority.SAFETY, True, 0),
        ("scaling", Priority.SCALING, True, 5),
        ("housekeeping", Priority.SAVING, True, 5),
    ],
)
def test_whose_turn_it_is_while_the_budget_is_scarce(
    controller: str,
    priority: Priority,
    scarce: bool,  # noqa: FBT001
    turn: int,
) -> None:
    """What undoes first; safety waits for nobody; who had more than an even part waits; savers are last."""
    acted = tuple(Acted(at=NOW - 1, kind="scale", subject="web/r1") for _ in range(3))
    guards = Guards(actions=4, window_s=600.0)
    history = replace(REST, system=replace(WANTED, guards=guards), acted=acted)
    chosen = replace(drain("web", "r1", "web-1"), controller=controller, priority=priority)
    watch = Watch(history, seen(), recordable=True)
    assert turn == _turn(decided(chosen), watch, scarce=scarce)


def test_decision_rests_on_who_lives_who_drains_and_who_has_ended() -> None:
    """Each changes the digest of its facts; so an approval lapses with it."""
    more = contracts.grow("web", "r1", (2, 2, 3), WHY, TIMING)
    there = [
        facts(web=[up, up], db=[up]),
        facts(web=[up, up, draining], db=[up]),
        facts(web=[up, up, crashed], db=[up]),
        facts(web=[up, up, of("r2", draining)], db=[up]),
        facts(web=[up, up, of("r2")], db=[up]),
        replace(facts(web=[up, up], db=[up]), shares={"web": {"r1": 0.5, "r2": 0.5}}),
    ]
    roomy = replace(REST, system=system(web=(2, 9), db=2))
    bases = [settle([more], roomy, seen(each))[0].decision.basis for each in there]
    assert len(there) == len({*bases})
    (same,) = settle([more], roomy, seen(facts(web=[up, up], db=[up, up])))
    assert bases[0] == same.decision.basis


@pytest.mark.parametrize(
    ("decisions", "used", "scarce"),
    [(1, 4, False), (2, 2, False), (2, 3, True), (3, 1, False), (3, 2, True), (4, 0, False), (5, 0, True)],
)
def test_budget_is_scarce_for_several_that_it_does_not_suffice_for(
    decisions: int,
    used: int,
    scarce: bool,  # noqa: FBT001
) -> None:
    """To the last action; one alone has nobody to let go first."""
    acted = tuple(Acted(at=NOW - 1, kind="scale", subject="web/r1") for _ in range(used))
    history = replace(REST, system=replace(WANTED, guards=Guards(actions=4)), acted=acted)
    wants = [decided(drain("web", "r1", "web-1"), f"a-{each}") for each in range(decisions)]
    uncounted = decided(share("web", "r2"), "a-9")
    assert scarce == _scarce([*wants, uncounted], Watch(history, seen(), recordable=True))


@pytest.mark.parametrize(
    ("destructive", "ordered_by", "others", "state", "left"),
    [
        (True, "", True, "decided", True),
        (True, "ann", False, "decided", True),
        (True, "", False, "decided", False),
        (False, "ann", True, "decided", False),
        (True, "ann", True, "applied", False),
    ],
)
def test_order_before_is_left_to_the_facts(
    destructive: bool,  # noqa: FBT001
    ordered_by: str,
    others: bool,  # noqa: FBT001
    state: str,
    left: bool,  # noqa: FBT001
) -> None:
    """What stops something and got no answer, where a person asked for it or other guards let it pass."""
    chosen = replace(drain("web", "r1", "web-1"), ordered_by=ordered_by)
    chosen = replace(chosen, contract=replace(chosen.contract, destructive=destructive))
    pending = Pending(decision=decided(chosen), state=state, since=1.0)  # type: ignore[arg-type]
    expected = replace(pending, state="applied", since=NOW) if left else pending
    assert expected == _let_be(pending, NOW, others=others)


MAKES_WAY = replace(drain("web", "r1", "web-1"), controller="repair")


@pytest.mark.parametrize(
    ("proposal", "marks", "excluded"),
    [
        (share("web", "r2"), ["shared web"], ["made way web"]),
        (MAKES_WAY, ["made way web"], ["shared web"]),
        (
            replace(drain("web", "r1", "web-1"), controller="scaling"),
            ["lowered web/r1"],
            ["made good web/r1", "shared web"],
        ),
        (
            replace(drain("web", "r1", "web-1"), controller="rollout"),
            ["lowered web/r1"],
            ["made good web/r1"],
        ),
        (replace(drain("web", "r1", "web-1"), controller="housekeeping"), [], ["shared web"]),
        (
            contracts.grow("web", "r1", (2, 1, 2), replace(WHY, controller="repair"), TIMING),
            ["made good web/r1"],
            ["lowered web/r1"],
        ),
        (contracts.grow("web", "r1", (2, 2, 3), replace(WHY, controller="rollout"), TIMING), [], []),
        (
            replace(MAKES_WAY, action=replace(MAKES_WAY.action, starts=("",))),
            ["made way web", "made good web/r1"],
            ["lowered web/r1", "shared web"],
        ),
    ],
)
def test_what_must_not_be_settled_in_the_same_pass(
    proposal: Proposal, marks: list[str], excluded: list[str]
) -> None:
    """A number is not lowered and made good at once, nor drained by who serves while that is shared anew."""
    assert (marks, excluded) == ([*_marks(proposal, REST)], [*_excluded(proposal, REST)])


def test_replica_that_an_overtaken_start_brought_is_not_started_again() -> None:
    """It is listed, though nobody has noted yet that it came."""
    start = contracts.grow("web", "r1", (1, 1, 2), WHY, TIMING)
    ordered = replace(start, action=replace(start.action, starts=("web-2",)))
    more = contracts.grow("web", "r1", (2, 2, 3), WHY, TIMING)
    assert more == carried(more, Pending(decision=decided(ordered)), seen())
    gone = seen(facts(web=[up], db=[up, up]))
    action = carried(more, Pending(decision=decided(ordered)), gone).action
    assert isinstance(action, Scale)
    assert "web-2" in action.starts


def test_each_intent_of_a_pass_is_answered_in_its_turn() -> None:
    """The second knows what the first has changed."""
    asked = (Down(id="i-1", by="ann"), Down(id="i-2", by="bob"), Approve(id="i-3", action="a-1"))
    after, answers = take(REST, asked, KNOWN, NOW, recordable=True)
    assert [("i-1", True), ("i-2", True), ("i-3", False)] == [
        (each.intent, each.accepted) for each in answers
    ]
    assert (NOW, "ann") == (after.stopping, after.stopped_by)

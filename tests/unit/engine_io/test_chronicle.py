"""The chronicle: what the ledger is told of a pass, word for word, and what it is not told twice."""

import msgspec
import pytest
from tests.unit.engine_io.worlds import decision, system

from lamplighter.engine.chronicle import chronicle, described
from lamplighter.model.actions import Action, Configure, Outcome, Scale
from lamplighter.model.decisions import Decision, Lost
from lamplighter.model.facts import Facts
from lamplighter.model.findings import Finding
from lamplighter.model.history import Closed
from lamplighter.model.intents import Answer, Down, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import digest
from lamplighter.ports import LedgerLine

SCALE = Scale(workload="search", release="r-1", replicas=2, starts=("search-2",))
WANTED = system(KEY="hunter2")
NAMED = {"name": "library", "digest": digest(WANTED), "gateway": {"host": "127.0.0.1", "port": 8080}}
UNDO = Scale(workload="search", release="r-1", replicas=1)


def told(result: Result, before: Result | None = None, **inputs: object) -> list[LedgerLine]:
    """Return the ledger's lines for pass 7."""
    plain = Inputs(now=5.0, facts=Facts(at=5.0))
    return chronicle(7, before or Result(), msgspec.structs.replace(plain, **inputs), result)


def test_decision_is_told_with_all_that_it_rests_on() -> None:
    """Who wanted what and why, on which facts, what it promises and how it is undone, and who lost."""
    made = decision("a-1", 5.0, SCALE, undo=UNDO)
    lost = Lost(proposal=decision("a-2", 5.0, UNDO).chosen, reason="later")
    made = msgspec.structs.replace(made, lost=(lost,), reasons=("approved by ann",))
    (line,) = told(Result(decisions=(made,)))
    plain = msgspec.to_builtins(made.chosen.contract)
    assert ("decision", "a-1") == (line.kind, line.subject)
    assert {
        "pass": 7,
        "state": "act",
        "subject": "search",
        "controller": "toy",
        "priority": "repair",
        "action": msgspec.to_builtins(SCALE),
        "because": "the test says so",
        "ordered_by": "",
        "reasons": ("approved by ann",),
        "basis": made.basis,
        "contract": plain | {"undo": msgspec.to_builtins(UNDO)},
        "lost": [
            {
                "controller": "toy",
                "priority": "repair",
                "action": msgspec.to_builtins(UNDO),
                "because": "the test says so",
                "reason": "later",
            }
        ],
    } == line.body


def test_what_has_no_undo_is_told_so() -> None:
    """None stands there, and not an empty action."""
    (line,) = told(Result(decisions=(decision("a-1", 5.0, SCALE),)))
    assert line.body["contract"]["undo"] is None  # type: ignore[index]


@pytest.mark.parametrize("action", [SCALE, Configure(system=WANTED)])
def test_system_is_named_and_never_written_out(action: Action) -> None:
    """Its environment may hold what is nobody's business."""
    plain = msgspec.to_builtins(action)
    system_named = {"system": NAMED} if isinstance(action, Configure) else {}
    assert plain | system_named == described(action)


def test_intent_is_told_with_its_answer() -> None:
    """What was asked, by whom, and what became of it; the spec by its digest."""
    up = Up(id="up-1", system=WANTED, releases={"search": "r-2"}, by="ann")
    answers = (
        Answer(intent="i-0", accepted=True),
        Answer(intent="up-1", accepted=False, code="c", detail="d"),
    )
    (line,) = told(Result(answers=answers), intents=(up,))
    answer = {"accepted": False, "code": "c", "detail": "d"}
    assert ("intent", "up-1") == (line.kind, line.subject)
    assert {"pass": 7, **msgspec.to_builtins(up), "system": NAMED, **answer} == line.body


def test_intent_without_an_answer_is_told_all_the_same() -> None:
    """A pass that failed answers nobody."""
    (line,) = told(Result(), intents=(Down(id="d-1", by="ann"),))
    assert {"pass": 7, **msgspec.to_builtins(Down(id="d-1", by="ann"))} == line.body


def test_outcomes_ends_and_repeats_are_told() -> None:
    """What the target answered, how actions ended, and what is handed over again; in this order."""
    outcome = Outcome(action="a-1", state="refused", at=4.5, code="full", detail="no room")
    closed = Closed(action="a-2", at=5.0, result="failed", detail="late", subject="s", kind="scale")
    lines = told(Result(closed=(closed,), retries=("a-3",)), outcomes=(outcome,))
    bodies = [
        {"pass": 7, "state": "refused", "at": 4.5, "code": "full", "detail": "no room"},
        {"pass": 7, **msgspec.to_builtins(closed)},
        {"pass": 7},
    ]
    assert [("outcome", "a-1"), ("closing", "a-2"), ("retry", "a-3")] == [(e.kind, e.subject) for e in lines]
    assert bodies == [each.body for each in lines]


def found(kind: str, subject: str = "search") -> Finding:
    """Return a finding."""
    return Finding(kind=kind, subject=subject, message="m")


def test_finding_is_told_when_it_begins_and_when_it_ends_and_not_between() -> None:
    """By its kind and its subject: the same kind elsewhere is another."""
    before = Result(findings=(found("stays"), found("goes"), found("both", "a")))
    now = Result(findings=(found("stays"), found("comes"), found("both", "b")))
    lines = [(each.subject, each.body["kind"], each.body["change"]) for each in told(now, before)]
    began = [("search", "comes", "began"), ("b", "both", "began")]
    assert [*began, ("search", "goes", "ended"), ("a", "both", "ended")] == lines


@pytest.mark.parametrize(
    ("was", "now", "lines"),
    [("held", "held", 0), ("asked", "asked", 0), ("held", "act", 1), ("held", "asked", 1), ("act", "act", 1)],
)
def test_what_waits_is_told_once(was: str, now: str, lines: int) -> None:
    """What is held or asked about stands for many passes; what goes ahead is told each time."""
    made = decision("a-1", 5.0, SCALE)
    before, after = (Result(decisions=(_in(made, each),)) for each in (was, now))
    assert lines == len(told(after, before))


def _in(made: Decision, state: str) -> Decision:
    return msgspec.structs.replace(made, state=state)

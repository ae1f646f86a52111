"""What a loop seldom comes by: an intent handed in twice, a start on what is down, results told once."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from tests.unit.engine_io.test_loop import Make, make, passes, target
from tests.unit.engine_io.worlds import decision

from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.engine.loop import DISK_LOW_BYTES, _no_room
from lamplighter.model.actions import Outcome, Scale
from lamplighter.model.facts import Facts, Machine
from lamplighter.model.findings import Finding
from lamplighter.model.history import History, Pending
from lamplighter.model.intents import Down
from lamplighter.model.passes import Inputs, Result

__all__ = ["make", "target"]
STARTED = decision("a-1", 1.0, Scale(workload="search", release="r-1", replicas=1))
UNANSWERED = Outcome(action="a-1", state="unknown", at=1.0)


def test_same_intent_has_the_same_answer(make: Make) -> None:
    """Handed in again while it waits, wherever in the queue, it is asked for once."""
    loop = make()

    async def scenario() -> tuple[bool, bool, int]:
        first, second = (loop.submit(Down(id=each)) for each in ("i-1", "i-2"))
        again = (loop.submit(Down(id="i-2")) is second, loop.submit(Down(id="i-1")) is first)
        return (*again, len(loop._intents))

    assert (True, True, 2) == asyncio.run(scenario())


@pytest.mark.parametrize(
    ("pending", "outcomes", "intents", "failing", "busy"),
    [
        (False, False, False, False, False),
        (True, False, False, False, True),
        (False, True, False, False, True),
        (False, False, True, False, True),
        (True, True, True, True, False),
    ],
)
def test_when_a_loop_is_busy(
    make: Make, *, pending: bool, outcomes: bool, intents: bool, failing: bool, busy: bool
) -> None:
    """Something is under way, was answered, or is asked; unless the last pass failed."""
    loop = make()
    loop._history = History(pending={"a-1": Pending(decision=STARTED)} if pending else {})
    loop._outcomes = (UNANSWERED,) if outcomes else ()
    loop._intents.extend([(Down(id="i-1"), None)] if intents else [])  # type: ignore[list-item]
    loop._failing = failing
    assert busy == loop._busy()


@pytest.mark.parametrize(
    ("stopped", "before", "busy", "ends"),
    [
        (True, False, False, True),
        (True, True, False, False),
        (False, False, False, False),
        (True, False, True, False),
    ],
)
def test_when_there_is_nothing_left_to_maintain(
    make: Make, *, stopped: bool, before: bool, busy: bool, ends: bool
) -> None:
    """All went down while this loop ran, and nothing is under way; one that began so waits to be asked."""
    loop = make()
    loop._history, loop._down_before = History(stopped=stopped), before
    loop._outcomes = (UNANSWERED,) if busy else ()
    assert ends == loop._all_down()


def test_pass_of_which_it_is_not_known_whether_it_was_written_has_no_number(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows as number nought, with why what is destructive is held."""
    loop = make()

    async def never(_work: Callable[[], object]) -> None:
        return None

    monkeypatch.setattr(loop, "_blocking", never)
    asyncio.run(loop.once())
    assert loop.seen is not None
    assert (0, True) == (loop.seen.number, loop.seen.held.startswith("the record was not written within"))


@pytest.mark.parametrize(
    ("free_bytes", "starved"),
    [(None, False), (DISK_LOW_BYTES - 1, True), (DISK_LOW_BYTES, False), (0, True)],
)
def test_disk_is_full_below_a_mebibyte(free_bytes: int | None, starved: bool) -> None:  # noqa: FBT001
    """What is not known is not full."""
    assert starved == _no_room(Facts(at=1.0, machine=Machine(disk_free_bytes=free_bytes)))
    assert not _no_room(None)


def found(*kinds: str) -> Callable[[History, Inputs], tuple[History, Result]]:
    """Return a step that finds the next of these each time."""
    left = iter(kinds)

    def step(history: History, _inputs: Inputs) -> tuple[History, Result]:
        made = Finding(kind=next(left), subject="web", message="m")
        return msgspec.structs.replace(history, acts=history.acts + 1), Result(findings=(made,))

    return step


def test_what_the_ledger_lacks_is_told_as_it_would_have_been(
    make: Make, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finding that stood in two passes begins once, when a successor adds both."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    loop = make(step=found("a", "a", "b"))
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "extend", interrupted)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                passes(loop, 1)
    make(step=found())
    told = [(each.body["pass"], each.body["kind"], each.body["change"]) for each in [*ledger.entries()][1:]]
    assert [(1, "a", "began"), (3, "b", "began"), (3, "a", "ended")] == told

"""The loop keeps its promises to the record: nothing unrecorded is destroyed, nothing is decided twice."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.unit.engine_io.worlds import ListTarget, allow, decision, replica, system, toy_step

from lamplighter.adapters.clock import VirtualClock
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.engine.loop import RESTARTED, Loop
from lamplighter.engine.terms import Pace, Terms
from lamplighter.model.actions import Action, Configure, Outcome, Scale
from lamplighter.model.decisions import Decision, Refusal
from lamplighter.model.errors import FencedError, HeldError, OwnedError
from lamplighter.model.facts import PROCESSES, Facts, Phase
from lamplighter.model.history import History
from lamplighter.model.intents import Answer, Down
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant
from lamplighter.ports import LedgerLine

Make = Callable[..., Loop]
FAST = Pace(interval_s=0.05, busy_interval_s=0.02, floor_s=0.01)
HASTY = replace(FAST, observe_deadline_s=0.5, apply_deadline_s=0.5)
"""For what never answers."""


@pytest.fixture
def target() -> ListTarget:
    """An empty site."""
    return ListTarget()


@pytest.fixture
def make(target: ListTarget, clock: VirtualClock, ledger: SqliteLedger, recordings: SqliteRecordings) -> Make:
    """Make a loop on the stores of this test; a second one is a successor."""

    def made(**changes: object) -> Loop:
        terms = Terms(system="library", step=toy_step, revalidate=allow, token=7, pace=FAST)
        return Loop(target, clock, ledger, recordings, replace(terms, **changes))  # type: ignore[arg-type]

    return made


def passes(loop: Loop, number: int) -> None:
    """Make some passes."""

    async def several() -> None:
        for _ in range(number):
            await loop.once()

    asyncio.run(several())


def kinds(ledger: SqliteLedger) -> list[str]:
    """The kinds of the ledger's entries, in order, without the first."""
    return [each.kind for each in ledger.entries()][1:]


def stop_two(history: History, inputs: Inputs) -> tuple[History, Result]:
    """Decide one destructive action and one that is not, about two workloads."""
    stop = decision(
        "a-stop", inputs.now, Scale(workload="search", release="r-1", replicas=0), destructive=True
    )
    start = decision("a-start", inputs.now, Scale(workload="other", release="r-1", replicas=1))
    first = not history.acts
    return History(acts=1), Result(decisions=(stop, start) if first else ())


def test_a_pass_is_recorded_then_told_to_the_ledger_then_applied(
    make: Make, target: ListTarget, ledger: SqliteLedger
) -> None:
    """When an action reaches the target, recording and ledger already hold its decision."""
    seen: list[list[str]] = []

    class Watching(ListTarget):
        async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
            seen.append([each.subject for each in ledger.entries() if each.kind == "decision"])
            return await super().apply(action, action_id=action_id, token=token)

    loop = make()
    loop._hands._target = Watching()
    passes(loop, 1)
    assert [["a-1"]] == seen


def test_outcomes_are_inputs_of_the_next_pass(make: Make, recordings: SqliteRecordings) -> None:
    """What came of an action is recorded with the pass after it."""
    passes(make(), 2)
    first, second = recordings.passes()
    assert ((), ("a-1",)) == (first.inputs.outcomes, tuple(each.action for each in second.inputs.outcomes))


def test_a_loop_converges_and_then_decides_nothing(make: Make, target: ListTarget) -> None:
    """Three replicas are wanted, one action a pass; after that the ledger grows no more."""
    loop = make()
    passes(loop, 9)
    assert ["a-1", "a-2", "a-3"] == [name for name, _, _ in target.applied]
    assert {7} == {token for _, _, token in target.applied}


def test_a_finding_is_told_when_it_begins_and_when_it_ends(make: Make, ledger: SqliteLedger) -> None:
    """Standing findings do not fill the ledger."""
    passes(make(), 9)
    changes = [each.body["change"] for each in ledger.entries() if each.kind == "finding"]
    assert ["began", "ended"] == changes


def test_a_successor_offers_again_under_the_same_id(make: Make, target: ListTarget) -> None:
    """A maintainer that dies between recording and applying leaves nothing to be decided again."""
    dying = make(revalidate=_die)
    with pytest.raises(KeyboardInterrupt):
        passes(dying, 1)
    passes(make(), 1)
    assert ["a-1"] == [name for name, _, _ in target.applied]


def test_a_successor_knows_which_answers_were_lost(make: Make, recordings: SqliteRecordings) -> None:
    """An action without an answer is an unknown outcome in the successor's first pass."""
    with pytest.raises(KeyboardInterrupt):
        passes(make(revalidate=_die), 1)
    passes(make(), 1)
    outcomes = list(recordings.passes())[1].inputs.outcomes
    assert [("a-1", "unknown", RESTARTED)] == [(each.action, each.state, each.code) for each in outcomes]


def test_a_successor_adds_what_the_ledger_lacks(
    make: Make, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A maintainer that dies after the recording and before the ledger leaves no hole in it."""
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "extend", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            passes(make(), 1)
    assert [] == kinds(ledger)
    make()
    make()
    assert ["finding", "decision"] == kinds(ledger)


def test_a_successor_starts_without_results_too(make: Make, recordings: SqliteRecordings) -> None:
    """With the results deleted, the history is made again from the inputs."""
    first = make()
    passes(first, 7)
    recordings.forget_results()
    assert first._history == make()._history


def test_no_record_no_destructive_action(
    make: Make, target: ListTarget, recordings: SqliteRecordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing can be recorded, what stops something is refused; repair goes on."""
    monkeypatch.setattr(recordings, "write", _full)
    loop = make(step=stop_two)
    passes(loop, 1)
    assert ["a-start"] == [name for name, _, _ in target.applied]
    assert [("a-start", "accepted"), ("a-stop", "refused")] == [(o.action, o.state) for o in loop._outcomes]
    assert loop.seen is not None
    assert "full" in loop.seen.held


def test_what_a_record_could_not_be_kept_of_is_held_and_changes_nothing(
    make: Make, recordings: SqliteRecordings, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An intent whose pass turns out to be unrecordable is answered so, and is in no history."""

    def taking(history: History, inputs: Inputs) -> tuple[History, Result]:
        taken = inputs.recordable and bool(inputs.intents)
        answers = tuple(Answer(intent=each.id, accepted=taken) for each in inputs.intents)
        return msgspec.structs.replace(history, acts=history.acts + taken), Result(answers=answers)

    loop = make(step=taking)

    async def asked() -> Answer:
        answer = loop.submit(Down(id="i-1"))
        await loop.once()
        return await answer

    with monkeypatch.context() as patched:
        patched.setattr(recordings, "write", _full)
        assert (False, 0) == (asyncio.run(asked()).accepted, loop._history.acts)
    assert (True, 1) == (asyncio.run(asked()).accepted, loop._history.acts)
    assert [False, True] == [each.body["accepted"] for each in ledger.entries() if each.kind == "intent"]


def test_no_ledger_no_destructive_action(
    make: Make, target: ListTarget, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger counts as much as the recording, and gets its lines once it can be written again."""
    loop = make(step=stop_two)
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "extend", _full)
        passes(loop, 1)
    assert ["a-start"] == [name for name, _, _ in target.applied]
    passes(loop, 1)
    assert ["decision", "decision", "outcome", "outcome"] == sorted(kinds(ledger))


def test_a_gap_in_the_recording_is_told(
    make: Make, ledger: SqliteLedger, recordings: SqliteRecordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes that could not be recorded are counted in the ledger, and the next one stands on its own."""
    loop = make()
    passes(loop, 2)
    with monkeypatch.context() as patched:
        patched.setattr(recordings._database, "transaction", _full)
        passes(loop, 2)
    passes(loop, 1)
    gaps = [each.body["passes"] for each in ledger.entries() if each.kind == "gap"]
    start = recordings.start(5)
    assert [2] == gaps
    assert start is not None
    assert (5, 4) == (start[0], start[1].workloads["search"].ordinal)


def test_the_step_is_told_whether_it_can_be_recorded(
    make: Make, ledger: SqliteLedger, recordings: SqliteRecordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`recordable` is an input like any other."""
    monkeypatch.setattr(ledger, "writable", lambda: False)
    loop = make()
    passes(loop, 1)
    assert [False] == [each.inputs.recordable for each in recordings.passes()]
    assert loop.seen is not None
    assert "nothing destructive" in loop.seen.held


def test_a_full_disk_is_a_trouble_while_it_lasts(
    make: Make, target: ListTarget, ledger: SqliteLedger
) -> None:
    """That records come out of the reserve is shown at once, and told when it begins and when it ends."""
    target.replicas = [replica(number) for number in (1, 2, 3)]
    loop = make()

    async def scenario() -> list[list[str]]:
        running, shown = asyncio.create_task(loop.run()), []
        for starved in (True, False):
            ledger.database._starved = starved
            for _ in range(3):
                await loop.passed()
            shown.append([each.kind for each in loop.seen.troubles] if loop.seen else [])
        loop.stop()
        await running
        return shown

    assert [["disk-full"], []] == asyncio.run(scenario())
    assert ["began", "ended"] == [each.body["change"] for each in ledger.entries() if each.kind == "finding"]


def test_a_failed_observation_is_silence(
    make: Make, target: ListTarget, recordings: SqliteRecordings
) -> None:
    """A site that cannot be looked at gives unknown facts; replicas keep their identity."""
    target.replicas = [replica(1), replica(2, phase=Phase.EXITED)]
    loop = make(pace=HASTY)
    passes(loop, 1)
    loop._target = _Mute()
    passes(loop, 1)
    facts = list(recordings.passes())[1].inputs.facts
    silence = facts.silence(PROCESSES, facts.at)
    assert silence is not None
    assert "no answer within" in silence.why
    assert [("search-1", Phase.UNKNOWN), ("search-2", Phase.EXITED)] == [
        (r.id, r.phase) for r in facts.replicas[:2]
    ]


def test_a_refused_revalidation_applies_nothing(make: Make, target: ListTarget) -> None:
    """What the facts no longer bear is an outcome `refused` with the reason."""
    refusal = Refusal(code="facts-changed", detail="it came back")
    loop = make(revalidate=lambda *_: refusal)
    passes(loop, 1)
    assert ([], [("refused", "facts-changed")]) == (
        target.applied,
        [(o.state, o.code) for o in loop._outcomes],
    )


def test_a_lost_answer_is_unknown_and_tried_again_under_its_id(make: Make, target: ListTarget) -> None:
    """A target that does not answer in time leads to a retry, not to another decision."""
    loop = make(pace=HASTY)
    loop._hands._target = _Mute()
    passes(loop, 1)
    assert ["no-answer"] == [each.code for each in loop._outcomes]
    loop._hands._target = target
    passes(loop, 1)
    assert ["a-1"] == [name for name, _, _ in target.applied]


def test_a_fault_of_the_target_is_unknown(make: Make) -> None:
    """A target that breaks may have acted; the loop goes on."""
    loop = make()
    loop._hands._target = _Broken()
    passes(loop, 1)
    assert [("unknown", "apply-failed")] == [(each.state, each.code) for each in loop._outcomes]


def test_a_lost_lease_ends_the_loop_before_it_acts(make: Make, target: ListTarget) -> None:
    """A maintainer that was superseded between deciding and applying does not apply."""
    answers = iter([True, False])
    with pytest.raises(OwnedError):
        passes(make(held=lambda: next(answers)), 1)
    assert [] == target.applied


def test_a_fenced_loop_ends(make: Make) -> None:
    """A target that has seen a newer token ends the run."""
    loop = make()
    loop._hands._target = _Fencing()
    with pytest.raises(FencedError):
        asyncio.run(asyncio.wait_for(loop.run(), 60))


def test_a_failing_step_decides_nothing_and_says_so(make: Make, ledger: SqliteLedger) -> None:
    """A step that raises is a finding; its intents are refused; the loop goes on, and it is told once."""
    loop = make(step=_broken_step)

    async def scenario() -> bool:
        answer = loop.submit(Down(id="i-1"))
        for _ in range(3):
            await loop.once()
        return (await answer).accepted

    assert not asyncio.run(scenario())
    assert ["intent", "finding"] == kinds(ledger)


def test_outcomes_survive_a_failing_step(make: Make, recordings: SqliteRecordings) -> None:
    """What came of an action is offered to a few more passes before it is dropped."""
    loop = make()
    passes(loop, 1)
    loop._terms = replace(loop._terms, step=_broken_step)
    passes(loop, 4)
    assert [0, 1, 1, 1, 0] == [len(each.inputs.outcomes) for each in recordings.passes()]


def test_an_intent_is_answered_once_its_pass_is_recorded(make: Make, recordings: SqliteRecordings) -> None:
    """The answer comes after the record, and the same intent is queued only once."""
    loop = make()

    async def scenario() -> tuple[bool, int]:
        first, second = loop.submit(Down(id="i-1")), loop.submit(Down(id="i-1"))
        await loop.once()
        return (await first).accepted and first is second, len(next(recordings.passes()).inputs.intents)

    assert (True, 1) == asyncio.run(scenario())


def test_too_many_intents_are_turned_away(make: Make) -> None:
    """The queue is bounded."""
    loop = make()

    async def scenario() -> None:
        for number in range(257):
            loop.submit(Down(id=f"i-{number}"))

    with pytest.raises(HeldError, match="waiting"):
        asyncio.run(scenario())


def test_an_intent_wakes_an_idle_loop(make: Make) -> None:
    """An intent is answered long before the next pass would be due."""
    loop = make(pace=replace(FAST, interval_s=60.0, busy_interval_s=60.0))

    async def scenario() -> None:
        running = asyncio.create_task(loop.run())
        await loop.passed()
        await asyncio.wait_for(loop.submit(Down(id="i-1")), 30)
        loop.stop()
        await asyncio.wait_for(running, 30)

    asyncio.run(scenario())


def test_a_storm_of_hints_does_not_spin_the_loop(make: Make, target: ListTarget) -> None:
    """Passes keep their distance however often the target hints."""
    target.replicas = [replica(number) for number in (1, 2, 3)]
    loop = make(pace=replace(FAST, interval_s=60.0, floor_s=0.05))
    loop._target = storm = _Stormy()
    storm.replicas = target.replicas

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.run(), 0.5)

    asyncio.run(scenario())
    assert 1 <= storm.observed <= 11


def test_a_cancelled_loop_ends_at_once(make: Make) -> None:
    """Cancellation is not swallowed, and the listener ends with the loop."""
    loop = make()

    async def scenario() -> int:
        running = asyncio.create_task(loop.run())
        await loop.passed()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return len(asyncio.all_tasks())

    assert 1 == asyncio.run(scenario())


def test_workloads_do_not_wait_for_each_other_and_outcomes_keep_their_order(
    make: Make, target: ListTarget
) -> None:
    """A slow action on one workload holds up neither another nor the order of the record."""
    loop = make(step=stop_two)
    loop._hands._target = slow = _Slow()
    passes(loop, 1)
    assert ["a-start", "a-stop"] == slow.finished
    assert ["a-stop", "a-start"] == [each.action for each in loop._outcomes]


def test_the_ledger_holds_no_environment(make: Make, ledger: SqliteLedger, tmp_path: Path) -> None:
    """A system is named in the ledger by its digest."""

    def configure(history: History, inputs: Inputs) -> tuple[History, Result]:
        secretive = system(LIBRARY_KEY="hush-hush")
        undo = {"undo": Configure(system=secretive)}
        return history, Result(decisions=(decision("a-c", inputs.now, Configure(system=secretive), **undo),))

    passes(make(step=configure), 1)
    assert ["decision"] == kinds(ledger)
    assert b"hush-hush" not in (tmp_path / "ledger.sqlite-wal").read_bytes()


class _Mute(ListTarget):
    async def observe(self, *_: object) -> Facts:
        await asyncio.sleep(10)
        raise AssertionError

    async def apply(self, *_: object, **__: object) -> Outcome:
        await asyncio.sleep(10)
        raise AssertionError


class _Broken(ListTarget):
    async def apply(self, *_: object, **__: object) -> Outcome:
        raise ValueError("no such thing")


class _Fencing(ListTarget):
    async def apply(self, *_: object, **__: object) -> Outcome:
        return Outcome(action="", state="refused", at=0.0, code="fenced")


class _Stormy(ListTarget):
    async def hints(self):  # type: ignore[no-untyped-def]  # noqa: ANN202
        while True:
            yield "search"
            await asyncio.sleep(0)


class _Slow(ListTarget):
    def __init__(self) -> None:
        super().__init__()
        self.finished: list[str] = []

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        await asyncio.sleep(0.02 if action_id == "a-stop" else 0)
        self.finished.append(action_id)
        return await super().apply(action, action_id=action_id, token=token)


def _die(_decision: Decision, _facts: Facts, _history: History, _now: Instant) -> Refusal | None:
    raise KeyboardInterrupt


def _interrupt(_lines: list[LedgerLine]) -> None:
    raise KeyboardInterrupt


def _full(*_args: object, **_kwargs: object) -> int:
    raise HeldError("the disk is full")


def _broken_step(_history: History, _inputs: Inputs) -> tuple[History, Result]:
    raise ZeroDivisionError("a fault of ours")

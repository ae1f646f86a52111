"""Replay makes every decision again, tells where it does not, and what another policy would have done."""

import asyncio
from dataclasses import replace as changed

import msgspec
import pytest
from tests.unit.engine_io.worlds import ListTarget, allow, system, toy_step

from lamplighter import __version__
from lamplighter.adapters.clock import VirtualClock
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.engine.loop import Loop
from lamplighter.engine.replay import differences, number_at, replay, report
from lamplighter.engine.terms import Terms
from lamplighter.model.errors import HeldError, UserError
from lamplighter.model.facts import Facts
from lamplighter.model.history import History
from lamplighter.model.intents import Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import System
from lamplighter.ports import Scope

TERMS = Terms(system="library", step=toy_step, revalidate=allow)


def run(ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock, passes: int) -> Loop:
    """Run a loop over a site that loses a replica now and then."""
    target = ListTarget()
    loop = Loop(target, clock, ledger, recordings, TERMS)

    async def several() -> None:
        loop.submit(Up(id="i-1", system=system()))
        for number in range(passes):
            clock.advance(1.0)
            if number % 6 == 5:
                target.replicas.pop()
            await loop.once()

    asyncio.run(several())
    return loop


def lazy_step(history: History, inputs: Inputs) -> tuple[History, Result]:
    """A controller that was edited: it gives another reason for what it decides."""
    after, result = toy_step(history, inputs)
    decisions = tuple(msgspec.structs.replace(each, reasons=("edited",)) for each in result.decisions)
    return after, msgspec.structs.replace(result, decisions=decisions)


@pytest.mark.parametrize("deleted", [False, True])
def test_every_decision_comes_out_the_same(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock, *, deleted: bool
) -> None:
    """From the inputs alone, with the results there to compare or deleted."""
    run(ledger, recordings, clock, 23)
    recorded = [each.result.decisions for each in recordings.passes() if each.result]
    if deleted:
        recordings.forget_results()
    again = list(replay(recordings, toy_step))
    assert recorded == [each.decisions for each in again]
    assert {None if deleted else True} == {each.same for each in again}
    found = report(again)
    assert (23, 6, True) == (found.passes, found.decisions, found.exact)


def test_a_range_is_replayed_from_the_nearest_start(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock
) -> None:
    """Passes 13 to 15 are decided again from the group that begins at 11."""
    run(ledger, recordings, clock, 23)
    made = list(replay(recordings, toy_step, first=13, last=15))
    assert [(13, True), (14, True), (15, True)] == [(each.number, each.whole) for each in made]


def test_an_edited_controller_shows(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock
) -> None:
    """Each pass that it decides otherwise is named."""
    run(ledger, recordings, clock, 23)
    acting = tuple(each.number for each in recordings.passes() if each.result and each.result.decisions)
    found = report(replay(recordings, lazy_step))
    assert (acting, False) == (found.unlike, found.exact)


def test_a_failing_pass_replays_as_it_failed(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock
) -> None:
    """A pass that failed is a result that comes out the same."""

    def failing(_history: History, _inputs: Inputs) -> tuple[History, Result]:
        raise ZeroDivisionError("a fault of ours")

    loop = Loop(ListTarget(), clock, ledger, recordings, changed(TERMS, step=failing))
    asyncio.run(loop.once())
    assert [True] == [each.whole for each in replay(recordings, failing)]


def test_a_recording_with_another_history_shows(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock
) -> None:
    """A history in the recording that does not follow from its inputs is named by its pass."""

    def forgetful(history: History, inputs: Inputs) -> tuple[History, Result]:
        after, result = toy_step(history, inputs)
        return msgspec.structs.replace(after, acts=7), result

    run(ledger, recordings, clock, 12)
    assert (6, 11) == report(replay(recordings, forgetful)).history_differs


def test_the_same_policy_makes_no_difference(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock
) -> None:
    """A policy that changes nothing decides nothing otherwise."""
    run(ledger, recordings, clock, 23)
    assert [] == list(differences(recordings, toy_step, lambda same: same))


def test_another_policy_shows_from_its_first_difference_on(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock
) -> None:
    """What the other policy would have done stands beside what was done; only the first is surely so."""

    def step(history: History, inputs: Inputs) -> tuple[History, Result]:
        named = next((each.system for each in inputs.intents if isinstance(each, Up)), history.system)
        after, result = toy_step(history, inputs)
        quiet = named is not None and named.name == "frugal"
        after = msgspec.structs.replace(after, system=named)
        return after, msgspec.structs.replace(result, decisions=()) if quiet else result

    def frugal(wanted: System) -> System:
        return msgspec.structs.replace(wanted, name="frugal")

    run(ledger, recordings, clock, 23)
    found = list(differences(recordings, step, frugal))
    assert [True, False, False] == [each.first for each in found][:3]
    assert {None} == {each.would for each in found}


def test_nothing_recorded_is_said(recordings: SqliteRecordings) -> None:
    """A replay of nothing is an error with a mend, not an empty success."""
    with pytest.raises(UserError, match="nothing is recorded"):
        list(replay(recordings, toy_step))


def test_a_wall_time_leads_to_the_group_of_that_time(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock
) -> None:
    """`--from` a wall time starts with the group that was being recorded then."""
    run(ledger, recordings, clock, 23)
    starts = recordings.starts()
    assert (starts[1][0], 0) == (number_at(recordings, starts[1][2]), number_at(recordings, 0.0))


def test_what_a_target_tells_loosely_replays_exactly(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock
) -> None:
    """Whole numbers for fractions, keys in any order, a negative zero: decided on as they are recorded."""

    class Loose(ListTarget):
        async def observe(self, scope: Scope) -> Facts:
            told = await super().observe(scope)
            shares = {"search": {"r-2": 0, "r-1": 1, "r-0": -0.0}}
            return msgspec.structs.replace(told, shares=shares)

    def step(history: History, inputs: Inputs) -> tuple[History, Result]:
        after, result = toy_step(history, inputs)
        order = repr(inputs.facts.shares)
        decisions = tuple(msgspec.structs.replace(each, basis=order) for each in result.decisions)
        return after, msgspec.structs.replace(result, decisions=decisions)

    loop = Loop(Loose(), clock, ledger, recordings, changed(TERMS, step=step))
    asyncio.run(loop.once())
    assert [True] == [each.same for each in replay(recordings, step)]


def test_after_a_gap_the_recorded_history_is_taken_up(
    ledger: SqliteLedger,
    recordings: SqliteRecordings,
    clock: VirtualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Passes that could not be recorded are reported, and those after them come out the same."""
    loop = run(ledger, recordings, clock, 2)
    with monkeypatch.context() as patched:
        patched.setattr(recordings, "_write", _full)
        asyncio.run(loop.once())
    asyncio.run(loop.once())
    found = report(replay(recordings, toy_step))
    assert ((4,), True) == (found.gaps, found.exact)


def _full(*_: object) -> int:
    raise HeldError("the disk is full")


def test_after_a_difference_the_recorded_world_is_taken_up(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock
) -> None:
    """A pass that decides otherwise shows alone: what follows is judged from what was really decided."""
    run(ledger, recordings, clock, 30)
    odd = 6

    def step(history: History, inputs: Inputs) -> tuple[History, Result]:
        after, result = toy_step(history, inputs)
        return (History(), Result()) if inputs.now == at else (after, result)

    at = next(each.at for each in replay(recordings, toy_step) if each.number >= odd and each.decisions)
    assert 1 == len(report(replay(recordings, step)).unlike)


def test_another_versions_history_is_not_compared(
    ledger: SqliteLedger, recordings: SqliteRecordings, clock: VirtualClock
) -> None:
    """A group that another version recorded is told as such; what it remembered may have another form."""
    for version in ("0.0.1", __version__):
        recordings.begin(recordings.newest + 1, version)
        run(ledger, recordings, clock, 5)

    def forgetful_step(history: History, inputs: Inputs) -> tuple[History, Result]:
        """Remember nothing of what only the earlier version kept."""
        after, result = toy_step(history, inputs)
        return msgspec.structs.replace(after, acts=0), result

    whole = report(replay(recordings, forgetful_step, last=6))
    assert ((), ("0.0.1", __version__)) == (whole.history_differs, whole.versions)

"""Recordings give back what was written, stay within their bounds, and survive being read and torn."""

import itertools
import sqlite3
from pathlib import Path

import msgspec
import pytest
from tests.unit.engine_io.worlds import facts, generated, replica, system, toy_step

from lamplighter.adapters.delta import NOTHING, apply, delta
from lamplighter.adapters.recordings import Limits, SqliteRecordings
from lamplighter.engine.canonical import canonical
from lamplighter.engine.deciding import decide
from lamplighter.model.errors import EnvironmentFault
from lamplighter.model.facts import Facts
from lamplighter.model.history import History, Sample, WorkloadHistory
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import encode


def fill(recordings: SqliteRecordings, passes: int, seed: int = 1) -> list[tuple[Inputs, Result, History]]:
    """Record some passes and return what was recorded."""
    history, written = History(), []
    for raw in generated(seed, passes):
        inputs, before = canonical(raw), history
        history, result = decide(toy_step, history, inputs)
        recordings.write(inputs, result, before=before, after=history)
        written.append((inputs, result, history))
    return written


@pytest.mark.parametrize("seed", range(20))
def test_a_delta_leads_exactly_from_one_value_to_the_next(seed: int) -> None:
    """Applying the delta of two snapshots to the first gives the second, to the byte."""
    passes = [canonical(each) for each in generated(seed, 40)]
    state = msgspec.json.decode(encode(passes[0]))
    for old, new in itertools.pairwise(passes):
        state = apply(state, msgspec.json.decode(encode(delta(old, new))))
        assert encode(new) == encode(msgspec.json.decode(encode(state), type=Inputs))


def test_the_delta_of_equal_values_is_nothing() -> None:
    """What stayed the same costs nothing."""
    assert NOTHING == delta(facts(1.0, replica(1)), facts(1.0, replica(1)))


def test_a_delta_back_to_a_default_is_exact() -> None:
    """A field that goes back to its default, or starts from one, is not lost."""
    plain, other = system(), system(LIBRARY="x")
    for old, new in ((plain, other), (other, plain)):
        state = apply(msgspec.json.decode(encode(old)), msgspec.json.decode(encode(delta(old, new))))
        assert new == msgspec.convert(state, type=type(new))


def test_samples_that_move_along_are_stored_as_what_was_added() -> None:
    """A full window that drops its oldest sample and takes a new one costs one sample."""
    window = tuple(Sample(at=float(at)) for at in range(60))
    old = WorkloadHistory(samples=window)
    new = WorkloadHistory(samples=(*window[1:], Sample(at=60.0)))
    assert len(encode(delta(old, new))) < 60


@pytest.mark.parametrize("seed", range(5))
def test_what_was_written_is_read_back(recordings: SqliteRecordings, seed: int) -> None:
    """Inputs and results come back to the byte, over several groups, in another reader."""
    written = fill(recordings, 23, seed)
    reader = SqliteRecordings(recordings.path, read_only=True)
    read = [(encode(each.inputs), encode(each.result)) for each in reader.passes()]
    assert [(encode(inputs), encode(result)) for inputs, result, _ in written] == read


def test_a_range_starts_anywhere(recordings: SqliteRecordings) -> None:
    """Passes from the middle of a group are read without those before."""
    written = fill(recordings, 23)
    read = list(recordings.passes(first=8, last=12))
    assert [8, 9, 10, 11, 12] == [each.number for each in read]
    assert written[7][0] == read[0].inputs


def test_a_brief_look_leaves_facts_out_and_nothing_else(recordings: SqliteRecordings) -> None:
    """What was said and what came of it is the same without facts, over several groups."""
    fill(recordings, 23)
    whole, brief = (list(recordings.passes(first=8, brief=each)) for each in (False, True))
    told = [msgspec.structs.replace(each.inputs, facts=Facts(at=0.0)) for each in whole]
    assert told == [each.inputs for each in brief]
    assert [each.result for each in whole] == [each.result for each in brief]


def test_a_successor_starts_with_the_history_of_the_newest_pass(tmp_path: Path) -> None:
    """The newest history is there at once, and the next pass follows on."""
    first = SqliteRecordings(tmp_path / "recording.sqlite", limits=Limits(group_passes=5))
    written = fill(first, 8)
    first.close()
    second = SqliteRecordings(tmp_path / "recording.sqlite")
    latest = second.latest()
    assert latest is not None
    assert (8, written[-1][2]) == (latest.recorded.number, latest.history)
    fill(second, 1)
    assert list(range(1, 10)) == [each.number for each in second.passes()]


def test_results_can_be_deleted_and_inputs_stay(recordings: SqliteRecordings) -> None:
    """Without its results a recording still holds all inputs and the history at each group."""
    written = fill(recordings, 12)
    recordings.forget_results()
    read = list(recordings.passes())
    assert [inputs for inputs, _, _ in written] == [each.inputs for each in read]
    assert {None} == {each.result for each in read}
    assert (6, written[4][2]) == recordings.start(7)


def test_old_groups_go_whole_and_the_newest_stays(tmp_path: Path) -> None:
    """Within a bound of bytes only whole groups remain, the newest always among them."""
    limits = Limits(group_passes=5, total_bytes=1)
    recordings = SqliteRecordings(tmp_path / "recording.sqlite", limits=limits)
    fill(recordings, 23)
    assert [21, 22, 23] == [each.number for each in recordings.passes()]


def test_old_groups_go_by_age(tmp_path: Path) -> None:
    """A group that ended longer ago than the bound is dropped when a new one begins."""
    limits = Limits(group_passes=5, age_s=8.0)
    recordings = SqliteRecordings(tmp_path / "recording.sqlite", limits=limits)
    fill(recordings, 21)
    assert 11 == next(each.number for each in recordings.passes())


def test_a_damaged_pass_is_named(recordings: SqliteRecordings) -> None:
    """A frame that was overwritten is a clear error with the pass's number, not a wrong history."""
    fill(recordings, 10)
    other = sqlite3.connect(recordings.path)
    other.execute("UPDATE passes SET inputs = x'00112233' WHERE number = 8")
    other.commit()
    with pytest.raises(EnvironmentFault, match="pass 8"):
        list(recordings.passes())


def test_a_recording_of_a_newer_version_is_refused(recordings: SqliteRecordings) -> None:
    """A schema from the future is not touched; the error says what to do."""
    recordings.close()
    other = sqlite3.connect(recordings.path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(EnvironmentFault, match="newer version"):
        SqliteRecordings(recordings.path)


def test_numbers_go_on_from_what_another_store_refers_to(recordings: SqliteRecordings) -> None:
    """A recording that was deleted does not hand out numbers that the ledger already names."""
    recordings.continue_from(41)
    fill(recordings, 1)
    assert [41] == [each.number for each in recordings.passes()]

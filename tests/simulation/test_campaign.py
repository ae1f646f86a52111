"""Campaigns: many seeds in parallel, which go on where they were, and tell what they covered."""

from pathlib import Path

from lamplighter.targets.simulated.troubles import KINDS
from lamplighter.testing.campaign import Campaign, Tally, bucket, one, table


def test_campaign_goes_on_where_it_was(tmp_path: Path) -> None:
    """What a state file says is done is not run again; a line that was cut by a kill is left out."""
    state = tmp_path / "state.jsonl"
    first = Campaign(1, 5, version="v", length_s=120.0)
    first.resume(state)
    first.run(1, lambda _made, _new: None)
    state.write_text(state.read_text() + '{"seeds": [6, 7')
    again = Campaign(1, 5, version="v", length_s=120.0)
    assert (5, sorted(first.tally.seeds)) == (again.resume(state), sorted(again.tally.seeds))


def test_campaign_of_other_code_begins_anew(tmp_path: Path) -> None:
    """What another version of the code has shown says nothing of this one."""
    state = tmp_path / "state.jsonl"
    Campaign(1, 5, version="old").resume(state)
    assert Campaign(1, 5, version="new").resume(state) == 0


def test_what_was_never_tried_is_named() -> None:
    """A pair of a kind of fault and a kind of action that never came together is a hole."""
    tally = Tally()
    tally.take(one(5, 300.0))
    assert len(tally.holes()) == table(tally).count("HOLE") > len(KINDS)


def test_outages_are_counted_by_their_length() -> None:
    """Short and long ones alike fall between two lengths."""
    assert ["0-1 s", "30-100 s", "1000-2401 s"] == [bucket(each) for each in (0.5, 40.0, 2400.0)]

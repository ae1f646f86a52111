"""Which outages are planned, and what of what is done in them is destructive."""

from typing import Any

import pytest
from benchmarks.load.profile import duration_s
from benchmarks.local.silences import Death, Outage, Window, destructive, outages, stages, unordered

SILENT = Window(Outage(0.0, 50.0, "both", ("hang", "hang"), "nothing"), began_at=100.0, ended_at=150.0)


def decided(action: dict[str, Any], at: float = 120.0) -> dict[str, Any]:
    """A decision of the ledger that was carried out."""
    return {"wall_s": at, "state": "act", "because": "so", "action": action}


def test_outages_are_of_every_length() -> None:
    """One of each twentieth of the scale, from a second to three minutes."""
    lengths = sorted(each.lasts_s for each in outages(20, 1))
    assert (20, True, True) == (len(lengths), lengths[0] < 1.4, lengths[-1] > 138)


def test_load_turns_in_each_outage() -> None:
    """It lasts until the last outage is over and the system has come to rest."""
    planned = outages(4, 1, 15.0)
    whole = planned[-1].begins_s + planned[-1].lasts_s
    assert (9, True) == (len(stages(planned)), duration_s(stages(planned)) > whole)


@pytest.mark.parametrize(
    ("action", "found"),
    [
        ({"type": "scale", "stops": ["work-1"], "starts": []}, 1),
        ({"type": "scale", "stops": [], "starts": ["work-9"]}, 0),
        ({"type": "scale", "stops": ["dead-1"]}, 0),
        ({"type": "replace", "replica": "work-1"}, 1),
        ({"type": "replace", "replica": "dead-1"}, 0),
        ({"type": "shift", "workload": "work", "shares": {"r-1": 0.5, "r-2": 0.5}}, 1),
        ({"type": "dismantle"}, 1),
        ({"type": "forget", "replicas": ["work-1"]}, 0),
    ],
)
def test_what_is_destructive(action: dict[str, Any], found: int) -> None:
    """Whatever stops or starves something that is not proven dead."""
    before = decided({"type": "shift", "workload": "work", "shares": {"r-1": 1.0}}, at=50.0)
    assert found == len(destructive([before, decided(action)], [SILENT], {"dead-1"}))


def test_what_is_done_while_all_is_known_is_no_matter() -> None:
    """Before the silence, in its first moment and after it, anything may be done."""
    action = {"type": "replace", "replica": "work-1"}
    assert [] == destructive([decided(action, at) for at in (99.0, 101.0, 151.0)], [SILENT], set())


def test_a_replica_that_ends_in_a_silence_was_ordered_before() -> None:
    """One whose end had been decided is no matter; one of which nobody knows why is."""
    deaths = [Death("work-1", 1, 130.0), Death("work-2", 2, 130.0), Death("work-3", 3, 90.0)]
    assert ["work-2 ended in a silence of both"] == unordered(deaths, [SILENT], {"work-1": 95.0})

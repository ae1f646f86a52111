"""Losses of power at any step: what was synced is there, a frame is there whole or not at all."""

from collections.abc import Callable
from typing import Any

import pytest

from lamplighter.runtime.agents.store import Desk, Partition, Point, Store, recovery, snapshots
from lamplighter.runtime.agents.store.journal import Journal, Sealed, segment_name
from lamplighter.runtime.agents.store.records import Timer
from lamplighter.testing.powerloss import told

Bug = tuple[Any, str, Callable[..., Any]]


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_nothing_acknowledged_is_lost(first: int) -> None:
    """Six lives of a store each, ended by losses of power and disk errors, leave exactly what was synced."""
    assert {} == {seed: found for seed in range(first, first + 50) if (found := told(seed))}


def test_sync_that_does_nothing_is_noticed() -> None:
    """With a disk that only pretends to sync, every seed is caught."""
    assert [] == [seed for seed in range(20) if not told(seed, honest=False)]


def _synced_seldom(self: Journal, sealed: Sealed) -> None:
    self._disk.append(segment_name(sealed.segment), sealed.data)
    if sealed.sequence % 4:
        self._disk.sync(segment_name(sealed.segment))


def _swept_though_replayed(self: Store, living: dict[int, int], _: Point) -> tuple[int, ...]:
    return tuple(segment for segment in sorted(self._segments()) if not living[segment])


def _copied_but_not_pointed_to(self: Journal, partition: Partition, address: str, packed: bytes) -> None:
    partition.moved(partition.index[address], self._here())
    self._open += packed


def _desk_without_timers(self: Desk, records: Any = Desk.records) -> Any:
    return (record for record in records(self) if not isinstance(record, Timer))


def _snapshot_too_new(partition: Partition, point: Point, capture: Any = snapshots.capture) -> Any:
    return capture(partition, Point(point.sequence + 1, point.segment, point.offset))


PLANTED: dict[str, Bug] = {
    "every fourth frame is not synced": (Journal, "commit", _synced_seldom),
    "an unfinished frame is not cut off": (recovery._Tail, "_cut", lambda *_: None),
    "states that were replaced count as living": (Partition, "_stale", lambda *_: None),
    "a segment is removed though it would be replayed": (Store, "_removable", _swept_though_replayed),
    "a copied state is not pointed to": (Journal, "copy", _copied_but_not_pointed_to),
    "a snapshot lacks the timers": (Desk, "records", _desk_without_timers),
    "a snapshot claims a frame too many": (snapshots, "capture", _snapshot_too_new),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_bug_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug put into the store is told of within forty seeds."""
    place, attribute, bug = PLANTED[name]
    monkeypatch.setattr(place, attribute, bug)
    assert any(told(seed) for seed in range(40))

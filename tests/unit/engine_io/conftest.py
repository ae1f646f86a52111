"""What the tests of loop and stores share: a clock, and stores in a folder of their own."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamplighter.adapters.clock import VirtualClock
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.adapters.recordings import Limits, SqliteRecordings


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that stands at 100 s."""
    return VirtualClock(100.0)


@pytest.fixture
def ledger(tmp_path: Path, clock: VirtualClock) -> SqliteLedger:
    """An empty ledger."""
    return SqliteLedger.open(tmp_path / "ledger.sqlite", clock)


@pytest.fixture
def recordings(tmp_path: Path) -> SqliteRecordings:
    """An empty recording with short groups."""
    return SqliteRecordings(tmp_path / "recording.sqlite", limits=Limits(group_passes=5))


@pytest.fixture(scope="session", autouse=True)
def _collected() -> Iterator[None]:
    """Collect suspended coroutines before anything is compiled; Python 3.11 fails if it is done meanwhile."""
    yield
    gc.collect()

"""Reading a system's stores: what can be said of its maintainer with no help of it."""

from pathlib import Path

from lamplighter.adapters import ledger as ledgers
from lamplighter.adapters.clock import SystemClock
from lamplighter.adapters.lease import SqliteLeases
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.app.reading import maintainer_lives


def test_maintainer_that_gave_the_lease_back_lives_until_its_process_ends(tmp_path: Path) -> None:
    """The lease tells who may act; whether anything is left to wait for, only the process tells."""
    opened = SqliteLedger.open(tmp_path / ledgers.FILE, SystemClock())
    leases = SqliteLeases(opened.database, SystemClock())
    leases.release(leases.acquire("trial"))
    opened.close()
    assert maintainer_lives(tmp_path, "trial")


def test_system_that_never_had_a_maintainer_has_none_alive(tmp_path: Path) -> None:
    """A ledger without a lease speaks of nobody."""
    SqliteLedger.open(tmp_path / ledgers.FILE, SystemClock()).close()
    assert not maintainer_lives(tmp_path, "trial")

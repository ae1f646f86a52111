"""Reading a system with no maintainer's help: its recording, its ledger, and the world as it is."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamplighter.adapters import ledger as ledgers
from lamplighter.adapters import recordings as recorders
from lamplighter.adapters.clock import SystemClock, continued
from lamplighter.adapters.lease import SqliteLeases, Tenancy, standing
from lamplighter.adapters.ledger import SqliteLedger, Verification, anchors
from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.app.views import Explanation, Status, explain, status
from lamplighter.app.wiring import local_target
from lamplighter.engine.loop import Seen
from lamplighter.engine.records import history_after
from lamplighter.engine.step import step
from lamplighter.model.errors import UserError
from lamplighter.model.facts import Facts
from lamplighter.model.history import History
from lamplighter.model.passes import Result
from lamplighter.model.value import Instant
from lamplighter.ports import LedgerEntry, Scope

OBSERVE_S = 5.0


class _Forgetful:
    """Notes of a recording that is only read: nothing is noted."""

    def __init__(self, recordings: SqliteRecordings) -> None:
        self.noted = recordings.noted

    def note(self, name: str, value: str) -> None:
        """Note nothing."""


@contextmanager
def recording(state: Path, file: str = "") -> Iterator[SqliteRecordings]:
    """Open the recording of a system, or another file, to read only.

    Raises:
        UserError: there is none (`nothing-recorded`).
    """
    path = Path(file) if file else state / recorders.FILE
    if not path.is_file():
        raise UserError(
            f"there is no recording at {path}", code="nothing-recorded", mend="run `lamp up` first"
        )
    opened = SqliteRecordings(path, read_only=True)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def ledger(state: Path) -> Iterator[SqliteLedger]:
    """Open the ledger of a system to read only.

    Raises:
        UserError: there is none (`nothing-recorded`).
    """
    path = state / ledgers.FILE
    if not path.is_file():
        raise UserError(f"there is no ledger at {path}", code="nothing-recorded", mend="run `lamp up` first")
    opened = SqliteLedger.open(path, SystemClock(), read_only=True)
    try:
        yield opened
    finally:
        opened.close()


def remembered(state: Path) -> tuple[History, Seen | None, SystemClock]:
    """Return what the recording ends with: history, the newest pass, and the time line; empty if none."""
    if not (state / recorders.FILE).is_file():
        return History(), None, SystemClock()
    with recording(state) as opened:
        clock = continued(_Forgetful(opened), opened.last_at)
        latest = opened.latest()
        if latest is None:
            return History(), None, clock
        number = latest.recorded.number
        history = history_after(latest, opened, step)
        seen = Seen(
            number=number,
            inputs=latest.recorded.inputs,
            result=latest.recorded.result or Result(),
            history=history,
        )
        return history, seen, clock


def observe(state: Path, system: str, clock: SystemClock) -> Facts:
    """Look at the world as it is, without touching it."""
    target = local_target(state, system, clock)

    async def look() -> Facts:
        async with asyncio.timeout(OBSERVE_S):
            return await target.observe(Scope(system=system, now=clock.now(), wall=clock.wall()))

    return asyncio.run(look())


def status_from_stores(state: Path, system: str) -> Status:
    """Return the system as it is now, by its stores and a look at the world, with no maintainer.

    Raises:
        UserError: nothing is known of it (`nothing-recorded`).
    """
    with ledger(state) as opened:
        history, seen, clock = remembered(state)
        now: Instant = clock.now()
        if seen is not None:
            facts = observe(state, system, clock)
            inputs = seen.inputs.__class__(now=now, facts=facts)
            seen = Seen(number=seen.number, inputs=inputs, result=Result(), history=history)
        return status(system, seen, now=now, live=False, tenancy=tenancy(opened, system), head=opened.head())


def explanation_from_stores(state: Path, action: str) -> Explanation:
    """Return all that is known of an action. Raises UserError (`unknown-action`)."""
    history, _, _ = remembered(state)
    with ledger(state) as opened:
        return explain(opened, action, history)


def entries_from_stores(state: Path, *, since: int = 0) -> list[LedgerEntry]:
    """Return the ledger's entries from number `since` on."""
    with ledger(state) as opened:
        return list(opened.entries(since=since))


def verification(state: Path) -> Verification:
    """Check the ledger's chain against itself and against its anchors outside of it."""
    with ledger(state) as opened:
        return opened.verify(anchors(state / ledgers.ANCHORS))


def maintainer_lives(state: Path, system: str) -> bool:
    """Return whether the process of the newest maintainer still lives, the lease given back or not."""
    with ledger(state) as opened:
        found = tenancy(opened, system)
    return found is not None and standing(found.holder) in ("alive", "stopped")


def last_pass_age_s(state: Path) -> float | None:
    """Return how long ago the newest recorded pass was made, None if there is none."""
    if not (state / recorders.FILE).is_file():
        return None
    with recording(state) as opened:
        return max(0.0, continued(_Forgetful(opened), opened.last_at).now() - opened.last_at)


def tenancy(opened: SqliteLedger, system: str) -> Tenancy | None:
    """Return the lease on a system as it stands, held or given back."""
    return SqliteLeases(opened.database, SystemClock()).current(system)

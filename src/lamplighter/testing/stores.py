"""Stores in memory: recordings, ledger and lease, with a disk that can be full. They implement the ports."""

import contextlib
import hashlib
import os
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from lamplighter.adapters import recordings as recording
from lamplighter.adapters.ledger import FILE, SqliteLedger
from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.model.errors import HeldError, OwnedError
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant, encode
from lamplighter.ports import Clock, Lease, Ledger, LedgerEntry, LedgerLine, Recorded, Recordings, Remembered


class Disk:
    """A disk that can be full; a few writes still fit into what was kept in reserve."""

    def __init__(self) -> None:
        self.full = False
        self.reserve_writes = 0
        self.freed_at: Instant = -1.0

    def fill(self, reserve_writes: int) -> None:
        """Let the disk be full, but for so many writes."""
        self.full, self.reserve_writes = True, reserve_writes

    def free(self, now: Instant = -1.0) -> None:
        """Let there be room again, from this instant on."""
        if self.full:
            self.freed_at = now
        self.full = False

    def writable(self) -> bool:
        """Return whether one more write would fit."""
        return not self.full or self.reserve_writes > 0

    def write(self) -> None:
        """Take the room for one write.

        Raises:
            HeldError: there is none.
        """
        if not self.writable():
            raise HeldError("the disk is full")
        self.reserve_writes -= self.full


class MemoryRecordings:
    """Implements `ports.Recordings`, keeping the newest passes."""

    def __init__(self, disk: Disk | None = None, *, keep: int = 200) -> None:
        """Begin with no pass; `keep` is how many are kept."""
        self._disk = disk or Disk()
        self._passes: deque[tuple[Recorded, History]] = deque(maxlen=keep)
        self._number = 0

    def write(self, inputs: Inputs, result: Result, *, before: History, after: History) -> int:
        """Record a pass; see `ports.Recordings`."""
        self._disk.write()
        self._number += 1
        recorded = Recorded(number=self._number, inputs=inputs, result=result, before=before)
        self._passes.append((recorded, after))
        return self._number

    def passes(
        self,
        *,
        first: int = 0,
        last: int | None = None,
        brief: bool = False,  # noqa: ARG002 - it costs nothing to be whole
    ) -> Iterator[Recorded]:
        """Yield recorded passes in order, those that are still kept, whole."""
        for recorded, _ in tuple(self._passes):
            if recorded.number >= first and (last is None or recorded.number <= last):
                yield recorded

    def start(self, number: int) -> tuple[int, History] | None:
        """Return a pass to replay from, at or before `number`, and the history before it."""
        found = next((each for each, _ in self._passes if each.number == number), None)
        return (number, found.before) if found is not None and found.before is not None else None

    def latest(self) -> Remembered | None:
        """Return the newest pass with the history after it."""
        if not self._passes:
            return None
        recorded, after = self._passes[-1]
        return Remembered(recorded=recorded, history=after)

    def after(self, number: int) -> History | None:
        """Return the history that a pass ended with."""
        return next((after for each, after in self._passes if each.number == number), None)

    def writable(self) -> bool:
        """Return whether the next pass could be recorded."""
        return self._disk.writable()


class MemoryLedger:
    """Implements `ports.Ledger`."""

    def __init__(self, clock: Clock, disk: Disk | None = None) -> None:
        """Begin empty."""
        self._clock = clock
        self._disk = disk or Disk()
        self._entries: list[LedgerEntry] = []

    def append(self, kind: str, subject: str, body: dict[str, object]) -> LedgerEntry:
        """Append one entry; see `ports.Ledger`."""
        return self.extend([LedgerLine(kind=kind, subject=subject, body=body)])[0]

    def extend(self, lines: Sequence[LedgerLine]) -> Sequence[LedgerEntry]:
        """Append several entries, all or none; see `ports.Ledger`."""
        self._disk.write()
        return [self._entry(each) for each in lines]

    def entries(self, *, since: int = 0) -> Iterator[LedgerEntry]:
        """Yield entries from number `since` on; the first has number 1."""
        yield from self._entries[max(0, since - 1) :]

    def head(self) -> LedgerEntry | None:
        """Return the newest entry."""
        return self._entries[-1] if self._entries else None

    def writable(self) -> bool:
        """Return whether the next entry would fit."""
        return self._disk.writable()

    def _entry(self, line: LedgerLine) -> LedgerEntry:
        previous = self._entries[-1].digest if self._entries else ""
        said = encode([previous, line])
        entry = LedgerEntry(
            number=len(self._entries) + 1,
            at=self._clock.now(),
            wall=self._clock.wall(),
            kind=line.kind,
            subject=line.subject,
            body=line.body,
            previous=previous,
            digest=hashlib.blake2b(said, digest_size=32).hexdigest(),
        )
        self._entries.append(entry)
        return entry


class FullRecordings:
    """Recordings on a disk that can be full. Implements `ports.Recordings`."""

    def __init__(self, recordings: SqliteRecordings, disk: Disk) -> None:
        self._recordings, self._disk = recordings, disk
        self.passes, self.start = recordings.passes, recordings.start
        self.latest, self.after = recordings.latest, recordings.after

    def write(self, inputs: Inputs, result: Result, *, before: History, after: History) -> int:
        """Record a pass, if there is room."""
        self._disk.write()
        return self._recordings.write(inputs, result, before=before, after=after)

    def writable(self) -> bool:
        """Return whether there is room."""
        return self._disk.writable() and self._recordings.writable()

    def close(self) -> None:
        """Close the file."""
        self._recordings.close()


class FullLedger:
    """A ledger on a disk that can be full. Implements `ports.Ledger`."""

    def __init__(self, ledger: SqliteLedger, disk: Disk) -> None:
        self._ledger, self._disk = ledger, disk
        self.entries, self.head = ledger.entries, ledger.head

    def append(self, kind: str, subject: str, body: dict[str, object]) -> LedgerEntry:
        """Append an entry, if there is room."""
        return self.extend([LedgerLine(kind=kind, subject=subject, body=body)])[0]

    def extend(self, lines: Sequence[LedgerLine]) -> Sequence[LedgerEntry]:
        """Append entries, if there is room."""
        self._disk.write()
        return self._ledger.extend(lines)

    def writable(self) -> bool:
        """Return whether there is room."""
        return self._disk.writable() and self._ledger.writable()

    def close(self) -> None:
        """Close the file."""
        self._ledger.close()


class Cabinet:
    """Ledger and recording of one run: in memory, or the real ones in a folder of their own."""

    def __init__(self, disk: Disk, clock: Clock, *, files: bool) -> None:
        """Begin with empty ones; files are made when it is opened."""
        self.recordings: Recordings = MemoryRecordings(disk)
        self.ledger: Ledger = MemoryLedger(clock, disk)
        self._disk, self._clock, self._files = disk, clock, files
        self._open = contextlib.ExitStack()

    def open(self) -> None:
        """Make the files, if that is what was asked for."""
        if not self._files:
            return
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="lamp-sim-", dir=_shm())))
        recordings = FullRecordings(SqliteRecordings(folder / recording.FILE), self._disk)
        ledger = FullLedger(SqliteLedger.open(folder / FILE, self._clock), self._disk)
        self._open.callback(recordings.close)
        self._open.callback(ledger.close)
        self.recordings, self.ledger = recordings, ledger

    def close(self) -> None:
        """Close the files and drop them."""
        self._open.close()


def _shm() -> str | None:
    """Return a folder in memory where there is one: what is written here is of no use to anybody later."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - made with a name of its own


class MemoryLeases:
    """Implements `ports.LeaseStore`. `gone` tells it that a holder is proven to be no more."""

    def __init__(self, clock: Clock) -> None:
        """Begin with no holder."""
        self._clock = clock
        self._token = 0
        self._holder: Lease | None = None

    def acquire(self, system: str) -> Lease:
        """Take the lease; see `ports.LeaseStore`."""
        if self._holder is not None:
            raise OwnedError(f"{system} is held under token {self._holder.token}")
        self._token += 1
        self._holder = Lease(
            system=system,
            token=self._token,
            holder=f"maintainer-{self._token}",
            pid=self._token,
            since=self._clock.wall(),
        )
        return self._holder

    def held(self, lease: Lease) -> bool:
        """Return whether this lease is still the newest."""
        return self._holder == lease

    def release(self, lease: Lease) -> None:
        """Give the lease back."""
        if self._holder == lease:
            self._holder = None

    def gone(self) -> None:
        """Take the holder for gone: whoever comes next gets the lease."""
        self._holder = None

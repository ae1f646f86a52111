"""Stores in memory: recordings, ledger and lease, with a disk that can be full. They implement the ports."""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence

from lamplighter.model.errors import HeldError, OwnedError
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import encode
from lamplighter.ports import Clock, Lease, LedgerEntry, LedgerLine, Recorded, Remembered


class Disk:
    """A disk that can be full; a few writes still fit into what was kept in reserve."""

    def __init__(self) -> None:
        self.full = False
        self.reserve_writes = 0

    def fill(self, reserve_writes: int) -> None:
        """Let the disk be full, but for so many writes."""
        self.full, self.reserve_writes = True, reserve_writes

    def free(self) -> None:
        """Let there be room again."""
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

    def passes(self, *, first: int = 0, last: int | None = None) -> Iterator[Recorded]:
        """Yield recorded passes in order, those that are still kept."""
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

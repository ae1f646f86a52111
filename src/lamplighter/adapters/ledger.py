"""The ledger in SQLite: append-only, each entry chained to the one before by its digest.

Its head is copied ("anchored") to an append-only text file beside it, every minute and at a clean stop,
so that a cut tail or a ledger written anew shows. What happened since the last anchor is protected by
the chain and by the count of numbers handed out, not by an anchor. Entries never hold a secret's value;
who writes them sees to that.
"""

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from lamplighter.adapters.database import Database
from lamplighter.model.errors import HeldError
from lamplighter.model.value import Instant, Value, encode
from lamplighter.ports import Clock, LedgerEntry, LedgerLine

FILE = "ledger.sqlite"
ANCHORS = "ledger.anchors"
GENESIS = "0" * 64
"""What the first entry follows on."""

_ENTRIES = """CREATE TABLE entries(
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, wall TEXT NOT NULL, kind TEXT NOT NULL,
    subject TEXT NOT NULL, body TEXT NOT NULL, previous TEXT NOT NULL, digest TEXT NOT NULL)"""
_STAY = """CREATE TRIGGER entries_stay BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"""
_STAND = """CREATE TRIGGER entries_stand BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"""
_LEASES = """CREATE TABLE leases(
    system TEXT PRIMARY KEY, token INTEGER NOT NULL, held INTEGER NOT NULL, pid INTEGER NOT NULL,
    holder TEXT NOT NULL, command TEXT NOT NULL, since TEXT NOT NULL, since_monotonic REAL NOT NULL
    ) WITHOUT ROWID"""
SCHEMA: Final = (
    (_ENTRIES, "CREATE INDEX entries_subject ON entries(subject)", _STAY, _STAND, _LEASES),
    (),  # the same tables: from 0.2.0 on a state may hold what 0.1.0 would misread, so that one is refused
    (),  # so may one of 0.4.0, with agents, for 0.3.0
)

_COLUMNS = "number, at, wall, kind, subject, body, previous, digest"
_BATCH = 500
MANY = 64
"""So few lines fit into a small part of the reserve."""
ENTRY_BYTES = 1024
"""What an entry takes at most besides its body, with its place in the indexes."""


class Damage(Value):
    """What is wrong with a ledger, from which entry on.

    `kind`: `edited`, `missing` (deleted from the middle), `reordered`, `cut` (the tail is gone) or
    `rewritten` (the chain holds but is not the one that was anchored).
    """

    number: int
    kind: str
    message: str


class Verification(Value):
    """What a check of the whole ledger found. `anchored` is the last entry that an anchor vouches for."""

    entries: int
    head: str
    anchored: int = 0
    damage: Damage | None = None


class Anchor(Value):
    """A head that was copied outside the ledger."""

    number: int
    digest: str
    wall: str


class SqliteLedger:
    """The ledger of one system. Several processes may append; each entry finds the newest head."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @classmethod
    def open(cls, path: Path, clock: Clock, *, read_only: bool = False) -> "SqliteLedger":
        """Open the ledger's file; see `Database` for the errors."""
        return cls(Database(path, SCHEMA, read_only=read_only), clock)

    @property
    def database(self) -> Database:
        """The file, which also holds the lease."""
        return self._database

    def append(self, kind: str, subject: str, body: dict[str, object]) -> LedgerEntry:
        """Append an entry, synced to disk before returning. Raises HeldError when it cannot be."""
        return self.extend([LedgerLine(kind=kind, subject=subject, body=body)])[0]

    def extend(self, lines: Sequence[LedgerLine]) -> tuple[LedgerEntry, ...]:
        """Append several entries, all or none, synced once.

        Raises:
            HeldError: the disk is full, or the file is locked; nothing was written.
        """
        if not lines:
            return ()
        at, wall = self._clock.now(), self._clock.wall()
        size = sum(len(encode(each.body)) + ENTRY_BYTES for each in lines) if len(lines) > MANY else 0
        with self._database.transaction(size_bytes=size) as connection:
            number, previous = _head(connection)
            entries = []
            for line in lines if number else (_opening(), *lines):
                number += 1
                entries.append(_chained(line, number, (at, wall), previous))
                previous = entries[-1].digest
            connection.executemany(
                f"INSERT INTO entries({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant
                [(e.number, e.at, e.wall, e.kind, e.subject, encode(e.body).decode(), e.previous, e.digest)
                 for e in entries],
            )  # fmt: skip
        return tuple(entries[-len(lines) :])

    def entries(self, *, since: int = 0) -> Iterator[LedgerEntry]:
        """Yield entries from number `since` on, as they stand (unchecked)."""
        while True:
            rows = self._database.rows(
                f"SELECT {_COLUMNS} FROM entries WHERE number >= ? ORDER BY number LIMIT ?",  # noqa: S608
                since,
                _BATCH,
            )
            if not rows:
                return
            for row in rows:
                yield _entry(row)
            since = int(str(rows[-1][0])) + 1

    def about(self, subject: str) -> tuple[LedgerEntry, ...]:
        """Return the entries about one subject (an action's or an intent's id), oldest first."""
        query = f"SELECT {_COLUMNS} FROM entries WHERE subject = ? ORDER BY number"  # noqa: S608 - constant
        return tuple(_entry(row) for row in self._database.rows(query, subject))

    def head(self) -> LedgerEntry | None:
        """Return the newest entry."""
        query = f"SELECT {_COLUMNS} FROM entries ORDER BY number DESC LIMIT 1"  # noqa: S608 - constant
        rows = self._database.rows(query)
        return _entry(rows[0]) if rows else None

    def writable(self) -> bool:
        """Return whether the next destructive action could still be recorded."""
        return self._database.writable()

    @property
    def starved(self) -> bool:
        """Whether the disk is full and the reserve is being used."""
        return self._database.starved

    def anchor(self, path: Path) -> Anchor | None:
        """Append the head to the anchors' file, unless it stands there already; return a new anchor.

        Raises:
            HeldError: the file cannot be written.
        """
        head = self.head()
        known = anchors(path)
        if head is None or (known and known[-1].number == head.number):
            return None
        made = Anchor(number=head.number, digest=head.digest, wall=self._clock.wall())
        _append_line(path, f"{made.number} {made.digest} {made.wall}\n")
        return made

    def verify(self, known: Sequence[Anchor] = ()) -> Verification:
        """Check every entry against its digest, the chain, the numbers handed out, and the anchors."""
        expected = {each.number: each for each in known}
        previous, number, last_anchor = GENESIS, 0, 0
        for entry in self.entries():
            damage = _damage(entry, number, previous) or _unlike(entry, expected.get(entry.number))
            if damage:
                return Verification(entries=number, head=previous, anchored=last_anchor, damage=damage)
            last_anchor = entry.number if entry.number in expected else last_anchor
            previous, number = entry.digest, entry.number
        cut = self._cut(number, max(expected, default=0))
        return Verification(entries=number, head=previous, anchored=last_anchor, damage=cut)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _cut(self, number: int, anchored: int) -> Damage | None:
        rows = self._database.rows("SELECT seq FROM sqlite_sequence WHERE name = 'entries'")
        handed_out = int(str(rows[0][0])) if rows else 0
        last = max(anchored, handed_out)
        if last <= number:
            return None
        witness = "was anchored" if anchored > number else "was handed out"
        return Damage(
            number=number + 1,
            kind="cut",
            message=f"the ledger ends at entry {number}, but number {last} {witness}",
        )


def anchors(path: Path) -> tuple[Anchor, ...]:
    """Return the anchors in a file, oldest first. A line that was torn by a crash is left out."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return ()
    parts = (line.split() for line in lines)
    return tuple(
        Anchor(number=int(each[0]), digest=each[1], wall=each[2])
        for each in parts
        if len(each) == 3 and each[0].isdigit() and len(each[1]) == len(GENESIS)  # noqa: PLR2004 - three words
    )


def digest_of(entry: LedgerEntry) -> str:
    """Return the digest that an entry must carry: BLAKE2b-256 over all its other fields."""
    covered = [entry.number, entry.at, entry.wall, entry.kind, entry.subject, entry.body, entry.previous]
    return hashlib.blake2b(encode(covered), digest_size=32).hexdigest()


def _chained(line: LedgerLine, number: int, when: tuple[Instant, str], previous: str) -> LedgerEntry:
    entry = LedgerEntry(
        number=number,
        at=when[0],
        wall=when[1],
        kind=line.kind,
        subject=line.subject,
        body=msgspec.json.decode(encode(line.body)),  # so that the digest is that of what will be read
        previous=previous,
        digest="",
    )
    return msgspec.structs.replace(entry, digest=digest_of(entry))


def _opening() -> LedgerLine:
    """The first entry names this ledger, so that no other can be put in its place unseen."""
    return LedgerLine(kind="opened", subject="ledger", body={"chain": secrets.token_hex(16), "version": 1})


def _head(connection: sqlite3.Connection) -> tuple[int, str]:
    row = connection.execute("SELECT number, digest FROM entries ORDER BY number DESC LIMIT 1").fetchone()
    return (int(row[0]), str(row[1])) if row else (0, GENESIS)


def _entry(row: tuple[object, ...]) -> LedgerEntry:
    fields = dict(zip(_COLUMNS.split(", "), row, strict=True))
    try:
        body = msgspec.json.decode(str(fields["body"]))
    except msgspec.DecodeError:
        body = {"unreadable": fields["body"]}
    return msgspec.convert(fields | {"body": body}, type=LedgerEntry, strict=False)


def _damage(entry: LedgerEntry, before: int, previous: str) -> Damage | None:
    """Tell what is wrong with an entry that should follow on number `before` and digest `previous`."""
    if entry.digest != digest_of(entry):
        return Damage(number=entry.number, kind="edited", message="its content does not have its digest")
    if entry.number > before + 1:
        message = f"entries {before + 1} to {entry.number - 1} are missing"
        return Damage(number=before + 1, kind="missing", message=message)
    if entry.previous != previous:
        return Damage(number=entry.number, kind="reordered", message=f"it does not follow on entry {before}")
    return None


def _unlike(entry: LedgerEntry, anchor: Anchor | None) -> Damage | None:
    if anchor is None or anchor.digest == entry.digest:
        return None
    message = f"it is not the entry that was anchored at {anchor.wall}"
    return Damage(number=entry.number, kind="rewritten", message=message)


def _append_line(path: Path, line: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise HeldError(
            f"the ledger's anchor cannot be written to {path}: {error.strerror}",
            code="anchor-unwritable",
            mend="free some disk space, or make the file writable",
        ) from error

"""Recordings in SQLite: what the loop saw, pass by pass, in groups that each stand on their own.

A group begins with whole values and the history before it; the passes after it are differences. A group
ends when its differences are as large as what it begins with, so that a large system is not written whole
again and again; old groups are dropped whole, by bytes and by age, and the newest never is. What came out
of a pass can be deleted (`forget_results`) and is then made again from what went in.
"""

import itertools
import sqlite3
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from lamplighter import __version__
from lamplighter.adapters.database import Database
from lamplighter.adapters.frames import Deflater, FrameReader, FrameWriter, deflated, inflated
from lamplighter.model.errors import EnvironmentFault, HeldError
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant, Value, encode
from lamplighter.ports import EXCERPT_MARK, Recorded, Remembered

FILE = "recording.sqlite"
NO_FACTS: Final[dict[str, object]] = {"facts": {"at": 0.0}}
"""Stands in the place of facts that were not asked for."""
SMALL_BYTES = 2**16
"""What a group begins with, up to which it is no matter how often that is written."""

_GROUPS = """CREATE TABLE groups(
    first INTEGER PRIMARY KEY, at REAL NOT NULL, wall REAL NOT NULL, bytes INTEGER NOT NULL,
    before BLOB NOT NULL)"""
_PASSES = "CREATE TABLE passes(number INTEGER PRIMARY KEY, inputs BLOB NOT NULL, result BLOB, after BLOB)"
_NOTES = "CREATE TABLE notes(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
Frames = tuple[bytes, bytes | None, bytes | None]
"""Of what went in, of what came out, and of the history after; the last two may have been deleted."""


class _Head(NamedTuple):
    """How a group begins: the history before it, and the version that decided in it."""

    before: bytes
    version: str


_BY = "ALTER TABLE groups ADD COLUMN version TEXT NOT NULL DEFAULT '0.1.0'"

SCHEMA: Final = ((_GROUPS, _PASSES, _NOTES), (_BY,), ())
"""The second says which version decided; its values are those of 0.2.0, which 0.1.0 would misread. The third
changes no table: its values are those of 0.4.0, with agents, which 0.3.0 would misread."""


class Limits(Value):
    """How much to keep: bytes of the file, age of a group in seconds, and what a group may hold.

    A group ends after `group_passes` passes, or earlier with `group_bytes` of differences; but not before
    these are as much as it began with (where that is much), unless there are `group_passes_max` passes.
    """

    total_bytes: int = 256 * 2**20
    age_s: float = 30 * 86_400.0
    group_passes: int = 120
    group_bytes: int = 2**20
    group_passes_max: int = 3_600


class SqliteRecordings:
    """The recording of one system. One process writes, any number read."""

    def __init__(
        self,
        path: Path,
        *,
        limits: Limits | None = None,
        read_only: bool = False,
        version: str = __version__,
    ) -> None:
        """Open the recording.

        Args:
            path: the file.
            limits: how much to keep.
            read_only: only look; another process may be writing.
            version: of what decides; it stands with every group.

        Raises:
            EnvironmentFault: it cannot be read, or a newer version wrote it.
            HeldError: the disk is full and it could not be made.
        """
        self.path = path
        self._limits, self._version = limits or Limits(), version
        self._database = Database(path, SCHEMA, read_only=read_only)
        self._writers = (FrameWriter(), FrameWriter(), FrameWriter())
        self._deflater = Deflater()
        self._in_group = 0
        self._group_bytes = 0
        self._whole_bytes = 0
        self._whole = True
        self._number = self._newest()

    def close(self) -> None:
        """Close the file."""
        self._deflater.close()
        self._database.close()

    def write(self, inputs: Inputs, result: Result, *, before: History, after: History) -> int:
        """Record a pass and return its number; see `Recordings`.

        Passes that decide or answer something survive a power cut; the others at least this process.
        """
        while True:
            try:
                return self._write(inputs, result, before, after)
            except HeldError:
                if not self._drop_some():
                    self._whole = True
                    self._number += 1  # the number that is missing tells of the gap
                    raise

    def passes(self, *, first: int = 0, last: int | None = None, brief: bool = False) -> Iterator[Recorded]:
        """Yield recorded passes in order. One whose result was deleted has None for it.

        Args:
            first: from this one on.
            last: up to this one; None: to the newest.
            brief: without their facts, and without the histories that groups begin with.

        Raises:
            EnvironmentFault: a frame is damaged; it says which pass.
        """
        readers = _Readers(NO_FACTS if brief else None)
        for number, frames, head in self._frames(self._group_of(first), last):
            whole = head is not None
            readers.read(number, (*frames[:2], None) if brief else frames, whole=whole)
            if number >= first:
                yield readers.recorded(number, None if brief else head)

    def start(self, number: int) -> tuple[int, History] | None:
        """Return the first pass of the group that `number` is in, and the history before it."""
        first = self._group_of(number)
        rows = self._database.rows("SELECT before FROM groups WHERE first = ?", first)
        if not rows:
            return None
        return first, msgspec.json.decode(inflated(_bytes(rows[0][0])), type=History)

    def latest(self) -> Remembered | None:
        """Return the newest pass with the history after it; None before the first."""
        return self._ended(None)

    def after(self, number: int) -> History | None:
        """Return the history that a pass ended with; None if there is no such pass, or it was deleted."""
        found = self._ended(number)
        return found.history if found is not None and found.recorded.number == number else None

    def starts(self) -> list[tuple[int, float, float]]:
        """Return each group's first pass, its instant and its wall time (seconds since 1970)."""
        rows = self._database.rows("SELECT first, at, wall FROM groups ORDER BY first")
        return [(_int(first), float(str(at)), float(str(wall))) for first, at, wall in rows]

    def writable(self) -> bool:
        """Return whether the next pass could still be recorded."""
        return self._database.writable() or len(self.starts()) > 1

    @property
    def starved(self) -> bool:
        """Whether the disk is full and the reserve is being used."""
        return self._database.starved

    @property
    def total_bytes(self) -> int:
        """The bytes of all frames kept."""
        held = self._database.rows("SELECT coalesce(sum(bytes), 0) FROM groups")
        return _int(held[0][0]) + self._whole_bytes + self._group_bytes

    @property
    def newest(self) -> int:
        """The number of the newest pass, 0 for none."""
        return self._number

    @property
    def last_at(self) -> Instant:
        """The instant of the newest pass, 0 for none."""
        latest = self.latest()
        return latest.recorded.inputs.now if latest else 0.0

    def note(self, name: str, value: str) -> None:
        """Keep a small text with the recording (the clock's offset, say)."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def noted(self, name: str) -> str:
        """Return a text that was kept, or an empty one."""
        rows = self._database.rows("SELECT value FROM notes WHERE name = ?", name)
        return str(rows[0][0]) if rows else ""

    def forget_results(self) -> None:
        """Delete everything that came out of the passes; what went in stays."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE passes SET result = NULL, after = NULL")

    def continue_from(self, number: int) -> None:
        """Give the next pass at least this number (what another store already refers to)."""
        self._number = max(self._number, number - 1)

    def begin(self, number: int, version: str) -> None:
        """Let the next pass stand on its own, with at least this number; `version` decided from there on."""
        self.continue_from(number)
        self._version, self._whole = version, True

    def copy_to(self, path: Path) -> None:
        """Write all of it into a new file, marked as an excerpt, without the room that is kept in hand.

        Raises:
            EnvironmentFault, HeldError: it cannot be written there.
        """
        self._database.rows(f"PRAGMA application_id={int.from_bytes(EXCERPT_MARK)}")
        self._database.rows("VACUUM INTO ?", str(path))

    def _ended(self, last: int | None) -> Remembered | None:
        readers, number = _Readers(), 0
        first = self._group_of(self._newest() if last is None else last)
        for number, frames, head in self._frames(first, last):
            readers.read(number, frames, whole=head is not None)
        if not number:
            return None
        return Remembered(recorded=readers.recorded(number), history=readers.after.value())

    def _write(self, inputs: Inputs, result: Result, before: History, after: History) -> int:
        whole = self._whole or self._group_is_full()
        number = self._number + 1
        begun = [
            writer.frame(value, whole=whole, deflater=self._deflater)
            for writer, value in zip(self._writers, (inputs, result, after), strict=True)
        ]
        start = deflated(encode(before)) if whole else b""
        frames = [each.result() for each in begun]
        size = len(start) + sum(map(len, frames))
        with self._database.transaction(durable=_matters(inputs, result), size_bytes=size) as connection:
            if whole:
                self._begin_group(connection, number, inputs, start)
            connection.execute("INSERT INTO passes VALUES (?, ?, ?, ?)", (number, *frames))
        for writer in self._writers:
            writer.keep()
        self._whole = False
        self._number = number
        self._in_group = 1 if whole else self._in_group + 1
        self._whole_bytes = size if whole else self._whole_bytes
        self._group_bytes = 0 if whole else self._group_bytes + size
        return number

    def _group_is_full(self) -> bool:
        """Return whether it is time for a new group: what it costs is in proportion to what was written."""
        limits = self._limits
        if self._in_group >= limits.group_passes_max:
            return True
        enough = self._in_group >= limits.group_passes or self._group_bytes > limits.group_bytes
        return enough and (self._group_bytes >= self._whole_bytes or self._whole_bytes <= SMALL_BYTES)

    def _begin_group(self, connection: sqlite3.Connection, number: int, inputs: Inputs, start: bytes) -> None:
        """Close the group before, drop what is too old or too much, and begin one at this pass."""
        connection.execute(
            "UPDATE groups SET bytes = (SELECT coalesce(sum(length(inputs) + coalesce(length(result), 0)"
            " + coalesce(length(after), 0)), 0) FROM passes WHERE number >= first) + length(before)"
            " WHERE first = (SELECT max(first) FROM groups)"
        )
        row = (number, inputs.now, time.time(), 0, start, self._version)
        connection.execute("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?)", row)
        groups = connection.execute("SELECT first, at, bytes FROM groups ORDER BY first DESC").fetchall()
        kept = 0
        for (_, ended, _), (first, _, size) in itertools.pairwise(groups):
            kept += size
            if kept > self._limits.total_bytes or inputs.now - ended > self._limits.age_s:
                _drop_through(connection, first, groups)
                break

    def _drop_some(self) -> bool:
        """Make room on a full disk: drop the oldest quarter of the groups, but never the newest."""
        starts = self.starts()
        if len(starts) < 2:  # noqa: PLR2004 - the newest one is kept
            return False
        following = starts[max(1, len(starts) // 4)][0]
        try:
            with self._database.transaction() as connection:
                connection.execute("DELETE FROM passes WHERE number < ?", (following,))
                connection.execute("DELETE FROM groups WHERE first < ?", (following,))
        except HeldError:
            return False
        return True

    def _newest(self) -> int:
        rows = self._database.rows("SELECT coalesce(max(number), 0) FROM passes")
        return _int(rows[0][0])

    def _group_of(self, number: int) -> int:
        rows = self._database.rows(
            "SELECT coalesce((SELECT max(first) FROM groups WHERE first <= ?), min(first), 0) FROM groups",
            number,
        )
        return _int(rows[0][0])

    def _frames(self, first: int, last: int | None) -> Iterator[tuple[int, Frames, _Head | None]]:
        """Yield frames in small batches, so that no snapshot keeps the writer's log from folding in."""
        following = first
        while True:
            rows = self._database.rows(
                "SELECT number, inputs, result, after, before, version"
                " FROM passes LEFT JOIN groups ON first = number"
                " WHERE number >= ? AND number <= ? ORDER BY number LIMIT 200",
                following,
                2**62 if last is None else last,
            )
            if not rows:
                return
            for number, inputs, result, after, before, version in rows:
                frames = (_bytes(inputs), _maybe_bytes(result), _maybe_bytes(after))
                yield _int(number), frames, _Head(_bytes(before), str(version)) if before else None
            following = _int(rows[-1][0]) + 1


class _Readers:
    """The three sequences of a recording, read in step."""

    def __init__(self, instead: dict[str, object] | None = None) -> None:
        self.inputs = FrameReader(Inputs, instead)
        self.result = FrameReader(Result)
        self.after = FrameReader(History)

    def read(self, number: int, frames: Frames, *, whole: bool) -> None:
        try:
            self.inputs.read(frames[0], whole=whole)
            self.result.read(frames[1], whole=whole)
            self.after.read(frames[2], whole=whole)
        except (zlib.error, msgspec.MsgspecError, LookupError, TypeError, AttributeError) as error:
            raise EnvironmentFault(
                f"pass {number} of the recording is damaged: {error}",
                code="recording-damaged",
                mend="replay a range that leaves out this pass and those up to the next group",
            ) from error

    def recorded(self, number: int, head: _Head | None = None) -> Recorded:
        inputs = self.inputs.value()
        assert inputs is not None, f"pass {number} has no inputs"
        return Recorded(
            number=number,
            inputs=inputs,
            result=self.result.value(),
            before=None if head is None else msgspec.json.decode(inflated(head.before), type=History),
            version="" if head is None else head.version,
        )


def _matters(inputs: Inputs, result: Result) -> bool:
    return bool(inputs.intents or inputs.outcomes or result.decisions or result.closed or result.retries)


def _drop_through(connection: sqlite3.Connection, last: int, groups: list[tuple[int, float, int]]) -> None:
    """Drop the group that begins at `last` and all before it. `groups` is newest first."""
    following = min(first for first, _, _ in groups if first > last)
    connection.execute("DELETE FROM passes WHERE number < ?", (following,))
    connection.execute("DELETE FROM groups WHERE first < ?", (following,))


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value


def _maybe_bytes(value: object) -> bytes | None:
    return None if value is None else _bytes(value)

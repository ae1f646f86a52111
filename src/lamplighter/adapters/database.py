"""One SQLite file that is never torn, tells a full disk from other trouble, and keeps room in hand.

Write-ahead logging, so that other processes read while one writes. Room in hand is kept inside the files
themselves, where a process that fills the disk cannot take it: free pages in the database, and blocks
allocated to the log. Records only ever use free pages; the file grows at one place, ahead of need, and only
when the disk is seen to have room. So a full disk is met with the reserve whole.
Knows nothing of what is stored.
"""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lamplighter.model.errors import EnvironmentFault, HeldError, LampError

FOLD_EVERY = 32
"""Transactions before the write-ahead log is folded into the database."""
FOLD_BYTES = 16 * 2**20
"""Bytes of large transactions after which it is folded in earlier."""
LARGE_AT_ONCE = 4
"""Where a large record finds no room, room is made for so many of its size."""
LOG_BYTES = 2 * 2**20
"""Blocks allocated to the log: a transaction of any kind here fits many times over."""
FLOOR_BYTES = 128 * 2**10
"""With less room in hand than this on a full disk, the next record may not fit."""
RETRY_S = 5.0
"""How often to see whether the disk has room again."""
BUSY_S = 2.0
"""How long to wait for another process's write; all of them are short."""
RESERVE_BYTES_MAX = 64 * 2**20
"""The reserve grows up to this if a single record should ever need more."""
GROW_FREELY = 2**31 - 2

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PRIMARY = 0xFF


class Database:
    """A connection for all threads of this process, one at a time."""

    def __init__(
        self,
        path: Path,
        migrations: Sequence[Sequence[str]],
        *,
        reserve_bytes: int = 2**20,
        read_only: bool = False,
    ) -> None:
        """Open the file, bring it to the newest schema, and fill the reserve.

        Args:
            path: the file; made with mode 0600 unless `read_only`.
            migrations: statements; the n-th group brings schema n to n+1. Never changed once released.
            reserve_bytes: room to keep in hand for a full disk.
            read_only: only look; another process may be writing. A file of an older schema is brought
                forward in a copy in memory, as it stands now, and itself stays as it is.

        Raises:
            EnvironmentFault: the file is missing (read-only), not a database, or of a newer schema.
            HeldError: the disk is full and the file could not be made.
        """
        self.path = path
        self._reserve_bytes = reserve_bytes
        self._lock = threading.RLock()
        self._starved = False
        self._tried_at = 0.0
        self._failed = False
        self._wrote_at = float("-inf")
        self._unfolded = 0
        with self._translated():
            self._connection = _connect(path, read_only=read_only)
            self._page_bytes = int(self._pragma("page_size"))
            if read_only:
                self._look(migrations)
                return
            self._set_up()
            self._migrate(migrations)
        self._top_up()

    def close(self) -> None:
        """Close the file; the log is folded in."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True, size_bytes: int = 0) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction: all of it is written, or nothing.

        Args:
            durable: survive a power cut, not only the death of this process.
            size_bytes: about how much it writes, where that may be more than a small part of the reserve.

        Raises:
            HeldError: it could not be written; nothing of it was.
        """
        with self._lock, self._translated():
            self._keep_room(size_bytes)
            self._connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            with self._whole():
                yield self._connection
            self._failed = False
            self._fold(size_bytes)

    def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """Return all rows of a query. Holds no snapshot afterwards, so that the log can be folded in."""
        with self._lock, self._translated():
            return list(self._connection.execute(query, parameters))

    def writable(self) -> bool:
        """Return whether there is room for the next record, even if the disk is full now."""
        with self._lock, contextlib.suppress(LampError), self._translated():
            self._keep_room()
            if self._failed and not self._writes():
                return False
            return not self._starved or self._free_bytes() >= FLOOR_BYTES
        return False

    def _writes(self) -> bool:
        """Return whether a write that changes nothing succeeds; after one failed, room proves nothing."""
        if time.monotonic() - self._wrote_at < RETRY_S:
            return False
        self._wrote_at = time.monotonic()
        with self._whole():
            self._connection.execute(f"PRAGMA user_version={int(self._pragma('user_version'))}")
        self._failed = False
        return True

    @property
    def starved(self) -> bool:
        """Whether the disk was full when last tried, and records come out of the reserve."""
        return self._starved

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _set_up(self) -> None:
        _patiently(lambda: self._connection.execute("PRAGMA journal_mode=WAL"))
        for pragma in (
            "wal_autocheckpoint=0",
            "temp_store=MEMORY",
            "cache_size=-512",
            "secure_delete=OFF",
        ):
            self._connection.execute(f"PRAGMA {pragma}")

    def _look(self, migrations: Sequence[Sequence[str]]) -> None:
        """Read a file as it is, or a copy of it if its schema is older."""
        self._refuse_newer(len(migrations))
        if 0 < int(self._pragma("user_version")) < len(migrations):
            copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._connection.backup(copy)
            self._connection.close()
            self._connection = copy
            self._migrate(migrations)

    def _migrate(self, migrations: Sequence[Sequence[str]]) -> None:
        self._refuse_newer(len(migrations))
        if int(self._pragma("user_version")) == len(migrations):
            return
        with self._whole():
            for number in range(int(self._pragma("user_version")), len(migrations)):
                for statement in migrations[number]:
                    self._connection.execute(statement)
            self._connection.execute("CREATE TABLE IF NOT EXISTS reserve(room BLOB)")
            self._connection.execute(f"PRAGMA user_version={len(migrations)}")

    def _refuse_newer(self, known: int) -> None:
        found = int(self._pragma("user_version"))
        if found > known:
            raise EnvironmentFault(
                f"{self.path.name} was written by a newer version (schema {found}, this one knows {known})",
                code="store-newer",
                mend="upgrade lamplighter here to the version that last ran this system",
            )

    def _keep_room(self, size_bytes: int = 0) -> None:
        if self._free_bytes() < self._reserve_bytes // 2 + size_bytes:
            self._top_up(LARGE_AT_ONCE * size_bytes)

    def _top_up(self, more_bytes: int = 0) -> None:
        """Bring the room in hand to the full reserve and `more_bytes`, if the disk has room for it."""
        now = time.monotonic()
        if self._starved and now - self._tried_at < RETRY_S:
            return
        self._tried_at = now
        try:
            _allocate(Path(f"{self.path}-wal"), LOG_BYTES)
            _probe(self.path.with_name(f".{self.path.name}.room"), 2 * self._reserve_bytes + more_bytes)
            self._connection.execute(f"PRAGMA max_page_count={GROW_FREELY}")
            self._fill(self._reserve_bytes + more_bytes)
            self._starved = False
        except (OSError, sqlite3.Error) as error:
            self._starved = _code(error) not in _BUSY
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute(f"PRAGMA max_page_count={int(self._pragma('page_count'))}")

    def _fill(self, room_bytes: int) -> None:
        """Grow the file by a blob of zeros, and free its pages only once they really stand on disk."""
        if self._free_bytes() < room_bytes:
            self._connection.execute("INSERT INTO reserve VALUES (zeroblob(?))", (room_bytes,))
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._connection.execute("DELETE FROM reserve")

    def _fold(self, size_bytes: int = 0) -> None:
        """Fold the log in now and then; on a full disk at once, so that it never needs more blocks."""
        self._unfolded += 1 + size_bytes * FOLD_EVERY // FOLD_BYTES
        if self._starved or self._unfolded >= FOLD_EVERY:
            self._unfolded = 0
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _free_bytes(self) -> int:
        return int(self._pragma("freelist_count")) * self._page_bytes

    def _pragma(self, name: str) -> str:
        return str(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._as_ours(error) from error

    def _as_ours(self, error: sqlite3.Error) -> LampError:
        code = _code(error)
        if code in _FULL:
            if not self._starved:
                self._reserve_bytes = min(2 * self._reserve_bytes, RESERVE_BYTES_MAX)
            self._starved = self._failed = True
            if code != sqlite3.SQLITE_FULL and _has_room(self.path.parent):
                return HeldError(
                    f"{self.path.name} cannot be written or read: {error}",
                    code="disk-error",
                    mend=f"see that the disk of {self.path.parent} is sound (dmesg), and that neither a quota"
                    " nor a limit (ulimit -f) is reached; the loop goes on by itself",
                )
            return HeldError(
                f"the disk that holds {self.path.name} is full, and its reserve is used up",
                code="disk-full",
                mend=f"free some space where {self.path.parent} stands; the loop goes on by itself",
            )
        if code in _BUSY:
            return HeldError(
                f"another process has been writing {self.path.name} for more than {BUSY_S:g} s",
                code="store-busy",
                mend="end the program that has this file open for writing",
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return EnvironmentFault(
                f"{self.path} cannot be opened: {error}",
                code="store-unreadable",
                mend="check that the file is there and that its folder may be written to by you",
            )
        return EnvironmentFault(
            f"{self.path.name} is damaged or is not one of ours: {error}",
            code="store-damaged",
            mend=f"move {self.path} away; a new one is begun, and the old one can still be looked at",
        )


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    if not read_only:
        with contextlib.suppress(FileExistsError):  # closing one that exists would drop this process's locks
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    quoted = str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite3.connect(
        f"file:{quoted}?mode={'ro' if read_only else 'rw'}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _allocate(path: Path, size: int) -> None:
    """Give the log its blocks. Closing this file drops no lock: SQLite's are on the other two."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(handle).st_blocks * 512 < size:
            os.posix_fallocate(handle, 0, size)
    finally:
        os.close(handle)


def _probe(path: Path, size: int) -> None:
    """Raise OSError unless the disk has room for `size` bytes now."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        path.unlink()
        os.posix_fallocate(handle, 0, size)
    finally:
        os.close(handle)


def _has_room(folder: Path) -> bool:
    """Whether the disk is not full; SQLite says so of its database alone, not of what stands beside it."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return True
    return disk.f_bavail * disk.f_frsize >= FLOOR_BYTES


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY


def _patiently(attempt: Callable[[], object]) -> None:
    """Try again while other processes open the same new file: that one switch waits for nobody by itself."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            attempt()
        except sqlite3.OperationalError as error:
            if _code(error) not in _BUSY or time.monotonic() > until:
                raise
            time.sleep(0.005)
        else:
            return

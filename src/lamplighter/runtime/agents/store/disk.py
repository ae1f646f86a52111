"""The disk as a host needs it: a few blocking operations on the files of one folder.

`Disk` is what the journal is written against; `Folder` is the real one. A virtual one, which loses what was
not synced, is in `lamplighter.testing`. Knows nothing of what the files hold. Errors of the operating system
pass through as `OSError`; the journal says what they mean.
"""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from lamplighter.model.errors import EnvironmentFault, OwnedError

OPEN_FILES_MAX = 256
"""Files kept open for reading; below the usual limit of 1024 a process."""
LOCK = ".lock"
PARTIAL = ".partial"


class Disk(Protocol):
    """The files of one host's folder. Every operation blocks; only `sync` makes appended bytes durable.

    One file grows at a time: once another is appended to, the one before is only read, cut or removed, and
    it was synced before that.
    """

    def hold(self, holder: str) -> None:
        """Take the folder for this process alone, until `release`; `holder` is shown to whoever comes second.

        Raises:
            OwnedError: another process has it; the message names the holder.
        """

    def release(self) -> None:
        """Give the folder back and close every file."""

    def names(self) -> list[str]:
        """The files there are, sorted."""

    def size(self, name: str) -> int:
        """How many bytes a file has."""

    def identity(self, name: str) -> object:
        """What tells this file from any that takes its place by `replace`; cheap."""

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file, which is made if there is none. Not durable yet."""

    def sync(self, name: str) -> None:
        """Return when all that was appended to a file, and its name, would survive a loss of power."""

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end of the file."""

    def replace(self, name: str, parts: Iterable[bytes | bytearray]) -> None:
        """Give a file this content, durably and as a whole: after a crash it has the old or the new one."""

    def truncate(self, name: str, size: int) -> None:
        """Cut a file to its first `size` bytes, durably."""

    def remove(self, name: str) -> None:
        """Remove a file. After a crash it may be there again."""


class Folder:
    """A real folder. One thread may read and remove while another appends, syncs and replaces."""

    def __init__(self, path: Path) -> None:
        """Use `path`, which is made if there is none.

        Raises:
            EnvironmentFault: the folder can be neither used nor made.
        """
        self._path = path
        self._lock: int | None = None
        self._files: dict[str, int] = {}
        self._growing: tuple[str, int] | None = None
        self._fresh: set[str] = set()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def hold(self, holder: str) -> None:
        """See `Disk.hold`. The lock is the kernel's: it goes with the process, however that ends."""
        try:
            lock = os.open(self._path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            named = os.pread(lock, 200, 0).decode(errors="replace") or "another process"
            os.close(lock)
            raise OwnedError(
                f"the agents in {self._path} are held by {named}",
                mend="stop that process, or give this one another folder",
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, holder.encode(), 0)
        self._lock = lock

    def release(self) -> None:
        """See `Disk.release`."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()
        self._grown()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def names(self) -> list[str]:
        """See `Disk.names`. What was left half written by `replace` is removed."""
        found = [entry.name for entry in os.scandir(self._path) if entry.is_file()]
        for name in found:
            if name.endswith(PARTIAL):
                (self._path / name).unlink()
        return sorted(name for name in found if not name.endswith(PARTIAL) and name != LOCK)

    def size(self, name: str) -> int:
        """See `Disk.size`."""
        return os.fstat(self._file(name)).st_size

    def identity(self, name: str) -> object:
        """See `Disk.identity`. A number of an inode may be used again, its time of change is not."""
        found = (self._path / name).stat()
        return found.st_dev, found.st_ino, found.st_ctime_ns

    def append(self, name: str, data: bytes) -> None:
        """See `Disk.append`."""
        if self._growing is None or self._growing[0] != name:
            self._grow(name)
        assert self._growing is not None
        file = self._growing[1]
        written = os.write(file, data)
        while written < len(data):
            written += os.write(file, memoryview(data)[written:])

    def sync(self, name: str) -> None:
        """See `Disk.sync`."""
        assert self._growing is not None, "only what was appended is synced"
        os.fdatasync(self._growing[1])
        if name in self._fresh:
            self._sync_names()
            self._fresh.discard(name)

    def read(self, name: str, offset: int, length: int) -> bytes:
        """See `Disk.read`."""
        data = os.pread(self._files.get(name) or self._file(name), length, offset)
        if not data or len(data) == length:
            return data
        return data + self.read(name, offset + len(data), length - len(data))

    def replace(self, name: str, parts: Iterable[bytes | bytearray]) -> None:
        """See `Disk.replace`."""
        partial = self._path / (name + PARTIAL)
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[os.write(file, view) :]
            os.fdatasync(file)
        finally:
            os.close(file)
        self._forget(name)
        partial.rename(self._path / name)
        self._sync_names()

    def truncate(self, name: str, size: int) -> None:
        """See `Disk.truncate`."""
        file = self._file(name)
        os.ftruncate(file, size)
        os.fsync(file)

    def remove(self, name: str) -> None:
        """See `Disk.remove`."""
        self._forget(name)
        (self._path / name).unlink(missing_ok=True)

    def _sync_names(self) -> None:
        """Make durable which names there are."""
        folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _unusable(self, error: OSError) -> EnvironmentFault:
        return EnvironmentFault(
            f"the folder {self._path} cannot be used: {error.strerror}",
            mend="name a folder that this user may write to",
            code="folder-unusable",
        )

    def _grow(self, name: str) -> None:
        """Open the file that is appended to from now on; it is the only one at a time."""
        self._grown()
        path = self._path / name
        if not path.exists():
            self._fresh.add(name)
        self._growing = (name, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _grown(self) -> None:
        """Close the file that was appended to."""
        if self._growing is not None:
            os.close(self._growing[1])
            self._growing = None

    def _file(self, name: str) -> int:
        """The open file of this name, for reading and cutting."""
        file = self._files.get(name)
        if file is None:
            file = self._kept(name, os.open(self._path / name, os.O_RDWR | os.O_CLOEXEC))
        return file

    def _kept(self, name: str, file: int) -> int:
        """Keep a file open, in the place of the one opened longest ago if there are too many."""
        if len(self._files) >= OPEN_FILES_MAX:
            self._forget(next(iter(self._files)))
        self._files[name] = file
        return file

    def _forget(self, name: str) -> None:
        """Close a file if it is open."""
        file = self._files.pop(name, None)
        if file is not None:
            os.close(file)

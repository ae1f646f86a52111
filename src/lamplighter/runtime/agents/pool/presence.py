"""Who hosts: each host has a file in the pool's folder, locked for as long as its process lives.

The lock is the kernel's, so that it goes with the process, however that ends. A file that nobody holds is of
a host that is gone, and is removed by whoever sees it first. A process that is stopped (SIGSTOP) still lives.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

BYTES_MAX = 8192


class Living(msgspec.Struct, frozen=True):
    """A host, as it says itself.

    Args:
        name: its own among all that ever were.
        pid: of its process.
        since_s: wall time of its start.
        leaving: whether it gives its shards away and takes no more.
        shards: those that it has open.
    """

    name: str
    pid: int
    since_s: float
    leaving: bool = False
    shards: tuple[int, ...] = ()


class Presence:
    """This process's own file.

    Args:
        folder: of all hosts; there already.
        clock: wall time in seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        pid = os.getpid()
        self.said = Living(f"{pid}-{os.urandom(4).hex()}", pid, clock())
        self._path = folder / self.said.name
        self._file = -1

    def take(self) -> None:
        """Say that this host lives. Its file has its name only once it is locked, so none takes it for left.

        Raises:
            OSError: the folder cannot be written.
        """
        unseen = self._path.with_name(f".{self.said.name}")
        self._file = os.open(unseen, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._write()
        unseen.rename(self._path)

    def say(self, *, leaving: bool, shards: tuple[int, ...]) -> None:
        """Say what has changed, if anything has."""
        said = msgspec.structs.replace(self.said, leaving=leaving, shards=shards)
        if said != self.said and self._file >= 0:
            self.said = said
            self._write()

    def release(self) -> None:
        """Be gone."""
        if self._file >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1

    def _write(self) -> None:
        text = msgspec.json.encode(self.said)
        os.pwrite(self._file, text, 0)
        os.ftruncate(self._file, len(text))


def living(folder: Path) -> list[Living]:
    """Return the hosts that live, by name; files of those that do not are removed.

    Raises:
        OSError: the folder cannot be read.
    """
    names = [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208 - names are all it takes
    hosts = (_host(folder / name) for name in sorted(names))
    return [host for host in hosts if host is not None]


def _host(path: Path) -> Living | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(file, BYTES_MAX, 0)
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(said, type=Living)
        return Living(path.name, 0, 0.0)  # half written just now: what it says will be seen next time
    else:
        path.unlink(missing_ok=True)
        return None
    finally:
        os.close(file)

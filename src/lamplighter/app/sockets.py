"""Unix sockets in folders whose names may be longer than a socket's address can be (108 bytes on Linux)."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

ADDRESS_BYTES_MAX = 100
BACKLOG = 128


def listening(path: Path) -> socket.socket:
    """Return a socket that listens at `path`, for this user only. One that was left there is replaced.

    The caller holds the lease, so that what stands there belongs to nobody any more.
    """
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _address(path) as address:
        made.bind(address)
    path.chmod(0o600)  # before anybody can connect: it does not listen yet
    made.listen(BACKLOG)
    made.setblocking(False)
    return made


def connected(path: Path, timeout_s: float) -> socket.socket:
    """Return a socket that is connected to whoever listens at `path`. Raises OSError if nobody does."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(timeout_s)
    try:
        with _address(path) as address:
            made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)

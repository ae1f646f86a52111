"""Unix sockets whose paths may be longer than the kernel takes (108 bytes): by the folder's descriptor."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

ADDRESS_BYTES_MAX = 107
BACKLOG = 128


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """Yield an address of a socket that is short enough, for as long as the block lasts.

    Raises:
        OSError: there is no such folder.
    """
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listening(path: Path) -> socket.socket:
    """Return a socket that listens at a path, for this user alone; what stood there before is replaced.

    Whoever calls this must know that nobody else is to listen there.

    Raises:
        OSError: the folder cannot be written.
    """
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(made.fileno(), 0o600)  # before it has a name: its file is made with this mode
        with address(path) as short:
            made.bind(short)
        path.chmod(0o600)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    made.setblocking(False)
    return made

"""Sockets: where the supervisor and the activator listen. Knows nothing of what is said there."""

import os
import socket
from pathlib import Path

_OWNER_ONLY = 0o177


def bound(folder: Path, name: str, *, backlog: int) -> socket.socket:
    """Return a listening socket in a folder whose path may be longer than a socket's may be (108 bytes).

    Only its owner may connect. What stood there before is replaced: see that nobody else listens there.

    Args:
        folder: where it is.
        name: of the socket in it.
        backlog: connections that may wait to be taken.

    Raises:
        OSError: the folder cannot be written.
    """
    place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_OWNER_ONLY)
    try:
        (folder / name).unlink(missing_ok=True)
        listener.bind(f"/proc/self/fd/{place}/{name}")
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
        os.close(place)
    listener.listen(backlog)
    listener.setblocking(False)
    return listener

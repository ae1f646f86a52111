"""Sockets: where supervisor and activator listen, and how to read. Knows nothing of what is said there."""

import asyncio
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


class Incoming:
    """Reads from a socket without a transport: nothing is left for the garbage collector afterwards."""

    def __init__(self, end: socket.socket) -> None:
        """Read from `end`, which does not block and stays the caller's."""
        self._end = end

    async def readexactly(self, count: int) -> bytes:
        """Return the next `count` bytes, as `asyncio.StreamReader` does.

        Raises:
            asyncio.IncompleteReadError: the other side closed before that.
        """
        loop, found = asyncio.get_running_loop(), bytearray()
        while len(found) < count:
            part = await loop.sock_recv(self._end, count - len(found))
            if not part:
                raise asyncio.IncompleteReadError(bytes(found), count)
            found += part
        return bytes(found)

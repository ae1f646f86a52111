"""The supervisor's socket: frames in, replies out, hints to those who watch."""

import asyncio
import contextlib
import socket
from pathlib import Path

import msgspec

from lamplighter.targets.local.sockets import bound
from lamplighter.targets.local.supervisor.core import Supervisor
from lamplighter.targets.local.supervisor.protocol import (
    Hint,
    Reply,
    Request,
    Watch,
    frame,
    read_frame,
)

SOCKET = "supervisor.sock"
_HINTS_MAX = 1024


def bind(folder: Path) -> socket.socket:
    """Return the supervisor's listening socket.

    An old socket is replaced: whoever holds the lock is the only one to call this.
    """
    return bound(folder, SOCKET, backlog=64)


async def serve(supervisor: Supervisor, listener: socket.socket) -> asyncio.Server:
    """Answer whoever connects, from now on."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The peer may go at any time, and what it sent may be anything: neither is a fault of ours.
        # Cancelled only when the supervisor ends; asyncio 3.11 logs a cancelled handler as an exception.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError):
            await _converse(supervisor, reader, writer)
        writer.close()

    return await asyncio.start_unix_server(answer, sock=listener)


async def _converse(
    supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        request = _decoded(await read_frame(reader))
        if isinstance(request, Reply):
            writer.write(frame(request))
        elif isinstance(request.op, Watch):
            await _stream(supervisor, reader, writer)
            return
        else:
            writer.write(frame(supervisor.handle(request)))
        await writer.drain()


def _decoded(body: bytes) -> Request | Reply:
    """A request, or the reply to one that is none. The text of the fault names no value."""
    try:
        return msgspec.json.decode(body, type=Request)
    except (msgspec.DecodeError, ValueError):
        return Reply(state="refused", code="bad-request", detail="this is not a request of this version")


async def _stream(supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send hints until the watcher closes; one that does not read misses some and loses nothing."""
    waiting: asyncio.Queue[str] = asyncio.Queue(_HINTS_MAX)

    def note(subject: str) -> None:
        if not waiting.full():
            waiting.put_nowait(subject)

    stop = supervisor.watch(note)
    closed = asyncio.ensure_future(reader.read(1))
    try:
        writer.write(frame(Hint("supervisor")))
        while not closed.done():
            upcoming = asyncio.ensure_future(waiting.get())
            await asyncio.wait({closed, upcoming}, return_when=asyncio.FIRST_COMPLETED)
            if upcoming.done():
                writer.write(frame(Hint(upcoming.result())))
                await writer.drain()
            else:
                upcoming.cancel()
    finally:
        closed.cancel()
        stop()

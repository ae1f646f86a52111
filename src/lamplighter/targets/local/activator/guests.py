"""What the gateway asks of the activator: one connection a request, `GET /<service>`, answered once.

An HTTP/1.1 request comes in and nothing is said until there is something to say; the connection that is
closed before is a client that has given up. Knows nothing of replicas.
"""

import asyncio
import socket
from pathlib import Path
from typing import Protocol

import msgspec

from lamplighter.targets.local.gateway.holding import ACTIVATOR_SOCKET
from lamplighter.targets.local.sockets import bound

__all__ = ["Guest", "Host", "bind", "listen"]

_END = b"\r\n\r\n"
_QUESTION_BYTES_MAX = 16_384
_BACKLOG = 4096
_GO_ON = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
# The gateway turns it into 503; a 5xx from here it would take for no answer at all.
_REFUSED = "HTTP/1.1 429 Refused"


class Host(Protocol):
    """Who takes guests in."""

    def arrived(self, guest: "Guest", service: str) -> None:
        """Take a guest in: tell it to go on, refuse it, or keep it."""
        ...

    def left(self, guest: "Guest", service: str) -> None:
        """Forget a guest that was kept and has gone away by itself."""
        ...


class Guest(asyncio.Protocol):
    """One request that the gateway holds, as long as its connection is open."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._service = ""
        self._said = b""
        self._transport: asyncio.WriteTransport | None = None

    def go_on(self) -> None:
        """Have the gateway send the request to a replica."""
        self._answer(_GO_ON)

    def refuse(self, reason: str, message: str, retry_after_s: int) -> None:
        """Have the gateway answer 503 with this reason.

        Args:
            reason: a code, in `x-lamp-reason`.
            message: what happened, in words.
            retry_after_s: when it is worth trying again.
        """
        body = msgspec.json.encode({"error": reason, "message": message, "service": self._service}) + b"\n"
        lines = (
            _REFUSED,
            f"x-lamp-reason: {reason}",
            f"retry-after: {retry_after_s}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            "connection: close",
        )
        self._answer("\r\n".join(lines).encode() + _END + body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the way back."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Read the question; only its path is of interest."""
        if self._service or self._transport is None:
            return
        self._said += data
        if _END in self._said:
            parts = self._said.split(b" ", 2)
            self._service = parts[1].strip(b"/").decode(errors="replace") if len(parts) > 1 else ""
            self._said = b""
            self._host.arrived(self, self._service)
        elif len(self._said) > _QUESTION_BYTES_MAX:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """Leave, if nothing was answered."""
        if self._transport is not None:
            self._transport = None
            if self._service:
                self._host.left(self, self._service)

    def _answer(self, what: bytes) -> None:
        transport, self._transport = self._transport, None
        if transport is not None and not transport.is_closing():
            transport.write(what)
            transport.close()


def bind(folder: Path) -> socket.socket:
    """Return a listening socket in the gateway's folder.

    What an activator before has left is replaced.

    Raises:
        OSError: the folder cannot be written.
    """
    return bound(folder, ACTIVATOR_SOCKET, backlog=_BACKLOG)


async def listen(host: Host, listener: socket.socket) -> asyncio.Server:
    """Take guests in from now on."""
    loop = asyncio.get_running_loop()
    return await loop.create_unix_server(lambda: Guest(host), sock=listener, backlog=_BACKLOG)

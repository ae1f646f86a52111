"""A small HTTP/1.1 client for measuring: kept connections, one request at a time on each, no retries.

It records moments and how each answer ended; it judges nothing. Parsing is httptools' (llhttp), the rest is
asyncio's protocol interface: at 800 requests/s on an AMD EPYC core, 214 us a request with every record
written, where aiohttp's client alone took 352 us.
"""

import asyncio
import time
from collections.abc import Callable

import httptools

from benchmarks.load.sample import GAVE_UP

TAIL_BYTES = 64
"""How much of a body's end is kept, to look for a stream's end mark."""

now = time.monotonic


class Exchange:
    """One request on its way and what was seen of its answer; moments are monotonic, 0 means not yet."""

    __slots__ = (
        "connected",
        "count",
        "deadline",
        "done",
        "ended_at",
        "expected",
        "framed",
        "gap_s",
        "headers",
        "headers_at",
        "last_at",
        "on_end",
        "payload",
        "reused",
        "status",
        "tail",
        "whole",
        "why",
    )  # fmt: skip

    def __init__(self, payload: bytes, deadline: float, on_end: Callable[["Exchange"], None]) -> None:
        self.payload = payload
        self.deadline = deadline
        self.on_end = on_end
        self.headers: dict[bytes, bytes] = {}
        self.headers_at = self.ended_at = self.last_at = self.gap_s = 0.0
        self.status = self.count = 0
        self.expected = -1
        self.connected = self.framed = self.whole = self.reused = self.done = False
        self.tail = self.why = ""

    def end(self, why: str = "", *, whole: bool = False) -> None:
        """Settle how it ended; what comes later is ignored."""
        if not self.done:
            self.done = True
            self.ended_at = now()
            self.whole, self.why = whole, why
            self.on_end(self)

    def took_headers(self, status: int) -> None:
        """The headers are complete: note when, and how the body's end will show."""
        self.headers_at = self.last_at = now()
        self.status = status
        length = self.headers.get(b"content-length")
        self.expected = int(length) if length is not None and length.isdigit() else -1
        self.framed = self.expected >= 0 or b"transfer-encoding" in self.headers

    def took_body(self, data: bytes) -> None:
        """Some of the body came."""
        moment = now()
        self.gap_s = max(self.gap_s, moment - self.last_at)
        self.last_at = moment
        self.count += len(data)
        self.tail = (self.tail + data[-TAIL_BYTES:].decode("latin-1"))[-TAIL_BYTES:]

    def lost(self, why: str) -> None:
        """The connection ended before the answer did; without framing that is how an answer ends."""
        unframed_end = bool(self.headers_at) and not self.framed and why == EOF
        progress = f" after {self.count} of {self.expected if self.expected >= 0 else 'unknown'} body bytes"
        self.end("" if unframed_end else why + (progress if self.headers_at else ""), whole=unframed_end)


EOF = "connection closed by the server"


class Connection(asyncio.Protocol):
    """One kept connection; carries one exchange at a time."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self.exchange: Exchange | None = None
        self._used = False
        self.idle_since = 0.0

    def send(self, exchange: Exchange) -> None:
        """Write the request; the connection must be idle."""
        assert self._transport is not None, "a connection sends once it is open"
        assert self.exchange is None, "a connection carries one exchange at a time"
        self.exchange = exchange
        exchange.connected, exchange.reused, self._used = True, self._used, True
        if self.closing:
            exchange.lost(EOF)
        else:
            self._transport.write(exchange.payload)

    @property
    def closing(self) -> bool:
        """Whether the connection is known to be going or gone."""
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        """Close at once, whatever is on it."""
        if self._transport is not None:
            self._transport.abort()

    def give_up(self, exchange: Exchange, why: str) -> None:
        """Abandon the exchange and, if it is the one on this connection, the connection too."""
        exchange.end(why)
        if self.exchange is exchange:
            self.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: the connection stands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        """asyncio's: bytes came; those nobody asked for end the connection."""
        if self.exchange is None:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.exchange.lost(f"malformed answer: {error}")
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's: the connection is gone."""
        self._pool.forget(self)
        if self.exchange is not None:
            self.exchange.lost(EOF if exc is None else named(exc))

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools': one header."""
        if self.exchange is not None:
            self.exchange.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """httptools': all headers came."""
        if self.exchange is not None:
            self.exchange.took_headers(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        """httptools': a piece of the body."""
        if self.exchange is not None:
            self.exchange.took_body(body)

    def on_message_complete(self) -> None:
        """httptools': the answer is whole; keep the connection if the server does."""
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if self._parser.should_keep_alive():
            self._pool.keep(self)
        else:
            self.abort()
        exchange.end(whole=True)


class Pool:
    """Connections to one server: the one used last is used first, so that as few as needed are kept.

    Args:
        host, port: an address, not a name: looking one up would cost time in the middle of a measurement.
        idle_s: connections unused for longer are closed instead of used.
        connections_max: beyond it an exchange ends unconnected and `short` is set.
    """

    def __init__(self, host: str, port: int, idle_s: float, connections_max: int) -> None:
        self._host, self._port = host, port
        self._idle_s = idle_s
        self._connections_max = connections_max
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self.short = False

    def start(self, exchange: Exchange) -> None:
        """Send the exchange over a kept connection, or over a new one."""
        kept = self._kept()
        if kept is not None:
            kept.send(exchange)
        elif len(self._open) + len(self._opening) >= self._connections_max:
            self.short = True
            exchange.end("the generator ran out of connections")
        else:
            task = asyncio.get_running_loop().create_task(self._send_on_new(exchange))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def sweep(self, moment: float) -> None:
        """Abandon the exchanges whose deadline has passed; call it a few times a second."""
        for connection in list(self._open):
            exchange = connection.exchange
            if exchange is not None and exchange.deadline < moment:
                connection.give_up(exchange, f"{GAVE_UP} waiting")

    def opened(self, connection: Connection) -> None:
        """The connection stands."""
        self._open.add(connection)

    def keep(self, connection: Connection) -> None:
        """The connection is idle and may be used again."""
        connection.idle_since = now()
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close everything at once."""
        for task in self._opening:
            task.cancel()
        for connection in list(self._open):
            connection.abort()

    def _kept(self) -> Connection | None:
        oldest = now() - self._idle_s
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since >= oldest and not connection.closing:
                return connection
            connection.abort()
        return None

    async def _send_on_new(self, exchange: Exchange) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(max(0.0, exchange.deadline - now())):
                _, connection = await loop.create_connection(lambda: Connection(self), self._host, self._port)
        except TimeoutError:
            exchange.end(f"{GAVE_UP} connecting")
        except OSError as error:
            exchange.end(named(error))
        else:
            connection.send(exchange)


def named(error: BaseException) -> str:
    """An error as one short line."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

"""A prototype to measure with: an ASGI app of real work and known limits, in one plain file.

A request waits on a backend over TCP for its service time and then hashes what came back; a replica works on
`WORK_SLOTS` of them at once, so that its capacity is a number. It can also be told to misbehave.

    GET|POST /work[?ms=N]           N milliseconds of service, else 20 to 500 (mean 100), by the request's id
    GET /stream?seconds=S           server-sent events every half second, the last one named `end`
    WebSocket /ws                   echo
    GET /healthz, GET /inflight     health; requests on hand
    POST /control?mode=MODE         healthy | sick | lie | hang | freeze | crash | leak | stubborn

Environment: START_S seconds before it listens (0); WORK_SLOTS (16); WORK_SEED (1); WORK_MODE, after
WORK_MODE_AFTER_S (0); WORK_LEAK_BYTES_PER_S (64 MiB); WORK_EXECUTIONS, a file that gets a line
`began|done ID PID MOMENT` for each POST; WORK_INFLIGHT_DIR, a folder where the file PID holds the number of
requests, streams and WebSockets on hand, 8 bytes each, readable after a kill; LAMP_REPLICA (the pid if unset)
and LAMP_RELEASE, sent back as `x-replica` and `x-release`, beside `x-pid`. Run it with `uvicorn work:app`;
WebSockets need the package `websockets`.
"""

import asyncio
import hashlib
import json
import mmap
import os
import random
import signal
import struct
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = dict[bytes, bytes]

SEED = os.environ.get("WORK_SEED", "1")
SLOTS = int(os.environ.get("WORK_SLOTS", "16"))
REPLICA = os.environ.get("LAMP_REPLICA") or str(os.getpid())
LEAK_BYTES_PER_S = int(os.environ.get("WORK_LEAK_BYTES_PER_S", str(64 << 20)))

SHORTEST_MS, LONGEST_MS = 20.0, 500.0
# A log-normal of median 80 ms and sigma 0.68, held between the two, has a mean of 100 ms.
MEDIAN_LOG_MS, SIGMA = 4.382, 0.68
PAGE = random.Random("page").randbytes(4096)
HASHES = 64
EVENT_EVERY_S = 0.5
LEAK_EVERY_S = 0.1
CRASHED = 3
REQUESTS, STREAMS, WEBSOCKETS = range(3)
MODES = ("healthy", "sick", "lie", "hang", "freeze", "crash", "leak", "stubborn")


def service_ms(identity: str) -> float:
    """The service time of a request in milliseconds: the same for the same id, wherever it runs."""
    drawn = random.Random(f"{SEED}:{identity}").lognormvariate(MEDIAN_LOG_MS, SIGMA)
    return min(LONGEST_MS, max(SHORTEST_MS, drawn))


def digest(page: bytes) -> str:
    """A little honest processor time: the page hashed `HASHES` times over."""
    fingerprint = hashlib.sha256()
    for _ in range(HASHES):
        fingerprint.update(page)
    return fingerprint.hexdigest()


class Slow(asyncio.Protocol):
    """The backend's side of a connection: reads a number of milliseconds, answers with a page after them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer later."""
        asyncio.get_running_loop().call_later(float(data) / 1000, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(PAGE)


class Backend:
    """A slow peer on a loopback port of its own and `SLOTS` connections to it, one for each request."""

    def __init__(self) -> None:
        self._free: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._slots = asyncio.Semaphore(SLOTS)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Start the peer and connect to it; stop both afterwards."""
        server = await asyncio.get_running_loop().create_server(Slow, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self._free.extend([await asyncio.open_connection("127.0.0.1", port) for _ in range(SLOTS)])
        try:
            yield
        finally:
            server.close()
            for _, writer in self._free:
                writer.close()

    async def page(self, ms: float) -> bytes:
        """Wait for a slot, then for the peer."""
        async with self._slots:
            reader, writer = self._free.pop()
            writer.write(f"{ms:.3f}".encode())
            page = await reader.readexactly(len(PAGE))
            self._free.append((reader, writer))
            return page


class OnHand:
    """How much the replica has on hand, kept in a shared mapping that can still be read when it is dead."""

    def __init__(self, folder: str | None) -> None:
        self._cells: mmap.mmap | bytearray = bytearray(24)
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            with (Path(folder) / str(os.getpid())).open("w+b") as file:
                file.write(bytes(24))
                file.flush()
                self._cells = mmap.mmap(file.fileno(), 24)

    def counts(self) -> tuple[int, ...]:
        """Requests, streams, WebSockets."""
        return struct.unpack("<3q", self._cells[:])

    @contextmanager
    def one(self, cell: int) -> Iterator[None]:
        """One more, for as long as the body lasts."""
        self._add(cell, 1)
        try:
            yield
        finally:
            self._add(cell, -1)

    def _add(self, cell: int, step: int) -> None:
        struct.pack_into("<q", self._cells, 8 * cell, self.counts()[cell] + step)


class Executions:
    """The file that shows what was carried out how often; a line is one write, so that none is torn."""

    def __init__(self, path: str | None) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = os.open(path, flags, 0o600) if path else None

    def note(self, event: str, identity: str) -> None:
        """Append one line."""
        if self._file is not None:
            os.write(self._file, f"{event} {identity} {os.getpid()} {time.monotonic():.6f}\n".encode())


class App:
    """The ASGI application; one per process."""

    def __init__(self) -> None:
        self.mode = "healthy"
        self._leaked: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._backend: Backend | None = None
        self._on_hand = OnHand(os.environ.get("WORK_INFLIGHT_DIR"))
        self._executions = Executions(os.environ.get("WORK_EXECUTIONS"))
        own = {"x-replica": REPLICA, "x-pid": str(os.getpid()), "x-release": os.environ.get("LAMP_RELEASE")}
        self._own = [(name.encode(), value.encode()) for name, value in own.items() if value]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self.mode == "hang" and scope["path"] != "/control":
            await asyncio.Event().wait()
        elif scope["type"] == "websocket":
            await self._echo(receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        # Blocks like the import of a model would; nothing listens meanwhile.
        time.sleep(float(os.environ.get("START_S", "0")))  # noqa: ASYNC251
        self._backend = Backend()
        async with self._backend.serving():
            self._later(
                float(os.environ.get("WORK_MODE_AFTER_S", "0")), os.environ.get("WORK_MODE", "healthy")
            )
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        match scope["path"]:
            case "/healthz":
                await self._json(send, 500 if self.mode == "sick" else 200, {"mode": self.mode})
            case "/control":
                await self._json(send, *self._control(query.get("mode", "")))
            case _ if self.mode == "lie":
                await self._json(send, 500, {"error": "this replica lies about its health"})
            case "/work":
                await self._work(scope, query, receive, send)
            case "/stream":
                await self._stream(float(query.get("seconds", "20")), send)
            case "/inflight":
                names = ("requests", "streams", "websockets")
                await self._json(send, 200, dict(zip(names, self._on_hand.counts(), strict=True)))
            case _:
                await self._json(send, 404, {"error": "there is nothing here"})

    async def _work(self, scope: Scope, query: dict[str, str], receive: Receive, send: Send) -> None:
        headers: Headers = dict(scope["headers"])
        identity = (headers.get(b"idempotency-key") or headers.get(b"x-load-id") or b"").decode("latin-1")
        ms = float(query["ms"]) if "ms" in query else service_ms(identity or str(random.random()))
        unsafe = scope["method"] == "POST"
        with self._on_hand.one(REQUESTS):
            if unsafe:
                await _whole_body(receive)
                self._executions.note("began", identity)
            assert self._backend is not None, "lifespan has run"
            found = digest(await self._backend.page(ms))
            if unsafe:
                self._executions.note("done", identity)
            await self._json(send, 200, {"ms": round(ms, 1), "digest": found})

    async def _stream(self, seconds: float, send: Send) -> None:
        with self._on_hand.one(STREAMS):
            await self._head(
                send, 200, [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
            )
            until, sent = time.monotonic() + seconds, 0
            while (left := until - time.monotonic()) > 0:
                await _body(send, f"data: {sent}\n\n".encode(), more=True)
                await asyncio.sleep(min(left, EVENT_EVERY_S))
                sent += 1
            await _body(send, f"event: end\ndata: {sent}\n\n".encode())

    async def _echo(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "headers": self._own})
        with self._on_hand.one(WEBSOCKETS):
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message.get("text") or ""})

    def _control(self, mode: str) -> tuple[int, dict[str, object]]:
        if mode not in MODES:
            return 400, {"error": f"mode must be one of {', '.join(MODES)}"}
        self._later(0.02, mode)
        return 200, {"mode": mode}

    def _later(self, seconds: float, mode: str) -> None:
        asyncio.get_running_loop().call_later(seconds, self._turn, mode)

    def _turn(self, mode: str) -> None:
        assert mode in MODES, f"WORK_MODE must be one of {', '.join(MODES)}"
        self.mode = mode
        if mode == "crash":
            os._exit(CRASHED)
        if mode == "freeze":
            time.sleep(3600)
        if mode == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if mode == "leak":
            task = asyncio.create_task(self._leak())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _leak(self) -> None:
        while self.mode == "leak":
            self._leaked.append(b"x" * int(LEAK_BYTES_PER_S * LEAK_EVERY_S))
            await asyncio.sleep(LEAK_EVERY_S)

    async def _json(self, send: Send, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        length = str(len(body)).encode()
        await self._head(send, status, [(b"content-type", b"application/json"), (b"content-length", length)])
        await _body(send, body)

    async def _head(self, send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        requests = str(sum(self._on_hand.counts())).encode()
        own = [*self._own, (b"x-inflight", requests)]
        await send({"type": "http.response.start", "status": status, "headers": [*headers, *own]})


async def _body(send: Send, data: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def _whole_body(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        continue


app = App()

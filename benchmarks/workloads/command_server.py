"""A prototype to measure with that is a plain command: threads, the standard library, and `$PORT`.

    GET|POST /work[?ms=N]           N milliseconds of service, else 20 to 500 (mean 100), by the request's id
    GET /stream?seconds=S           server-sent events every half second, the last one named `end`
    GET /healthz, GET /inflight     health; requests on hand
    POST /control?mode=MODE         healthy | sick | lie | hang | crash | stubborn

Environment: PORT; HOST (127.0.0.1); START_S seconds before it listens (0); WORK_SLOTS (16); WORK_SEED (1);
WORK_MODE; WORK_EXECUTIONS, a file that gets a line `began|done ID PID MOMENT` for each POST; LAMP_REPLICA
(the pid if unset), sent back as `x-replica`, beside `x-pid`. On SIGTERM it takes no more connections,
finishes what it has, and ends.
"""

import hashlib
import json
import os
import random
import selectors
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SEED = os.environ.get("WORK_SEED", "1")
SLOTS = threading.BoundedSemaphore(int(os.environ.get("WORK_SLOTS", "16")))
REPLICA = os.environ.get("LAMP_REPLICA") or str(os.getpid())
SHORTEST_MS, LONGEST_MS = 20.0, 500.0
# A log-normal of median 80 ms and sigma 0.68, held between the two, has a mean of 100 ms.
MEDIAN_LOG_MS, SIGMA = 4.382, 0.68
EVENT_EVERY_S = 0.5
IDLE_S = 60.0
CRASHED = 3
MODES = ("healthy", "sick", "lie", "hang", "crash", "stubborn")


def service_ms(identity: str) -> float:
    """The service time of a request in milliseconds: the same for the same id, wherever it runs."""
    drawn = random.Random(f"{SEED}:{identity}").lognormvariate(MEDIAN_LOG_MS, SIGMA)
    return min(LONGEST_MS, max(SHORTEST_MS, drawn))


class State:
    """What the threads share: the mode, the number of requests on hand, the file of executions."""

    def __init__(self) -> None:
        self.mode = os.environ.get("WORK_MODE", "healthy")
        self.ending = False
        self.on_hand = 0
        self._lock = threading.Lock()
        path = os.environ.get("WORK_EXECUTIONS")
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if path else None

    @contextmanager
    def one(self) -> Iterator[None]:
        """One more on hand, for as long as the body lasts."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def note(self, event: str, identity: str) -> None:
        """Append a line to the file of executions, in one write."""
        if self._file is not None:
            os.write(self._file, f"{event} {identity} {os.getpid()} {time.monotonic():.6f}\n".encode())

    def turn(self, mode: str) -> None:
        """Begin to behave in this way."""
        self.mode = mode
        if mode == "crash":
            os._exit(CRASHED)

    def _add(self, step: int) -> None:
        with self._lock:
            self.on_hand += step


STATE = State()


class Slow(threading.Thread):
    """The backend: one end of a socket pair a request, answered when its time has come, by one thread."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._wake, self._woken = socket.socketpair()
        self._lock = threading.Lock()
        self._due: list[tuple[float, socket.socket]] = []

    def wait(self, ms: float) -> None:
        """Ask, and block until the answer is there."""
        mine, its = socket.socketpair()
        with mine, its:
            with self._lock:
                self._due.append((time.monotonic() + ms / 1000, its))
            self._wake.send(b".")
            mine.recv(1)

    def run(self) -> None:
        """Answer what is due, then sleep until the next is, or until somebody asks."""
        selector = selectors.DefaultSelector()
        selector.register(self._woken, selectors.EVENT_READ)
        while True:
            with self._lock:
                ripe = [entry for entry in self._due if entry[0] <= time.monotonic()]
                self._due = [entry for entry in self._due if entry not in ripe]
                next_at = min((at for at, _ in self._due), default=time.monotonic() + 1)
            for _, its in ripe:
                its.send(b".")
            if selector.select(max(0.0, next_at - time.monotonic())):
                self._woken.recv(4096)


BACKEND = Slow()


def look_up(identity: str) -> str:
    """A little honest processor time: a table of its own, a query, a hash."""
    with sqlite3.connect(":memory:") as shelf:
        shelf.execute("create table book (id integer primary key, title text)")
        shelf.executemany("insert into book (title) values (?)", [(f"{identity} {n}",) for n in range(50)])
        titles = shelf.execute("select group_concat(title) from book where id % 2").fetchone()[0]
    shelf.close()
    return hashlib.sha256(titles.encode()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """One connection; HTTP/1.1 with keep-alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_S
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer a GET."""
        with STATE.one():
            self._answer()

    def do_POST(self) -> None:
        """Answer a POST."""
        with STATE.one():
            self.rfile.read(int(self.headers.get("content-length", "0")))
            self._answer()

    def log_message(self, *_: Any) -> None:
        """Keep quiet: a line a request would be the dearest part of it."""

    def _answer(self) -> None:
        asked = urlsplit(self.path)
        query = dict(parse_qsl(asked.query))
        if STATE.mode == "hang" and asked.path != "/control":
            threading.Event().wait()
        match asked.path:
            case "/healthz":
                self._json(500 if STATE.mode == "sick" else 200, {"mode": STATE.mode})
            case "/control":
                self._control(query.get("mode", ""))
            case _ if STATE.mode == "lie":
                self._json(500, {"error": "this replica lies about its health"})
            case "/work":
                self._work(query)
            case "/stream":
                self._stream(float(query.get("seconds", "20")))
            case "/inflight":
                self._json(200, {"requests": STATE.on_hand - 1})
            case _:
                self._json(404, {"error": "there is nothing here"})

    def _work(self, query: dict[str, str]) -> None:
        identity = self.headers.get("idempotency-key") or self.headers.get("x-load-id") or ""
        ms = float(query["ms"]) if "ms" in query else service_ms(identity or str(random.random()))
        unsafe = self.command == "POST"
        if unsafe:
            STATE.note("began", identity)
        with SLOTS:
            BACKEND.wait(ms)
            found = look_up(identity)
        if unsafe:
            STATE.note("done", identity)
        self._json(200, {"ms": round(ms, 1), "digest": found})

    def _stream(self, seconds: float) -> None:
        self._head(200, "text/event-stream", {"transfer-encoding": "chunked"})
        until, sent = time.monotonic() + seconds, 0
        while (left := until - time.monotonic()) > 0:
            self._chunk(f"data: {sent}\n\n")
            time.sleep(min(left, EVENT_EVERY_S))
            sent += 1
        self._chunk(f"event: end\ndata: {sent}\n\n")
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _control(self, mode: str) -> None:
        if mode not in MODES:
            self._json(400, {"error": f"mode must be one of {', '.join(MODES)}"})
            return
        self._json(200, {"mode": mode})
        STATE.turn(mode)

    def _json(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self._head(status, "application/json", {"content-length": str(len(body))})
        self.wfile.write(body)
        self.wfile.flush()

    def _chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())
        self.wfile.flush()

    def _head(self, status: int, kind: str, more: dict[str, str]) -> None:
        self.send_response(status)
        own = {"content-type": kind, "x-replica": REPLICA, "x-pid": str(os.getpid())}
        if STATE.ending:
            own["connection"] = "close"
            self.close_connection = True
        for name, value in {**own, **more}.items():
            self.send_header(name, value)
        self.end_headers()


class Server(ThreadingHTTPServer):
    """A thread a connection; those of idle ones do not hold up the end."""

    daemon_threads = True
    request_queue_size = 512


def main() -> None:
    """Listen until SIGTERM, then finish what is on hand."""
    signal.signal(signal.SIGTERM, _end)
    time.sleep(float(os.environ.get("START_S", "0")))
    STATE.turn(STATE.mode)
    BACKEND.start()
    with Server((os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])), Handler) as server:
        threading.Thread(target=_end_when_asked, args=(server,), daemon=True).start()
        server.serve_forever(poll_interval=0.05)
        server.socket.close()
        while STATE.on_hand:
            time.sleep(0.02)


def _end(*_: object) -> None:
    if STATE.mode != "stubborn":
        STATE.ending = True


def _end_when_asked(server: Server) -> None:
    while not STATE.ending:
        time.sleep(0.05)
    server.shutdown()


if __name__ == "__main__":
    main()

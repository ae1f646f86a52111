"""Real parts for the gateway's tests: Envoy, replicas as processes, and a client that never retries."""

import asyncio
import contextlib
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lamplighter.targets.local.gateway import (
    Backend,
    Check,
    Endpoint,
    Route,
    Table,
    command,
    failure,
    render,
    statistics,
    write,
)

UPSTREAM = Path(__file__).with_name("upstream.py")
QUICK = Check(path="/healthz")
WITHIN_S = 60.0
"""Far more than anything here takes, for a machine that has other things to do."""


class Upstream:
    """One replica, a process of its own."""

    def __init__(self, name: str, *options: str) -> None:
        self.name = name
        line = [sys.executable, "-I", "-S", str(UPSTREAM), name, *options]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._port = 0

    @property
    def port(self) -> int:
        """Where it listens; waits until it does."""
        if not self._port:
            assert self.process.stdout
            self._port = int(self.process.stdout.readline())
        return self._port

    def send(self, what: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(what)

    def kill(self) -> None:
        """SIGKILL, and reap it."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def endpoint(self, **more: object) -> Endpoint:
        """Its place in a table."""
        return Endpoint(self.name, self.port, **more)  # type: ignore[arg-type]


@dataclass
class Gateway:
    """Envoy in a folder of its own, with one backend `search` behind `/search` unless told otherwise."""

    folder: Path
    table: Table = field(default_factory=lambda: Table(port=1))
    process: subprocess.Popen[bytes] | None = None

    def start(self, *endpoints: Endpoint, **settings: object) -> None:
        """Start with these endpoints; another port is tried if one is taken meanwhile."""
        for _ in range(5):
            backend = Backend(name="search", endpoints=endpoints, **{"check": QUICK, **settings})  # type: ignore[arg-type]
            self.table = Table(
                port=free_port(),
                internal_port=free_port(),
                backends=(backend,),
                routes=(Route("/search", "search"),),
            )
            write(self.folder, render(self.table))
            self.spawn()
            if self.serves():
                return
            assert failure(self.log()).kind == "port-taken", self.log()
        raise AssertionError("no free port in five tries")

    def spawn(self) -> None:
        """Start Envoy as a supervisor would."""
        with (self.folder / "envoy.log").open("ab") as log:
            self.process = subprocess.Popen(command(), cwd=self.folder, stderr=log)

    def serves(self, within_s: float = WITHIN_S) -> bool:
        """Wait until the public port answers; False if Envoy ended instead."""
        assert self.process
        until = time.monotonic() + within_s
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.table.port), 1).close()
                return self.process.poll() is None
            time.sleep(0.01)
        return False

    def apply(self, *endpoints: Endpoint, **changes: object) -> None:
        """Replace the backend's endpoints, and other settings if given."""
        backend = msgspec.structs.replace(self.table.backends[0], endpoints=endpoints, **changes)
        self.table = msgspec.structs.replace(self.table, backends=(backend,))
        write(self.folder, render(self.table))

    def read(self) -> statistics.ServiceReading:
        """What the gateway counted for the backend."""
        return statistics.read(self.folder).services["search"]

    def healthy(self) -> set[str]:
        """Who is in rotation."""
        return {e.id for e in self.read().endpoints.values() if e.health == "healthy" and not e.ejected}

    def log(self) -> str:
        """What Envoy wrote to its standard error."""
        return (self.folder / "envoy.log").read_text()

    def kill(self) -> None:
        """SIGKILL, and reap it."""
        if self.process:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Answer:
    """What a client got: status 0 if no headers came; `whole` if the body came to its proper end."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False
    seconds: float = 0.0

    @property
    def origin(self) -> str:
        """The replica that answered."""
        return self.headers.get("x-from", "")

    @property
    def reason(self) -> str:
        """Why the gateway itself answered, if it did."""
        return self.headers.get("x-lamp-reason", "")


async def ask(
    port: int,
    path: str,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    patience_s: float = 15.0,
) -> Answer:
    """One request on a connection of its own, sent once."""
    began = time.monotonic()
    lines = {"host": "test", "connection": "close", "content-length": str(len(body)), **(headers or {})}
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
    raw = b""
    writer = None
    try:
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode() + body)
            while part := await reader.read(65536):
                raw += part
    except (OSError, TimeoutError):
        pass
    finally:
        if writer:
            writer.close()
    return _parsed(raw, time.monotonic() - began)


def _parsed(raw: bytes, seconds: float) -> Answer:
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found:
        return Answer(seconds=seconds)
    first, *lines = head.decode().split("\r\n")
    headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
    if "content-length" in headers:
        whole = len(body) == int(headers["content-length"])
    else:
        whole = body.endswith(b"0\r\n\r\n")
    return Answer(int(first.split(" ")[1]), headers, body, whole, seconds)


async def load(
    port: int, path: str, *, rate: float, seconds: float, method: str = "GET", **more: object
) -> list[Answer]:
    """Requests at a steady rate however slow the answers are (open loop), and all their answers."""
    tasks = []
    began = time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(began + number / rate - time.monotonic())
        tasks.append(asyncio.create_task(ask(port, path, method, **more)))  # type: ignore[arg-type]
    return list(await asyncio.gather(*tasks))


async def until(true: Callable[[], bool], within_s: float = WITHIN_S) -> float:
    """Wait until it is so; the time it took.

    Raises:
        AssertionError: it did not become so in time.
    """
    began = time.monotonic()
    while not await asyncio.to_thread(true):
        assert time.monotonic() - began < within_s, f"not so within {within_s} s"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def failed(answers: list[Answer]) -> list[Answer]:
    """The answers that did not come, not whole, or with 5xx."""
    return [answer for answer in answers if not answer.whole or answer.status == 0 or answer.status >= 500]


def free_port() -> int:
    """A port nobody listens on, outside the range the system itself hands out."""
    while True:
        port = random.randrange(10_000, 32_000)  # noqa: S311 - not a secret
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port

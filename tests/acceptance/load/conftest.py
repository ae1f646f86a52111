"""A server that misbehaves on request, and real processes of the workloads."""

import asyncio
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RESET = struct.pack("ii", 1, 0)


def answer(status: int, body: str = "fine", more: str = "", length: int | None = None) -> bytes:
    """An HTTP answer, with a length that may lie."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status} X\r\ncontent-length: {size}\r\n{more}\r\n{body}".encode()


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-replica: a\r\nx-pid: 77\r\n\r\n3\r\nabc\r\n"
SCRIPTS: dict[str, list[bytes | float | str]] = {
    "/ok": [answer(200, more="x-replica: a\r\nx-pid: 77\r\n")],
    "/work": [answer(200)],
    "/500": [answer(500, more="x-lamp-reason: no-replica\r\n")],
    "/404": [answer(404)],
    "/reset": ["reset"],
    "/close": ["close"],
    "/cut-length": [answer(200, length=100), "close"],
    "/cut-reset": [answer(200, length=100), 0.05, "reset"],
    "/cut-chunked": [CHUNKED, "close"],
    "/until-closed": [b"HTTP/1.1 200 OK\r\n\r\nall of it", "close"],
    "/nonsense": [b"HALLO\r\n\r\n", "close"],
    "/late-headers": [0.5, answer(200)],
    "/late-body": [answer(200, length=8), 0.5, b"done"],
    "/never": [30.0],
    "/stuck-body": [answer(200, length=100), 30.0],
    "/stream": [CHUNKED, 0.6, b"a\r\nevent: end\r\n0\r\n\r\n"],
    "/stream-no-end": [CHUNKED, 0.1, b"0\r\n\r\n"],
    "/stream-cut": [CHUNKED, 0.1, "reset"],
}


class Scripted:
    """Serves the scripts on a loopback port from a thread of its own and notes when requests came."""

    def __init__(self) -> None:
        self.arrived_at: list[float] = []
        self.heads: list[str] = []
        self.connections = 0
        self.stall_until = 0.0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.arrived_at.append(time.monotonic())
                self.heads.append(head)
                if "content-length" in head:
                    await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
                await asyncio.sleep(max(0.0, self.stall_until - time.monotonic()))
                await self._play(SCRIPTS[head.split(" ")[1]], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _play(self, script: list[bytes | float | str], writer: asyncio.StreamWriter) -> None:
        for step in script:
            match step:
                case bytes():
                    writer.write(step)
                    await writer.drain()
                case float():
                    await asyncio.sleep(step)
                case "reset":
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    writer.transport.abort()
                case _:
                    writer.close()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A scripted server on a free port."""
    server = Scripted()
    yield server
    server.close()


Start = Callable[..., tuple[subprocess.Popen[bytes], str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a workload with an environment, waits until it listens, and kills it in the end."""
    processes: list[subprocess.Popen[bytes]] = []

    def started(workload: str, **environment: str) -> tuple[subprocess.Popen[bytes], str]:
        port = free_port()
        folder = ROOT / "benchmarks" / "workloads"
        command = [sys.executable, str(folder / "command_server.py")]
        if workload == "work":
            command = [
                sys.executable, "-m", "uvicorn", "work:app", "--app-dir", str(folder), "--port", str(port),
                "--log-level", "warning",
            ]  # fmt: skip
        process = subprocess.Popen(command, env={**os.environ, "PORT": str(port), **environment})
        processes.append(process)
        url = f"http://127.0.0.1:{port}"
        wait_until_up(url)
        return process, url

    yield started
    for process in processes:
        process.kill()
        process.wait()


def wait_until_up(url: str) -> None:
    """Return when the port answers at all; a slow machine is given 20 s."""
    until = time.monotonic() + 20
    port = int(url.rsplit(":", 1)[1])
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"{url} never listened")


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def unused_port() -> int:
    """A port nobody listens on."""
    return free_port()


@pytest.fixture
def fetch() -> Callable[[str, str], tuple[int, bytes]]:
    """Makes one plain request: method and url to status and body."""

    def fetched(method: str, url: str) -> tuple[int, bytes]:
        request = urllib.request.Request(url, method=method, data=b"" if method == "POST" else None)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=5) as found:
                return found.status, found.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    return fetched

"""Real servers for the benchmarks: uvicorn in a process of its own, ended whatever happens."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from benchmarks.report import ROOT

START_S = 20.0


class Server:
    """One app on a port of its own; the port stays when it is killed and started again."""

    def __init__(self, app: str, settings: dict[str, Any]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._app = app
        self._settings = settings
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it and wait until it accepts connections."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "uvicorn", f"benchmarks.resilience.apps:{self._app}", "--factory",
            "--port", str(self.port), "--log-level", "error", "--no-access-log",
            cwd=ROOT, stdout=DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT), "APP": json.dumps(self._settings)},
        )  # fmt: skip
        async with asyncio.timeout(START_S):
            while not await self._accepts():  # noqa: ASYNC110 - another process says nothing
                await asyncio.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self) -> None:
        """Kill it, stopped or not, and wait for its end."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def get(self, path: str) -> Any:
        """Ask for JSON, on a connection of its own."""
        return json.loads(await asyncio.wait_for(self._ask(path), START_S))

    async def _ask(self, path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\r\n\r\n")[2]

    async def _accepts(self) -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False


@asynccontextmanager
async def servers(*wanted: Server) -> AsyncIterator[None]:
    """Run servers during the body."""
    try:
        for each in wanted:
            await each.start()
        yield
    finally:
        for each in wanted:
            await each.end()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])

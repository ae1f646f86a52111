"""Starts the example as its users do: uvicorn, a process of its own, a port of its own."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parents[3] / "examples" / "library"


@dataclass(frozen=True)
class Server:
    """A running copy."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def request(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON of one request on a connection of its own."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())

    def wait_until_loaded(self, timeout_s: float = 30) -> dict[str, Any]:
        """What /healthz says once it is 200."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            assert self.process.poll() is None, "the server ended while it started"
            try:
                status, health = self.request("/healthz")
            except OSError:
                status = 0
            if status == 200:
                return dict(health)
            time.sleep(0.02)
        raise TimeoutError(f"not loaded after {timeout_s} s")


Start = Callable[..., Server]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all copies of this run."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def start(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts copies with the given variables; ends what is left of them."""
    started: list[subprocess.Popen[bytes]] = []
    logs = tmp_path_factory.mktemp("logs")

    def one(**variables: str) -> Server:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "library.search:app", "--port", str(port)]
        environ = {**os.environ, "LIBRARY_CACHE": str(cache), **variables}
        log = logs / f"{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=HOME, env=environ, stdout=output, stderr=output)
        started.append(process)
        return Server(process, port, log)

    yield one
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server(start: Start) -> Server:
    """One copy that has loaded its index."""
    server = start()
    server.wait_until_loaded()
    return server

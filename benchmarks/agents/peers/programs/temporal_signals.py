"""Temporal: a workflow an agent; a message is a signal, acknowledged when it is in the workflow's history."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

CHUNK = 50
QUEUE = "readers"
START_S = 60.0
STOP_S = 15.0
WORK = "import sys, temporal_signals; temporal_signals.work(sys.argv[1])"


@workflow.defn
class Reader:
    """Counts what it is asked and keeps the last question; Temporal replays it from its history."""

    def __init__(self) -> None:
        self.seen = 0
        self.last = ""

    @workflow.run
    async def run(self) -> None:
        """Live for ever."""
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def on_ask(self, text: str) -> None:
        """Count one question."""
        self.seen += 1
        self.last = text

    @workflow.query
    def count(self) -> int:
        """Return how many questions there were."""
        return self.seen


def work(address: str) -> None:
    """Run a worker for ever; the main function of its process."""

    async def worker() -> None:
        client = await Client.connect(address)
        await Worker(client, task_queue=QUEUE, workflows=[Reader]).run()

    asyncio.run(worker())


class Program:
    """A development server on a SQLite file and a worker, a process each; this one is the client."""

    rest_s = 1.0

    def __init__(self) -> None:
        self.forms = {"sequential": (1, self._signal), "pipelined": (CHUNK, self._signal)}
        self._agents: list[WorkflowHandle[Any, Any]] = []
        self._processes: list[asyncio.subprocess.Process] = []

    async def start(self, folder: Path) -> None:
        """Start server and worker, and connect."""
        port = _free_port()
        address = f"127.0.0.1:{port}"
        server = Path(sys.executable).parent / "temporal"
        options = f"server start-dev --headless --ip 127.0.0.1 --port {port} --log-level error".split()
        await self._begin(folder / "server.log", str(server), *options, "--db-filename", str(folder / "db"))
        self._client = await _connected(address)
        await self._begin(folder / "worker.log", sys.executable, "-c", WORK, address)

    async def make(self, agents: range) -> None:
        """Start a workflow an agent and wait until each answers."""
        for number in agents:
            agent = await self._client.start_workflow(Reader.run, id=f"reader-{number}", task_queue=QUEUE)
            await agent.query(Reader.count)
            self._agents.append(agent)

    async def handled(self) -> int:
        """Return the sum of all counts."""
        return sum([await each.query(Reader.count) for each in self._agents])

    async def stop(self) -> None:
        """End the worker, then the server."""
        for process in reversed(self._processes):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_S)

    async def _begin(self, log: Path, *command: str) -> None:
        with log.open("wb") as out:
            self._processes.append(
                await asyncio.create_subprocess_exec(
                    *command, stdout=out, stderr=out, cwd=Path(__file__).parent
                )
            )

    async def _signal(self, agents: Sequence[int], text: str) -> None:
        await asyncio.gather(*(self._agents[each].signal(Reader.on_ask, text) for each in agents))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _connected(address: str) -> Client:
    async with asyncio.timeout(START_S):
        while True:
            try:
                return await Client.connect(address)
            except RuntimeError:  # nobody listens yet
                await asyncio.sleep(0.2)

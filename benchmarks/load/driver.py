"""Runs the generator in a process of its own and hands its events to the driver as they come."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from benchmarks.load.generator import Event, Progress, Started
from benchmarks.load.sample import Sample
from benchmarks.load.tally import Report
from benchmarks.load.traffic import Traffic
from benchmarks.report import ROOT

READ_BYTES = 1 << 18
QUIT_S = 5.0
START_S = 20.0
"""A generator that has not said `started` by then will not; a loaded machine takes 2 s."""

Watch = Callable[[Event], None]


class GeneratorError(Exception):
    """The generator ended without a report; the message is what it said last."""


class Load:
    """A run under way.

    Attributes:
        started_at: the monotonic moment of offset 0.
        samples: every request that has ended, in the order they ended, if they are to be kept.
        progress: the latest progress; None in the first second.
        pid: of the generator's process.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, watch: Watch | None, *, keep: bool = True
    ) -> None:
        self._process = process
        self._watch = watch
        self._keep = keep
        self._report: Report | None = None
        self._began = asyncio.Event()
        self.started_at = 0.0
        self.samples: list[Sample] = []
        self.progress: Progress | None = None
        self.pid = process.pid
        self._reading = asyncio.create_task(self._read())

    async def finished(self) -> Report:
        """Wait until all was sent and answered, and return the report.

        Raises:
            GeneratorError: the generator died, or refused the traffic.
        """
        await self._reading
        await self._process.wait()
        if self._report is None:
            said = await self._process.stderr.read() if self._process.stderr else b""
            raise GeneratorError(
                f"the generator gave no report: {said.decode(errors='replace').strip()[-2000:]}"
            )
        return self._report

    async def stop(self) -> Report:
        """Send nothing more, wait for what is under way, and return the report."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        return await self.finished()

    async def began(self) -> float:
        """Wait until the generator is up; returns `started_at`.

        Raises:
            GeneratorError: it is not up after `START_S`.
        """
        waiting = asyncio.ensure_future(self._began.wait())
        await asyncio.wait([waiting, self._reading], timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        if not self._began.is_set():
            waiting.cancel()
            if self._reading.done():
                await self.finished()
            raise GeneratorError(f"the generator did not start within {START_S:.0f} s")
        return self.started_at

    async def end(self) -> None:
        """Make sure that no process is left, however the run went."""
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(QUIT_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._reading.cancel()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        decoder = msgspec.json.Decoder(Event)
        rest = b""
        while data := await self._process.stdout.read(READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._take(decoder.decode(line))

    def _take(self, event: Event) -> None:
        match event:
            case Sample():
                if self._keep:
                    self.samples.append(event)
            case Progress():
                self.progress = event
            case Started():
                self.started_at = event.started_at
                self._began.set()
            case Report():
                self._report = event
        if self._watch is not None:
            self._watch(event)


@asynccontextmanager
async def running(traffic: Traffic, watch: Watch | None = None, *, keep: bool = True) -> AsyncIterator[Load]:
    """Start a run, give it to the body once it is under way, and leave no process behind.

    Args:
        traffic: what to send.
        watch: is called with every event as it comes; must not block.
        keep: whether `samples` are kept; a run of hours has too many.

    Raises:
        GeneratorError: it did not start.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load", "--traffic", "-", "--json",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, limit=4 * READ_BYTES,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(traffic) + b"\n")
    load = Load(process, watch, keep=keep)
    try:
        await load.began()
        yield load
    finally:
        await load.end()


async def measured(traffic: Traffic, watch: Watch | None = None) -> Report:
    """Run the traffic from beginning to end and return its report.

    Raises:
        GeneratorError: the generator died, or refused the traffic.
    """
    async with running(traffic, watch) as load:
        return await load.finished()

"""A system that an earlier version brought up and this one takes over: both commands, real traffic."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from examples.demo import leftovers
from examples.demo.traffic import Answer, Traffic
from examples.demo.workplace import SERVICE, Tuning, Workplace, _free_port
from tests.acceptance.cli.conftest import Ran
from websockets.asyncio.client import connect

COMMAND_S = 180.0
LOOK_S = 0.1
RATE = 20.0
"""Questions a second: enough that an interruption of a tenth of a second meets two."""


class Stage(Workplace):
    """The demo's workplace, with the commands of two versions."""

    def __init__(self, folder: Path, old: Path) -> None:
        """Furnish a folder; `old` is where the earlier version's commands are."""
        super().__init__(folder, _free_port())
        self._commands = {"old": old / "lamp", "new": Path(sys.executable).with_name("lamp")}
        self.furnish(Tuning(bake_s=0.2))
        self.processes: set[leftovers.Process] = set()

    async def ran(self, version: str, *words: str) -> Ran:
        """Run `lamp` of the `old` or the `new` version in the prototype's folder; any exit code will do."""
        command = [self._commands[version], *words]
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.prototype,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(COMMAND_S):
            out, err = await process.communicate()
        self.processes |= await asyncio.to_thread(leftovers.processes, self.folder)
        ran = Ran(process.returncode or 0, out.decode(), err.decode())
        assert "Traceback" not in ran.err, ran.err
        return ran

    async def did(self, version: str, *words: str) -> Ran:
        """Run `lamp`; it must succeed."""
        ran = await self.ran(version, *words)
        assert ran.code == 0, f"{version} lamp {' '.join(words)}: {ran}"
        return ran

    async def status(self, version: str = "new") -> Any:
        """Return the status as programs see it."""
        return (await self.did(version, "status", "--json")).json

    async def until(self, holds: Callable[[Any], bool], what: str, within_s: float = 30.0) -> Any:
        """Look at the status until something holds."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            status = await self.status()
            if holds(status):
                return status
            await asyncio.sleep(LOOK_S)
        raise AssertionError(f"not within {within_s} s: {what}; {status}")

    async def kill_maintainer(self) -> None:
        """SIGKILL the maintainer."""
        os.kill((await self.status())["holder"]["pid"], signal.SIGKILL)

    async def kill_a_replica(self) -> None:
        """SIGKILL the first replica that serves, and wait until as many serve again without it."""
        before = pids(await self.status())
        name = min(before)
        os.kill(before[name], signal.SIGKILL)
        await self.until(
            lambda seen: len(pids(seen)) == len(before) and name not in pids(seen), f"{name} was replaced"
        )

    def spec(self, was: str, becomes: str) -> None:
        """Change lamp.yaml."""
        place = self.prototype / "lamp.yaml"
        text = place.read_text(encoding="utf-8")
        assert was in text, was
        place.write_text(text.replace(was, becomes), encoding="utf-8")

    def supervisor(self) -> int:
        """Return the supervisor's pid."""
        return self._marked("lamplighter.targets.local.supervisor")

    def gateway(self) -> int:
        """Return Envoy's pid."""
        return self._marked("bootstrap.json")

    def left(self) -> list[str]:
        """Return, in words, all that is left of the system."""
        return leftovers.left(self.folder, self.processes, self.port, leftovers.memory_of(self.state))

    def url(self, path: str, scheme: str = "http") -> str:
        """Return the address of a path of the service."""
        return f"{scheme}://127.0.0.1:{self.port}/{SERVICE}{path}"

    def streamed(self, seconds: float) -> list[str]:
        """Return the events of one stream that lasts so long, to its end."""
        with urllib.request.urlopen(
            self.url(f"/stream?q=zip&seconds={seconds:g}&k=10"), timeout=60
        ) as answer:
            lines = answer.read().decode().splitlines()
        return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]

    async def spoke(self, seconds: float) -> None:
        """Ask over one WebSocket, twice a second for so long; each question must be answered."""
        until = time.monotonic() + seconds
        async with connect(self.url("/ws", "ws"), proxy=None) as talk:
            while time.monotonic() < until:
                await talk.send("zip")
                async with asyncio.timeout(5.0):
                    assert json.loads(await talk.recv())["question"] == "zip"
                await asyncio.sleep(0.5)

    def _marked(self, word: str) -> int:
        found = [
            each.pid
            for each in leftovers.processes(self.folder)
            if word in Path(f"/proc/{each.pid}/cmdline").read_text(encoding="utf-8")
        ]
        assert len(found) == 1, (word, found)
        return found[0]


@contextlib.asynccontextmanager
async def on_stage(old: Path, folder: Path | None = None) -> AsyncIterator[Stage]:
    """Yield a stage, in a folder that must not exist; whatever happens, nothing is left of it."""
    folder = folder or Path(tempfile.mkdtemp(prefix="lamp-upgrade-"))
    folder.mkdir(exist_ok=True)
    stage = Stage(folder, old)
    try:
        yield stage
    finally:
        await asyncio.to_thread(leftovers.end_all, folder, leftovers.memory_of(stage.state))
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def asking(stage: Stage) -> AsyncIterator[Traffic]:
    """Ask real questions, none of them twice, for as long as the block runs."""
    questions = await stage.run(sys.executable, "-m", "library.questions")
    traffic = Traffic(stage.port, questions.out.splitlines())
    traffic.start(RATE)
    try:
        yield traffic
        await traffic.stop()
    finally:
        traffic.close()


def failures(traffic: Traffic) -> list[Answer]:
    """Return the questions that failed; there must have been questions."""
    assert len(traffic.answers) > RATE
    return traffic.failed()


def pids(status: Any) -> dict[str, int]:
    """Return the pids of the replicas that serve, by name."""
    return {each["id"]: each["pid"] for each in status["replicas"] if each.get("ready") is True}

"""The test stand: one system kept by the real `lamp` command, in folders of its own, cleaned up in any case.

Each part of the benchmark asks for one; nothing here knows what is measured.
"""

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.load import InFlightFiles
from benchmarks.local.processes import MAINTAINER, SUPERVISOR, Process, end_all, marked
from benchmarks.local.spec import SERVICE, SYSTEM, Wish, spec
from benchmarks.report import ROOT, CannotRunError
from lamplighter.app.client import Client
from lamplighter.model.errors import LampError
from lamplighter.targets.local.client import Client as SupervisorClient
from lamplighter.targets.local.supervisor.protocol import Observe, Observed

WORK = ROOT / "benchmarks" / "workloads" / "work.py"
LOOK_S = 0.05
COMMAND_WAIT_S = 400.0


class StandError(Exception):
    """The system under test did not do what every part relies on; the message says what it said."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One command that ended."""

    code: int
    out: str
    err: str
    took_s: float


class Stand:
    """One system: its project folder, its state folder, its port, and what of it is alive."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.state_root = folder / "state"
        self.state = self.state_root / SYSTEM
        self.temporary = folder / "tmp"
        self.executions = folder / "executions"
        for each in (self.project, self.state_root, self.temporary):
            each.mkdir()
        shutil.copy(WORK, self.project / "work.py")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.in_flight = InFlightFiles(folder / "inflight")
        self._own = {"WORK_INFLIGHT_DIR": str(folder / "inflight"), "WORK_EXECUTIONS": str(self.executions)}
        self._client = Client(self.state, timeout_s=2.0)
        self._supervisor = SupervisorClient(self.state, SYSTEM)

    # --- the command

    async def lamp(self, *arguments: str) -> Ran:
        """Run `lamp` in the project's folder and return how it ended, whatever its code."""
        return await command([lamp_command(), *arguments], self.project, self.environment())

    async def must(self, *arguments: str) -> Ran:
        """Run `lamp`.

        Raises:
            StandError: it ended with another code than 0.
        """
        ran = await self.lamp(*arguments)
        if ran.code:
            raise StandError(f"lamp {' '.join(arguments)} ended with {ran.code}: {ran.err[-1500:]}")
        return ran

    async def up(self, wish: Wish) -> Ran:
        """Write the spec and bring the system to it; returns when all is as wanted."""
        whole = replace(wish, env={**self._own, **wish.env})
        (self.project / "lamp.yaml").write_text(spec(whole, self.port), encoding="utf-8")
        return await self.must("up", "-d", "-y")

    def environment(self) -> dict[str, str]:
        """The environment of every command; TMPDIR marks all that comes of it."""
        own = {"LAMP_STATE_DIR": str(self.state_root), "TMPDIR": str(self.temporary)}
        return {**{n: v for n, v in os.environ.items() if not n.startswith("LAMP_")}, **own}

    # --- what is there

    async def status(self) -> dict[str, Any]:
        """Ask the maintainer; an empty dict while none answers."""
        try:
            response = await asyncio.to_thread(self._client.request, "GET", "/v1/status")
        except LampError:
            return {}
        found: dict[str, Any] = json.loads(response.body)
        return found if response.status == 200 else {}

    async def ready(self) -> dict[int, str]:
        """Return pid and id of the replicas that serve, as the maintainer sees them."""
        replicas = (await self.status()).get("replicas", ())
        serving = (each for each in replicas if each.get("ready") and each["phase"] == "running")
        return {each["pid"]: each["id"] for each in serving}

    def processes(self) -> list[Process]:
        """Return everything of this system that lives."""
        return marked(self.temporary)

    async def owner(self, role: str) -> int | None:
        """Return the pid of the maintainer or the supervisor, as it answers itself; None while none does."""
        assert role in (MAINTAINER, SUPERVISOR)
        if role == MAINTAINER:
            holder: dict[str, int] = (await self.status()).get("holder", {})
            return holder.get("pid")
        observed = await self.supervised()
        return observed.pid if observed else None

    async def supervised(self) -> Observed | None:
        """Return what the supervisor says it has; None while none answers."""
        try:
            return (await self._supervisor.ask(Observe())).observed
        except LampError:
            return None

    async def until(self, holds: Callable[[dict[str, Any]], bool], wait_s: float, what: str) -> float:
        """Look at the status until it is as it should be; return the monotonic moment of that look.

        Raises:
            StandError: it was not within `wait_s`.
        """
        deadline = time.monotonic() + wait_s
        status: dict[str, Any] = {}
        while time.monotonic() < deadline:
            status = await self.status()
            if status and holds(status):
                return time.monotonic()
            await asyncio.sleep(LOOK_S)
        raise StandError(f"not within {wait_s:.0f} s: {what}; status: {json.dumps(status)[:1500]}")

    async def settled(self, replicas: int, wait_s: float = 90.0) -> float:
        """Wait until so many replicas serve, none is on its way in or out, and nothing is pending."""
        return await self.until(lambda status: at_rest(status, replicas), wait_s, f"{replicas} at rest")

    async def down(self) -> list[Process]:
        """End the system; return what of it still lives afterwards."""
        await self.must("down")
        return self.processes()


def at_rest(status: dict[str, Any], replicas: int) -> bool:
    """Whether so many replicas serve and nothing is under way."""
    live = [each for each in status.get("replicas", ()) if each["phase"] != "exited"]
    serving = [each for each in live if each["phase"] == "running" and each.get("ready")]
    views = {each["name"]: each for each in status.get("workloads", ())}
    rollout = views.get(SERVICE, {}).get("rollout") or {}
    busy = status.get("pending") or not rollout.get("verdict")
    return len(live) == len(serving) == replicas and not busy


@asynccontextmanager
async def stand(wish: Wish | None = None) -> AsyncIterator[Stand]:
    """Give a stand, with the system up if a wish is given, and leave no process and no file behind."""
    folder = Path(tempfile.mkdtemp(prefix="lamp-bench-"))
    made = Stand(folder)
    try:
        if wish is not None:
            await made.up(wish)
            await made.settled(wish.replicas[0])
        yield made
    finally:
        await asyncio.to_thread(end_all, made.temporary)
        kept = os.environ.get("BENCH_KEEP")
        if kept:
            shutil.copytree(folder, Path(kept) / folder.name, symlinks=True, ignore=_not_files)
        _remove(folder, made.state / "gateway")


async def command(words: list[str], folder: Path, env: dict[str, str]) -> Ran:
    """Run a command and return how it ended, whatever its code.

    Raises:
        TimeoutError: it did not end within `COMMAND_WAIT_S`; it has been killed.
    """
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, env=env,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(COMMAND_WAIT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return Ran(process.returncode or 0, out.decode(), err.decode(), time.monotonic() - began)


def lamp_command() -> str:
    """Return the `lamp` beside this interpreter: the one that is installed with what is measured.

    Raises:
        CannotRunError: there is none.
    """
    path = Path(sys.executable).parent / "lamp"
    if not path.is_file():
        raise CannotRunError(f"there is no lamp command beside {sys.executable}; run `make demo` once")
    return str(path)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _remove(folder: Path, gateway: Path) -> None:
    """Remove the folder, and what a link in it leads to: the gateway's files, which are kept in memory."""
    if gateway.is_symlink():
        shutil.rmtree(gateway.readlink(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _not_files(folder: str, names: list[str]) -> set[str]:
    """Name what cannot be copied: sockets."""
    return {each for each in names if (Path(folder) / each).is_socket()}

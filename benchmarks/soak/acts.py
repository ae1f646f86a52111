"""Carries faults out on a site, and puts right what only an operator would: a maintainer that is gone."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

from benchmarks.load import strike
from benchmarks.load.silence import HOWS, Silence, sockets
from benchmarks.local.processes import GATEWAY, MAINTAINER, SUPERVISOR, of_role
from benchmarks.local.spec import SERVICE
from benchmarks.local.stand import Ran
from benchmarks.soak.journal import FAULTS, Journal
from benchmarks.soak.plan import Fault, may_lose_one
from benchmarks.soak.site import WISH, Site

UP_AGAIN_S, UP_TRIES = 3.0, 40
FILL_EVERY_S = 0.5
FORGET_S = 8.0
"""So long after a replica was struck no other is."""


class Acts:
    """The faults of one run. Each returns what it did, in a few words; empty where it could not be done."""

    def __init__(self, site: Site, journal: Journal, rate: Callable[[], float]) -> None:
        """Act on a site; `rate` is the load of now, in requests a second."""
        self._site, self._journal, self._rate = site, journal, rate
        self._struck: dict[int, float] = {}
        self._lamp = asyncio.Lock()
        self._releases = 0
        self._filled = self._silent = False
        self.doing: dict[str, Callable[[Fault], Awaitable[str]]] = {
            "kill-replica": self._kill_replica, "hang-replica": self._hang_replica,
            "pause-replica": self._pause_replica,
            "kill-maintainer": self._kill_maintainer, "kill-supervisor": self._kill_supervisor,
            "kill-gateway": self._kill_gateway,
            "pause-maintainer": self._pause_maintainer, "pause-supervisor": self._pause_supervisor,
            "silence-gateway": self._silence, "silence-supervisor": self._silence,
            "silence-both": self._silence,
            "fill-disk": self._fill_disk, "release": self._release, "rollback": self._rollback,
        }  # fmt: skip

    async def carry_out(self, fault: Fault) -> None:
        """Do one fault and write down what came of it."""
        began = self._journal.at()
        try:
            done = await self.doing[fault.kind](fault)
        except Exception as error:  # noqa: BLE001 - the edge of one fault: the run goes on and says so
            done = f"broke: {type(error).__name__}: {error}"
        line = {"kind": fault.kind, "began": began, "lasts_s": fault.lasts_s, "done": done}
        self._journal.add(FAULTS, {**line, "skipped": not done})

    # --- replicas

    async def _victim(self, fault: Fault) -> int | None:
        """Return a serving replica that may be lost just now."""
        now = asyncio.get_running_loop().time()
        self._struck = {pid: at for pid, at in self._struck.items() if now - at < FORGET_S}
        serving = await self._serving()
        if self._struck or not may_lose_one(len(serving), self._rate()):
            return None
        pid = Random(fault.draw).choice(sorted(serving))
        self._struck[pid] = now
        return pid

    async def _serving(self) -> list[int]:
        ready = {pid for pid, name in (await self._site.ready()).items() if name.startswith(SERVICE)}
        if ready:
            return sorted(ready)
        observed = await self._site.supervised()
        found = observed.replicas if observed else ()
        running = (each for each in found if each.workload == SERVICE and each.phase == "running")
        return [each.pid for each in running if each.pid]

    async def _kill_replica(self, fault: Fault) -> str:
        pid = await self._victim(fault)
        kill = strike(pid, signal.SIGKILL, self._site.in_flight) if pid else None
        return f"killed {pid} with {kill.in_flight} in flight" if kill else ""

    async def _hang_replica(self, fault: Fault) -> str:
        pid = await self._victim(fault)
        return f"stopped {pid}" if pid and strike(pid, signal.SIGSTOP) else ""

    async def _pause_replica(self, fault: Fault) -> str:
        pid = await self._victim(fault)
        return await _paused(pid, fault.lasts_s) if pid else ""

    # --- owners

    def _owner(self, role: str) -> int | None:
        found = of_role(self._site.processes(), role)
        return found[0] if found else None

    async def _kill_maintainer(self, fault: Fault) -> str:
        pid = self._owner(MAINTAINER)
        if pid is None or not strike(pid):
            return ""
        await asyncio.sleep(fault.lasts_s)
        return f"killed {pid}; {await self.taken_up()}"

    async def taken_up(self) -> str:
        """Have a maintainer again, as an operator would: `lamp up` until it ends well."""
        for turn in range(UP_TRIES):
            ran = await self._site.lamp("up", "-d", "-y")
            if not ran.code:
                return f"up after {turn + 1} tries"
            self._journal.add(FAULTS, {"kind": "up-failed", "done": _said(ran)})
            await asyncio.sleep(UP_AGAIN_S)
        return "up failed"

    async def _kill_supervisor(self, _: Fault) -> str:
        pid = self._owner(SUPERVISOR)
        return f"killed {pid}" if pid and strike(pid) else ""

    async def _kill_gateway(self, _: Fault) -> str:
        pid = self._owner(GATEWAY)
        return f"killed {pid}" if pid and strike(pid) else ""

    async def _pause_maintainer(self, fault: Fault) -> str:
        pid = self._owner(MAINTAINER)
        return await _paused(pid, fault.lasts_s) if pid else ""

    async def _pause_supervisor(self, fault: Fault) -> str:
        pid = self._owner(SUPERVISOR)
        return await _paused(pid, fault.lasts_s) if pid else ""

    # --- surroundings

    async def _silence(self, fault: Fault) -> str:
        if self._silent:
            return ""
        self._silent = True
        draw = Random(fault.draw)
        which = fault.kind.removeprefix("silence-")
        paths = [path for name, path in sockets(self._site.state).items() if which in (name, "both")]
        silences = [Silence(path, draw.choice(HOWS), fault.draw) for path in paths]
        try:
            begun = [each for each in silences if await each.begin()]
            await asyncio.sleep(fault.lasts_s)
        finally:
            kept = [await each.end() for each in silences]
            self._silent = False
        hows = ", ".join(f"{each.path.name} {each.how}" for each in begun)
        return f"{hows}; {'kept' if all(kept) else 'made anew by its owner'}" if begun else ""

    async def _fill_disk(self, fault: Fault) -> str:
        if self._filled or not self._site.small_disk:
            return ""
        self._filled = True
        until = asyncio.get_running_loop().time() + fault.lasts_s
        try:
            while asyncio.get_running_loop().time() < until:
                await asyncio.to_thread(_fill, self._site)
                await asyncio.sleep(FILL_EVERY_S)
        finally:
            self._site.hog.unlink(missing_ok=True)
            self._filled = False
        return "filled"

    # --- what is run

    async def _release(self, _: Fault) -> str:
        async with self._lamp:
            self._releases += 1
            self._site.write(replace(WISH, mark=f"release {self._releases}"))
            return _said(await self._site.lamp("up", "-d", "-y"))

    async def _rollback(self, _: Fault) -> str:
        async with self._lamp:
            return _said(await self._site.lamp("rollback", SERVICE))


async def _paused(pid: int, seconds: float) -> str:
    if not strike(pid, signal.SIGSTOP):
        return ""
    try:
        await asyncio.sleep(seconds)
    finally:
        strike(pid, signal.SIGCONT)
    return f"paused {pid}"


def _fill(site: Site) -> None:
    """Take every byte that is left on the small disk."""
    with site.hog.open("ab", buffering=0) as file, suppress(OSError):
        room = os.statvfs(site.state_root)
        if room.f_bavail:
            os.posix_fallocate(file.fileno(), file.tell(), room.f_bavail * room.f_frsize)
        while True:
            file.write(bytes(room.f_bsize))


def _said(ran: Ran) -> str:
    told = (ran.err or ran.out).strip().splitlines()
    return f"{ran.code} after {ran.took_s:.1f} s" + (f": {told[-1][:300]}" if ran.code and told else "")

"""A site for tests: a state folder, a release of the small app, and a local target that acts on it."""

import asyncio
import itertools
import os
import shutil
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from lamplighter.adapters.clock import SystemClock
from lamplighter.model.actions import Action, Configure, Dismantle, Outcome, Replace, Scale, Shift
from lamplighter.model.facts import Facts, Phase, Replica
from lamplighter.model.release import Release
from lamplighter.model.system import Breaker, GatewayPolicy, Health, Resilience, Run, Service, System
from lamplighter.ports import Scope
from lamplighter.targets.local.releases.store import ReleaseStore
from lamplighter.targets.local.supervisor import processes, room
from lamplighter.targets.local.supervisor.core import site_mark
from lamplighter.targets.local.supervisor.protocol import Observe, Observed
from lamplighter.targets.local.target import LocalTarget

APP = Path(__file__).with_name("app.py")
LONGEST_S = 170.0
"""For a whole story, on a machine that has other things to do."""
SECRET = "hunter2-is-secret"  # noqa: S105 - it is looked for where it must not be


class FixedSecrets:
    """Every secret has the same value."""

    def version(self, name: str) -> str:
        """Return a version."""
        return f"{name}-v"

    def value(self, name: str, version: str = "") -> str:
        """Return the value."""
        assert version in ("", self.version(name))
        return SECRET


class Site:
    """One system on this machine, as a test sees it."""

    def __init__(self, folder: Path) -> None:
        """Prepare a state folder; nothing is started."""
        self.folder = folder / "state" / "trial"
        self.folder.mkdir(parents=True)
        self.clock = SystemClock()
        self.port = free_port()
        self.token = 1
        self._ids = itertools.count(1)
        self._actions = itertools.count(1)
        self.target = self.new_target()

    def new_target(self) -> LocalTarget:
        """Return the target as another maintainer would make it."""
        return LocalTarget(self.folder, "trial", self.clock, FixedSecrets())

    def system(self, port: int | None = None) -> System:
        """Return a system of one service that runs the small app."""
        service = Service(
            resilience=Resilience(breaker=Breaker()),
            name="web",
            run=Run(kind="command", value="app"),
            route="/",
            health=Health(path="/"),
        )
        return System(name="trial", gateway=GatewayPolicy(port=port or self.port), services={"web": service})

    def release(
        self, *arguments: str, env: dict[str, str] | None = None, secrets: tuple[str, ...] = ()
    ) -> str:
        """Keep a release of the small app and return its id."""
        store = ReleaseStore(self.folder / "releases")
        store.prepare()
        (store.trees / "t").mkdir(exist_ok=True)
        shutil.copy(APP, store.trees / "t" / "app.py")
        command = " ".join(["exec", sys.executable, "app.py", *arguments])
        release = Release(
            workload="web",
            run=Run(kind="command", value=command),
            tree="t",
            env=env or {},
            secrets={name: f"{name}-v" for name in secrets},
        )
        store.put(release)
        return release.id

    async def act(self, action: Action, *, action_id: str = "", token: int = 0) -> Outcome:
        """Apply an action under an id of its own."""
        name = action_id or f"a{next(self._actions)}"
        return await self.target.apply(action, action_id=name, token=token or self.token)

    async def configured(self, port: int | None = None) -> Outcome:
        """Set the gateway up."""
        return await self.act(Configure(system=self.system(port)))

    async def start(self, release: str, count: int = 1) -> tuple[str, ...]:
        """Start replicas and return their ids."""
        ids = tuple(f"web-{next(self._ids)}" for _ in range(count))
        outcome = await self.act(Scale(workload="web", release=release, replicas=count, starts=ids))
        assert outcome.state == "accepted", outcome
        return ids

    async def stop(self, *ids: str, drain_s: float = 10.0) -> Outcome:
        """Drain and end replicas."""
        return await self.act(Scale(workload="web", release="", replicas=0, stops=ids, drain_s=drain_s))

    async def replace(self, release: str, replica: str) -> str:
        """Replace a replica and return the new one's id."""
        start = f"web-{next(self._ids)}"
        await self.act(Replace(workload="web", release=release, replica=replica, start=start))
        return start

    async def shift(self, **shares: float) -> Outcome:
        """Set shares by release."""
        return await self.act(Shift(workload="web", shares=shares))

    async def serving(self, count: int = 1, *arguments: str) -> tuple[str, ...]:
        """Have `count` replicas that answer through the gateway."""
        await self.configured()
        ids = await self.start(self.release(*arguments), count)
        await self.until(lambda facts: all(find(facts, each).ready for each in ids))
        return ids

    async def facts(self) -> Facts:
        """Observe once."""
        return await self.target.observe(Scope(system="trial", now=self.clock.now()))

    async def until(self, holds: Callable[[Facts], bool], within_s: float = 45.0) -> Facts:
        """Observe until something holds."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            facts = await self.facts()
            with suppress(LookupError):
                if holds(facts):
                    return facts
            await asyncio.sleep(0.03)
        raise AssertionError(f"not within {within_s} s: {facts}")

    async def replica(self, replica: str) -> Replica:
        """Return what is known of one replica."""
        return find(await self.facts(), replica)

    async def exited(self, replica: str) -> Replica:
        """Wait until a replica is known to be gone."""
        return find(await self.until(lambda facts: find(facts, replica).phase is Phase.EXITED), replica)

    async def supervisor_pid(self) -> int:
        """Return the supervisor's pid."""
        return (await self.observed()).pid

    async def observed(self) -> Observed:
        """Return what the supervisor itself says."""
        observed = (await self.target._client.ask(Observe())).observed
        assert observed is not None
        return observed

    def processes(self) -> list[processes.Marked]:
        """Return every live process of this site."""
        return processes.marked(site_mark(self.folder))

    async def dismantle(self) -> None:
        """End everything and wait until it is gone."""
        await self.act(Dismantle(system="trial", grace_s=2.0))
        for _ in range(300):
            if not self.target._client.expected and not self.processes():
                return
            await asyncio.sleep(0.03)
        raise AssertionError(f"left: {self.processes()}")

    def kill_all(self) -> None:
        """End everything without asking; for the end of a test that failed."""
        lock = self.folder / "supervisor" / "lock"
        for pid in holders(lock):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        for each in self.processes():
            with suppress(ProcessLookupError):
                os.kill(each.pid, 9)
        room.leave(self.folder / "gateway", self.folder / "logs")


def holders(lock: Path) -> list[int]:
    """Return the pids that have a file open."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if link.readlink() == lock:
                found.append(int(link.parent.parent.name))
    return found


def find(facts: Facts, replica: str) -> Replica:
    """Return a replica's facts; raises LookupError if it is not there."""
    return {each.id: each for each in facts.replicas}[replica]


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_a_site(story: Callable[[Site], Awaitable[None]]) -> Callable[[Path], None]:
    """Make a test of a story on a site of its own, of which nothing is left whatever happens."""

    def test(tmp_path: Path) -> None:
        site = Site(tmp_path)
        try:
            asyncio.run(_told(story, site))
        finally:
            site.kill_all()

    test.__name__, test.__doc__ = story.__name__, story.__doc__
    return test


async def _told(story: Callable[[Site], Awaitable[None]], site: Site) -> None:
    async with asyncio.timeout(LONGEST_S):
        await story(site)
        await site.dismantle()

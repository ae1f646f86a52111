"""One process that takes a fleet through the real loop, on real stores, and says what its passes cost.

Started by `benchmarks.engine` for each form of the step, so that its memory and its collector are its own.
All is as in a maintainer: recordings and ledger in SQLite on disk, a thread that writes, the collector on.
"""

import asyncio
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from benchmarks.engine.fleet import EACH, Fleet
from lamplighter.adapters.clock import VirtualClock
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.app.maintainer import spare_the_collector
from lamplighter.engine.deciding import Step
from lamplighter.engine.loop import Loop
from lamplighter.engine.revalidate import revalidate
from lamplighter.engine.step import resting, step
from lamplighter.engine.terms import Terms
from lamplighter.model.intents import Up
from lamplighter.model.system import Range

FORMS: dict[str, Callable[[], Step]] = {"resting": resting, "plain": lambda: step}
SHARE = 0.01
DEAD_SHARE = 0.005
COMING_UP_PASSES = 12


class Trial:
    """A loop over a fleet, and what its passes cost."""

    def __init__(self, folder: Path, workloads: int, form: str, seed: int) -> None:
        self.fleet = Fleet(workloads, seed)
        self.chance = random.Random(seed)
        self.clock = VirtualClock(1000.0)
        self.folder = folder
        self.form = form
        self.threads = ThreadPoolExecutor(1)
        self.recordings = SqliteRecordings(folder / "recording.sqlite")
        self.ledger = SqliteLedger.open(folder / "ledger.sqlite", self.clock)
        self.passes: dict[str, list[float]] = {}
        self.figures: dict[str, float] = {}
        self.loop = self.began()
        spare_the_collector()

    def began(self) -> Loop:
        """Return a loop that takes up where the recording ends."""
        terms = Terms(system="fleet", step=FORMS[self.form](), revalidate=revalidate, threads=self.threads)
        return Loop(self.fleet, self.clock, self.ledger, self.recordings, terms)

    async def once(self, part: str) -> None:
        """Make one pass, a second after the one before, and note what it took."""
        self.clock.advance(1.0)
        before, cpu = time.perf_counter(), time.process_time()
        result = await self.loop.once()
        self.passes.setdefault(part, []).append(time.perf_counter() - before)
        self.passes.setdefault(f"{part}_cpu", []).append(time.process_time() - cpu)
        assert not any(each.kind == "pass-failed" for each in result.findings), result.findings
        assert self.loop.seen is not None
        assert self.loop.seen.number, "the pass was not recorded"

    async def come_up(self) -> None:
        """Bring the fleet up as a person would, and let the load's windows fill."""
        system = self.fleet.system
        most = {
            name: replace(each, replicas=Range(min=EACH, max=2 * EACH))
            for name, each in system.services.items()
        }
        self._ask(replace(self.fleet.up(), system=replace(system, services=most)))
        for _ in range(COMING_UP_PASSES):
            await self.once("coming_up")
        self._ask(replace(self.fleet.up(), id="i-2"))
        for _ in range(COMING_UP_PASSES):
            await self.once("settling")
        assert self.loop.seen is not None
        assert not self.loop.seen.history.pending, "the fleet has not come to rest"
        assert len(self.fleet.replicas) == EACH * len(system.services)

    async def repeat(self, part: str, count: int, change: Callable[[], None]) -> None:
        """Make passes, each after something has changed; note what was recorded of each."""
        before = self.recordings.total_bytes
        for _ in range(count):
            change()
            await self.once(part)
        self.figures[f"{part}_recorded_bytes"] = (self.recordings.total_bytes - before) / count

    def some_workloads(self) -> None:
        """Change all replicas, and the load, of one workload in a hundred."""
        names = self.chance.sample(sorted(self.fleet.loads), int(len(self.fleet.loads) * SHARE))
        self.fleet.stir([f"{name}-{number}" for name in names for number in range(1, EACH + 1)], names)

    def some_replicas(self) -> None:
        """Change one replica in a hundred, wherever it is."""
        self.fleet.stir(self._drawn(SHARE), [])

    async def deaths(self) -> None:
        """Let one replica in two hundred die in the same moment, and see them replaced."""
        dead = self._drawn(DEAD_SHARE)
        self.fleet.kill(dead)
        await self.once("deaths")
        self.figures["deaths_replaced"] = sum(each.startswith("w") for each in dead)
        for _ in range(5):
            await self.once("deaths_after")
        assert self.loop.seen is not None
        live = sum(each.live for each in self.fleet.replicas.values())
        assert live == EACH * len(self.fleet.loads), "what died was replaced within a few passes"

    def take_over(self) -> None:
        """Note how long a successor needs until it can make its first pass."""
        began = time.perf_counter()
        self.loop = self.began()
        self.figures["takeover_s"] = time.perf_counter() - began

    def _ask(self, intent: Up) -> None:
        self.loop.submit(intent)

    def _drawn(self, share: float) -> list[str]:
        listed = sorted(each.id for each in self.fleet.replicas.values() if each.live)
        return self.chance.sample(listed, int(len(listed) * share))


async def measured(trial: Trial, passes: dict[str, int]) -> None:
    """Take a fleet through every part."""
    await trial.come_up()
    nothing: Iterable[str] = ()
    await trial.repeat("quiet", passes["few"], lambda: trial.fleet.stir(nothing, nothing))
    await trial.repeat("some_workloads", passes["few"], trial.some_workloads)
    await trial.repeat("some_replicas", passes["few"], trial.some_replicas)
    await trial.repeat("all", passes["all"], trial.fleet.stir)
    trial.take_over()
    await trial.once("first_after_takeover")
    await trial.repeat("all", 2, trial.fleet.stir)
    await trial.deaths()


def main(arguments: list[str]) -> None:
    """Run one trial: form, workloads, seed, passes with few and with all changed; print figures as JSON."""
    form, workloads, seed, few, everything = arguments[0], *map(int, arguments[1:])
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder), workloads, form, seed)
        asyncio.run(measured(trial, {"few": few, "all": everything}))
        trial.threads.shutdown()
        trial.figures["file_bytes"] = (Path(folder) / "recording.sqlite").stat().st_size
    trial.figures["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(json.dumps({"passes": trial.passes, "figures": trial.figures}))


if __name__ == "__main__":
    main(sys.argv[1:])

"""The simulated target keeps the contract of targets."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from lamplighter.model.facts import Replica
from lamplighter.model.value import Instant
from lamplighter.targets.simulated import SimulatedTarget, World
from lamplighter.testing.builders import system
from lamplighter.testing.contract import TargetContract, Trial
from lamplighter.testing.virtual import VirtualLoop

T = TypeVar("T")


class SimulatedTrial(Trial):
    """A simulated world on virtual time."""

    def __init__(self, runner: asyncio.Runner, world: World) -> None:
        super().__init__()
        self.system, self.release = system(web=2), "r1"
        self.target = SimulatedTarget(world, pause=asyncio.sleep)
        self._runner, self._world = runner, world

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on virtual time."""
        return self._runner.run(work)

    def now(self) -> Instant:
        """Return the world's instant."""
        return self._world.now

    async def pause(self, seconds: float) -> None:
        """Leap."""
        await asyncio.sleep(seconds)

    async def kill(self, replica: Replica) -> None:
        """Let it crash."""
        self._world.mishaps.crash(self._world.bodies[replica.id])


class TestSimulated(TargetContract):
    """See `TargetContract`."""

    @pytest.fixture
    def trial(self) -> Iterator[Trial]:
        """Make a world of seed 1."""
        world = World(seed=1)
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(world.advance)) as runner:
            yield SimulatedTrial(runner, world)

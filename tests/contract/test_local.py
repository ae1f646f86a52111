"""The local target keeps the contract of targets, with real processes behind a real gateway."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.acceptance.local.site import Site

from lamplighter.model.facts import Replica
from lamplighter.model.value import Instant
from lamplighter.testing.contract import TargetContract, Trial

T = TypeVar("T")


class LocalTrial(Trial):
    """A state folder of its own, and a small server."""

    def __init__(self, runner: asyncio.Runner, site: Site) -> None:
        super().__init__()
        self.system, self.release, self.target = site.system(), site.release(), site.target
        self._runner, self._site = runner, site

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on real time."""
        return self._runner.run(work)

    def now(self) -> Instant:
        """Return the instant."""
        return self._site.clock.now()

    async def pause(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def kill(self, replica: Replica) -> None:
        """Send it SIGKILL."""
        assert replica.pid is not None
        os.kill(replica.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="the local target needs Linux")
class TestLocal(TargetContract):
    """See `TargetContract`."""

    @pytest.fixture
    def trial(self, tmp_path: Path) -> Iterator[Trial]:
        """Make a site; end everything that it started."""
        site = Site(tmp_path)
        try:
            with asyncio.Runner() as runner:
                yield LocalTrial(runner, site)
        finally:
            site.kill_all()

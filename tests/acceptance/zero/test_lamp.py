"""The real command on a service that may sleep: woken, and its maintainer killed while requests wait."""

import asyncio
import os
import signal
import time

from tests.acceptance.cli.conftest import Prototype, prototype
from tests.acceptance.gateway.rig import ask, failed

__all__ = ["prototype"]


def sleeping(made: Prototype) -> None:
    """Bring the prototype's service up, and wait until it is at zero."""
    made.edit("replicas: {min: 2, max: 4}", "replicas: {min: 0, max: 1}\n    scale: {idle: 1s}")
    ran = made.lamp("up", "-d", "-y")
    assert 0 == ran.code, ran.err
    until = time.monotonic() + 40
    while any(each["phase"] != "exited" for each in made.status()["replicas"]):
        assert time.monotonic() < until, "it never went to zero"


async def test_requests_wait_out_the_maintainer(prototype: Prototype) -> None:
    """It is killed while a hundred wait; the next one starts what they wait for, and none is lost."""
    await asyncio.to_thread(sleeping, prototype)
    told = await asyncio.to_thread(prototype.lamp, "status")
    os.kill(prototype.status()["holder"]["pid"], signal.SIGKILL)
    asked = [asyncio.create_task(ask(prototype.port, "/", patience_s=50)) for _ in range(100)]
    await asyncio.sleep(0.5)
    ran = await asyncio.to_thread(prototype.lamp, "up", "-d", "-y")
    answers = await asyncio.gather(*asked)
    assert (0, []) == (ran.code, failed(answers))
    assert "0 (idle for" in told.out

"""The real command on a service that may sleep: woken, whatever befalls its maintainer, disk and release."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from tests.acceptance.cli.conftest import Prototype, prototype
from tests.acceptance.gateway.rig import ask, failed
from tests.acceptance.small_disk import on_a_small_disk

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


STORY = "tests.acceptance.zero.full_disk"
GIVEN_UP = 7


async def test_it_wakes_on_a_full_disk(tmp_path: Path) -> None:
    """Not a byte is left: what is asked of a service at zero starts it all the same."""
    ran = await asyncio.to_thread(on_a_small_disk, tmp_path, "96m", sys.executable, "-m", STORY, tmp_path)
    assert (0, "") == (ran.returncode, ran.stderr), ran.stdout


async def test_a_release_that_never_gets_ready_at_zero(prototype: Prototype) -> None:
    """It is tried and given up, and said; the next request is answered by the release before."""
    await asyncio.to_thread(sleeping, prototype)
    app = prototype.folder / "app.py"
    app.write_text("raise SystemExit('this release is broken')\n" + app.read_text())
    ran = await asyncio.to_thread(prototype.lamp, "up", "-d", "-y")
    answer = await ask(prototype.port, "/", patience_s=60)
    assert (GIVEN_UP, 200, True) == (ran.code, answer.status, b"one" in answer.body)
    assert "was given up" in ran.err + ran.out

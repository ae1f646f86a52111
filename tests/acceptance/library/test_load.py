"""Loading the swarm as its users do: a command that may be killed, and goes on where it was."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.acceptance.library.conftest import HOME

from lamplighter.runtime.agents.inspection.inspector import Inspector

DEADLINE_S = 120.0


@contextmanager
def loading(folder: Path, agents: int) -> Iterator[subprocess.Popen[str]]:
    """The command, as long as the test takes."""
    command = [sys.executable, "-m", "library.load", "--folder", str(folder), "--agents", str(agents)]
    process = subprocess.Popen(command, cwd=HOME, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def whole(folder: Path, agents: int) -> tuple[int, str]:
    """Load to the end; returns the exit code and what was printed."""
    with loading(folder, agents) as running:
        told = "".join(running.communicate(timeout=DEADLINE_S))
        return running.returncode, told


def readers(folder: Path) -> int:
    """How many readers there are by now."""
    try:
        return asyncio.run(Inspector.of(folder, timeout_s=5).kinds()).get("reader", 0)
    except Exception:  # noqa: BLE001 - no pool yet
        return 0


def until(folder: Path, wanted: int) -> None:
    """Wait until so many readers are there."""
    end = time.monotonic() + DEADLINE_S
    while readers(folder) < wanted:
        assert time.monotonic() < end, f"{wanted} readers came to be"
        time.sleep(0.1)


def hosts(folder: Path) -> list[int]:
    """The processes that host."""
    return [int(each.name.partition("-")[0]) for each in (folder / "hosts").glob("*-*")]


def test_a_load_that_is_over_is_not_done_again(tmp_path: Path) -> None:
    """The same command places nobody anew; a larger number adds the rest; no host is left."""
    assert 0 == whole(tmp_path, 300)[0]
    again, more = whole(tmp_path, 300)[1], whole(tmp_path, 500)[1]
    assert ("placed   0 readers", "placed   200 readers") == tuple(
        re.findall(r"placed   \d+ readers", each)[0] for each in (again, more)
    )
    assert [] == hosts(tmp_path)


@pytest.mark.heavy
def test_a_load_goes_on_after_kills(tmp_path: Path) -> None:
    """A host is killed, then the loader; the same command places what is missing, and all answers come."""
    with loading(tmp_path, 20_000) as running:
        until(tmp_path, 3_000)
        os.kill(hosts(tmp_path)[0], signal.SIGKILL)
        until(tmp_path, 8_000)
        running.kill()
    code, told = whole(tmp_path, 20_000)
    assert 0 == code, told
    assert "20,000 readers" in told
    assert "10 of 10 questions answered" in told
    placed = re.findall(r"placed   ([\d,]+) readers", told)[0].replace(",", "")
    assert 0 < int(placed) <= 16_000  # two batches of 2,000 may be there that were not noted yet

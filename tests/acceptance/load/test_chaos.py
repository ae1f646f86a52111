"""Killing at a beat, with real processes."""

import asyncio
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.load.chaos import Beat, InFlightFiles, Kill, Kills, kill_randomly, strike

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Three processes that do nothing."""
    processes = [subprocess.Popen(SLEEPER) for _ in range(3)]
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_one_dies_at_each_beat(sleepers: list[subprocess.Popen[bytes]]) -> None:
    """Three beats kill three processes, a period apart, and a fourth finds nobody."""

    def living() -> list[int]:
        return [process.pid for process in sleepers if process.poll() is None]

    done = asyncio.run(kill_randomly(living, Beat(period_s=0.2, count=4)))
    assert {process.pid for process in sleepers} == {kill.pid for kill in done.kills}
    assert 1 == done.skipped
    assert pytest.approx(0.4, abs=0.15) == done.kills[2].at - done.kills[0].at


def test_same_seed_picks_the_same(sleepers: list[subprocess.Popen[bytes]]) -> None:
    """Who is picked comes from the seed; a stop signal leaves the picked one alive."""
    pids = [process.pid for process in sleepers]
    beat = Beat(period_s=0.02, count=6, seed=4, how=signal.SIGCONT)
    first, second = (asyncio.run(kill_randomly(lambda: pids, beat)) for _ in range(2))
    assert [kill.pid for kill in first.kills] == [kill.pid for kill in second.kills]
    assert len({kill.pid for kill in first.kills}) > 1


def test_killed_is_dead_on_return(sleepers: list[subprocess.Popen[bytes]]) -> None:
    """After `strike` the process runs no more."""
    kill = strike(sleepers[0].pid)
    assert kill is not None
    assert -signal.SIGKILL == sleepers[0].wait(timeout=10)
    assert time.monotonic() - kill.at < 60


def test_process_that_is_gone_is_skipped(sleepers: list[subprocess.Popen[bytes]]) -> None:
    """A pid that no longer exists is nobody's kill."""
    sleepers[0].kill()
    sleepers[0].wait()
    assert strike(sleepers[0].pid) is None


def test_requests_on_hand_are_read_after_death(tmp_path: Path) -> None:
    """The count a killed process left in its mapping is the one that is recorded."""
    (tmp_path / "44").write_bytes(struct.pack("<3q", 4, 1, 2))
    assert 7 == InFlightFiles(tmp_path)(44)
    assert InFlightFiles(tmp_path)(45) is None


def test_share_with_requests_in_flight() -> None:
    """The share is of those known; nothing known is no share."""
    kills = [Kill(0, 0, 1, 3), Kill(0, 0, 2, 0), Kill(0, 0, 3, None)]
    assert 0.5 == Kills(kills).share_in_flight
    assert Kills(kills[2:]).share_in_flight is None

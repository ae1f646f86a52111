"""Host processes of a pool, to be started, told to leave, stopped and killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamplighter.runtime.agents.pool import layout
from lamplighter.runtime.agents.pool.presence import living

ROOT = Path(__file__).parents[3]
AGENTS = "tests.acceptance.agents.crew"
PARTITIONS, SHARDS = 8, 4
PATIENCE_S = 30.0


class Hosts:
    """The processes that host one pool.

    Args:
        folder: of the pool.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def begin(self) -> subprocess.Popen[bytes]:
        """Start another host."""
        command = [sys.executable, "-m", "lamplighter.runtime", "host", "--folder", str(self.folder)]
        command += ["--agents", AGENTS, "--partitions", str(PARTITIONS), "--shards", str(SHARDS)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a host without a goodbye."""
        process.kill()
        process.wait()
        self.processes.remove(process)

    def leave(self, process: subprocess.Popen[bytes]) -> int:
        """Tell a host to leave; returns its exit code."""
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_S)
        self.processes.remove(process)
        return code

    def shards(self) -> dict[int, tuple[int, ...]]:
        """Which shards each process says that it has open."""
        place = self.folder / "hosts"
        return {host.pid: host.shards for host in living(place)} if place.exists() else {}

    def settle(self) -> None:
        """Wait until every shard is open somewhere, and every process has its share.

        Raises:
            AssertionError: that takes too long.
        """
        until = time.monotonic() + PATIENCE_S
        share = SHARDS // len(self.processes)
        while time.monotonic() < until:
            found = self.shards()
            theirs = [found.get(process.pid, ()) for process in self.processes]
            if sorted(sum(theirs, ())) == list(range(SHARDS)) and all(len(one) >= share for one in theirs):
                return
            time.sleep(0.02)
        raise AssertionError(f"after {PATIENCE_S:g} s the shards are at {self.shards()}")

    def end(self) -> None:
        """Leave nothing behind."""
        for process in list(self.processes):
            self.kill(process)


@contextmanager
def pool(folder: Path, hosts: int) -> Iterator[Hosts]:
    """So many hosts of a new pool, for as long as a test takes."""
    running = Hosts(folder)
    layout.made(folder, partitions=PARTITIONS, shards=SHARDS)
    try:
        for _ in range(hosts):
            running.begin()
        running.settle()
        yield running
    finally:
        running.end()

"""A real process, a real folder, kill -9 at any moment: every frame that was said to be durable is there."""

import random
import subprocess
import sys
import time
from pathlib import Path

from tests.acceptance.store import writer

from lamplighter.runtime.agents.store import Folder, Store

KILLS = 8


def test_nothing_said_to_be_durable_is_lost(tmp_path: Path) -> None:
    """Eight kills in a row leave each time what was printed, whole, and one frame more at most."""
    chance = random.Random(4)  # noqa: S311 - when to kill
    for _ in range(KILLS):
        said = _killed(tmp_path, chance.uniform(0.02, 0.2))
        store = Store.open(Folder(tmp_path), host=0, partitions=2, holder="the test", limits=writer.SMALL)
        last = store.journal.durable
        assert last in {said, said + 1}
        assert {n: b"%d" % n * 40 for n in range(max(1, last - 49), last + 1)} == _states(store, last)
        store.close()


def _killed(folder: Path, after_s: float) -> int:
    """Let the writer write for a while once it has begun, kill it, return the last frame it spoke of."""
    command = [sys.executable, writer.__file__, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)
        process.kill()
        lines = (first + process.stdout.read()).split(b"\n")
    return int(lines[-2])


def _states(store: Store, last: int) -> dict[int, bytes]:
    """The states of the last fifty frames, by frame."""
    found = {}
    for number in range(max(1, last - 49), last + 1):
        state = store.state(store.partitions[number % 2], f"reader/{number % writer.AGENTS}")
        found[number] = b"" if state is None else state.state
    return found

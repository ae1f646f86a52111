"""One stage of `benchmarks.agents` in a process of its own: a life without an orderly end, or a recovery.

Prints its figures as JSON. Called as `python -m benchmarks.agents.trial STAGE FOLDER AGENTS TURNS SEED`.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from zlib import crc32

from lamplighter.runtime.agents.store import Chore, Folder, Store

PARTITIONS, LARGE, PARTITIONS_LARGE = 64, 2_000_000, 256
"""Partitions, up to and beyond LARGE agents: copying the index of one takes a millisecond or two."""
STATE_BYTES = 200
BATCH = 2_000
"""Turns in a frame."""


def main(stage: str, path: str, agents: int, turns: int, seed: int) -> None:
    """Run one stage."""
    found = live(Path(path), agents, turns, seed) if stage == "live" else recover(Path(path), agents)
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # no goodbye: what is left is what a crash leaves


def live(path: Path, agents: int, turns: int, seed: int) -> dict[str, float]:
    """Create agents, then let random ones take turns: half of these uniformly drawn, half by Zipf's law."""
    host = _Host(path, _partitions(agents))
    chance = random.Random(seed)
    created = _timed(lambda: host.turns(range(agents), chance, fresh=True))
    drawn = (
        chance.randrange(agents) if n % 2 else int(agents ** chance.random()) % agents for n in range(turns)
    )
    turned = _timed(lambda: host.turns(drawn, chance, fresh=False))
    return {
        "created_s": created[0],
        "created_cpu_s": created[1],
        "turns": turns,
        "turns_s": turned[0],
        "turns_cpu_s": turned[1],
        "peak_bytes": _status("VmHWM"),
        "disk_bytes": sum(file.stat().st_size for file in path.iterdir()),
        "snapshots": host.chores,
    }


def recover(path: Path, agents: int) -> dict[str, float]:
    """Open what a crash left."""
    opened: list[Store] = []
    taken = _timed(lambda: opened.append(_store(path, _partitions(agents))))
    found = opened[0]
    return {
        "open_s": taken[0],
        "open_cpu_s": taken[1],
        "replayed": found.recovered.replayed,
        "agents": sum(len(partition.index) for partition in found.partitions),
        "peak_bytes": _status("VmHWM"),
    }


class _Host:
    """The least that drives a store: one frame is filled while the one before is synced."""

    def __init__(self, path: Path, partitions: int) -> None:
        self._store = _store(path, partitions)
        self._threads = ThreadPoolExecutor(2)
        self._syncing: Future[None] | None = None
        self._chore: tuple[Chore, Future[None]] | None = None
        self.chores = 0

    def turns(self, numbers: Iterable[int], chance: random.Random, *, fresh: bool) -> None:
        """Give each of these agents a new state, after reading the one it has."""
        store, total = self._store, len(self._store.partitions)
        drawn = iter(numbers)
        while batch := list(islice(drawn, BATCH)):
            by_partition = sorted((crc32(b"reader/%d" % n) % total, n) for n in set(batch))
            for number, group in groupby(by_partition, key=lambda pair: pair[0]):
                partition = store.partitions[number]
                addresses = [f"reader/{n}" for _, n in group]
                if not fresh:
                    for address in addresses:
                        store.state(partition, address)
                rows = [(address, 1, 1_800_000_000, chance.randbytes(STATE_BYTES)) for address in addresses]
                store.journal.write_states(partition, rows)
            self._commit()
        self._wait()

    def _commit(self) -> None:
        self._wait()
        store = self._store
        sealed = store.seal(time.time())
        assert sealed is not None
        self._syncing = self._threads.submit(store.journal.commit, sealed)
        self._syncing.add_done_callback(lambda _: None)
        self._sealed = sealed
        if self._chore is not None and self._chore[1].done():
            self._chore[1].result()
            store.finish(self._chore[0])
            self._chore = None
        if self._chore is None and (chore := store.chore()) is not None:
            self._chore = (chore, self._threads.submit(self._run, chore, self._syncing))
            self.chores += 1

    def _wait(self) -> None:
        """Until the frame that is being synced is durable."""
        if self._syncing is not None:
            self._syncing.result()
            self._store.journal.synced(self._sealed)
            self._syncing = None

    @staticmethod
    def _run(chore: Chore, after: Future[None]) -> None:
        after.result()
        chore.run()


def _partitions(agents: int) -> int:
    return PARTITIONS if agents <= LARGE else PARTITIONS_LARGE


def _store(path: Path, partitions: int) -> Store:
    return Store.open(Folder(path), host=0, partitions=partitions, holder=f"process {os.getpid()}")


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds and seconds of processor time that something takes."""
    begun, begun_cpu = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - begun, time.process_time() - begun_cpu


def _status(name: str) -> int:
    """A size from the kernel's account of this process, in bytes. VmHWM: the peak of what is resident."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))

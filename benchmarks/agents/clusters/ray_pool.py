"""The same pool as processes of this machine and as actors of a Ray cluster of four nodes, in turns.

Called in an environment with Ray, with this folder to import from, as
`python ray_pool.py FOLDER MESSAGES ROUNDS SEED`; prints what it measured as JSON.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import ray
from ray.cluster_utils import Cluster
from readers import Ask, Note

from lamplighter.runtime import AgentClient
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.pool import layout
from lamplighter.runtime.agents.pool.presence import living
from lamplighter.runtime.ray.cluster import RayPool

NODES, HOSTS, PARTITIONS, SHARDS, AGENTS = 4, 4, 16, 8, 20_000
BATCHES = (100, 1000)
BATCHES_AT_ONCE = 64
"""On their way at once: eight for each shard."""
STORE_BYTES = 80 << 20
TICKS = os.sysconf("SC_CLK_TCK")


class Pids:
    """Processes that belong to one of the two pools, and the processor time they took."""

    def __init__(self, roots: Callable[[], list[int]]) -> None:
        self._roots = roots

    def cpu_s(self) -> float:
        """Return the processor time of all of them so far."""
        return sum(map(_cpu_s, _below(self._roots())))


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _below(roots: list[int]) -> set[int]:
    """These processes and all that they have started."""
    parents: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                parent = int((each / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(each.name))
    found, left = set(), list(roots)
    while left:
        pid = left.pop()
        found.add(pid)
        left += parents.get(pid, [])
    return found


def nodes(folder: Path) -> Cluster:
    """Start four nodes of one core each."""
    os.environ["RAY_TMPDIR"] = str(folder)
    (folder / "ray").mkdir()
    cluster = Cluster()
    for number in range(NODES):
        head = {"include_dashboard": False} if number == 0 else {}
        cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES, node_ip_address="127.0.0.1", **head)
    return cluster


def _started(cluster: Cluster) -> list[int]:
    """What the cluster's nodes have started."""
    running = [each for node in cluster.list_all_nodes() for each in node.all_processes.values()]
    return [one.process.pid for several in running for one in several]


def drawn(messages: int, batch: int, seed: int) -> list[list[tuple[str, bytes]]]:
    """Draw batches, each to agents of one shard; what these send on goes anywhere."""
    chance = Random(seed)
    by_shard: list[list[str]] = [[] for _ in range(SHARDS)]
    for n in range(AGENTS):
        address = f"reader/{n}"
        by_shard[crc32(address.encode()) % PARTITIONS % SHARDS].append(address)
    return [
        [
            (
                chance.choice(by_shard[n % SHARDS]),
                ENCODE(Ask(f"reader/{chance.randrange(AGENTS)}", f"line {m}")),
            )
            for m in range(batch)
        ]
        for n in range(messages // batch)
    ]


async def flood(client: AgentClient, batches: list[list[tuple[str, bytes]]], pids: Pids) -> dict[str, float]:
    """Send batches, so many at once; a batch is timed until its last message is acknowledged."""
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    room = asyncio.Semaphore(BATCHES_AT_ONCE)

    def over(sent: float, _: object) -> None:
        taken.append(loop.time() - sent)
        room.release()

    begun, own, theirs = time.monotonic(), time.process_time(), pids.cpu_s()
    for batch in batches:
        await room.acquire()
        for address, payload in batch[:-1]:
            client.post(address, payload)
        done = loop.create_future()
        done.add_done_callback(partial(over, loop.time()))
        client.post(*batch[-1], done)
        await asyncio.sleep(0)
    await client.drain()
    await asyncio.sleep(0)
    messages = sum(map(len, batches))
    taken.sort()
    return {
        "per_s": messages / (time.monotonic() - begun),
        "cpu_us": (time.process_time() - own + pids.cpu_s() - theirs) / messages * 1e6,
        "p50_s": taken[len(taken) // 2],
        "p99_s": taken[len(taken) * 99 // 100],
    }


def processes(folder: Path) -> list[subprocess.Popen[bytes]]:
    """Start the hosts of the pool that is on this machine alone, and wait until its shards are open."""
    layout.made(folder, partitions=PARTITIONS, shards=SHARDS)
    command = [
        sys.executable,
        "-m",
        "lamplighter.runtime",
        "host",
        "--folder",
        str(folder),
        "--agents",
        "readers",
    ]
    command += ["--partitions", str(PARTITIONS), "--shards", str(SHARDS)]
    begun = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(HOSTS)]
    while sum(len(host.shards) for host in living(folder / "hosts")) < SHARDS:
        time.sleep(0.05)
    return begun


async def measured(
    folder: Path, messages: int, rounds: int, seed: int, pids: dict[str, Pids]
) -> dict[str, Any]:
    """Flood one pool, then the other, and again."""
    found: dict[str, list[dict[str, float]]] = {}
    pool = RayPool(folder / "pool", ["readers"], hosts=HOSTS, partitions=PARTITIONS)
    async with pool, AgentClient.of(folder / "local", "bench") as near, pool.client("bench") as far:
        clients = {"local": near, "ray": far}
        for client in clients.values():
            for n in range(AGENTS):
                client.post(f"reader/{n}", ENCODE(Note("a line of some letters")))
            await client.drain()
        for n in range(rounds):
            for batch in BATCHES:
                batches = drawn(messages, batch, seed + n)
                for where, client in clients.items():
                    found.setdefault(f"{where}_{batch}", []).append(await flood(client, batches, pids[where]))
        await pool.end()
    return {
        f"{name}_{what}": statistics.median(run[what] for run in runs)
        for name, runs in found.items()
        for what in runs[0]
    }


def main(folder: Path, messages: int, rounds: int, seed: int) -> None:
    """Measure, and leave nothing behind."""
    cluster = nodes(folder)
    hosts: list[subprocess.Popen[bytes]] = []
    try:
        hosts = processes(folder / "local")
        pids = {
            "local": Pids(lambda: [each.pid for each in hosts]),
            "ray": Pids(partial(_started, cluster)),
        }
        port = cluster.address.rsplit(":", 1)[1]
        ray.init(address=f"127.0.0.1:{port}", _node_ip_address="127.0.0.1", log_to_driver=False)
        sys.stdout.write(json.dumps(asyncio.run(measured(folder, messages, rounds, seed, pids))) + "\n")
    finally:
        for host in hosts:
            host.kill()
            host.wait()
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))

"""A pool on a Ray cluster of four nodes of this machine, of which one is killed under load.

Called in an environment with Ray as `python life.py FOLDER SECONDS`; prints what came of it as JSON.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import ray
from ray.cluster_utils import Cluster
from tests.acceptance.agents.crew import Look, Put

from lamplighter.runtime import AgentClient
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.pool.presence import living
from lamplighter.runtime.ray.cluster import RayPool

NODES, HOSTS, PARTITIONS, AGENTS = 4, 4, 16, 40
STORE_BYTES = 80 << 20
SETTLE_S = 60.0


def nodes(folder: Path) -> Cluster:
    """Start four nodes, each with room for two hosts."""
    os.environ["RAY_TMPDIR"] = str(folder)
    (folder / "ray").mkdir()
    cluster = Cluster()
    for number in range(NODES):
        head = {"include_dashboard": False} if number == 0 else {}
        cluster.add_node(num_cpus=2, object_store_memory=STORE_BYTES, node_ip_address="127.0.0.1", **head)
    return cluster


def kill(cluster: Cluster, number: int, hosts: Path) -> int:
    """Kill a node: its raylet and all that it has started; returns how many shards were open there."""
    node = cluster.list_all_nodes()[number]
    raylet = node.all_processes["raylet"][0].process.pid
    pids = [raylet, *_below(raylet)]
    held = sum(len(host.shards) for host in living(hosts) if host.pid in pids)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return held


def _below(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    children = [int(each) for each in found.stdout.split()]
    return children + [deeper for each in children for deeper in _below(each)]


async def live(folder: Path, cluster: Cluster, seconds: float) -> dict[str, float]:
    """Send numbers, kill a node in the middle, and ask everybody what they heard."""
    chance, sent = Random(7), [0] * AGENTS  # noqa: S311 - to whom
    pool = RayPool(
        folder / "pool",
        ["tests.acceptance.agents.crew"],
        hosts=HOSTS,
        partitions=PARTITIONS,
    )
    async with pool, pool.client("life") as client:
        killed, longest, last = -1, 0.0, time.monotonic()
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            if killed < 0 and passed > seconds / 3:
                killed = await asyncio.to_thread(kill, cluster, NODES - 1, folder / "pool" / "hosts")
            for _ in range(chance.randrange(40)):
                agent = chance.randrange(AGENTS)
                sent[agent] += 1
                client.post(f"keeper/{agent}", ENCODE(Put(sent[agent])))
            await asyncio.sleep(0.01)
            if client.unaccepted < 200:
                longest, last = max(longest, time.monotonic() - last), time.monotonic()
        await client.drain()
        longest = max(longest, time.monotonic() - last)
        found = await _judged(client, sent)
        await pool.end()
    return {"messages": sum(sent), "killed": killed, "silence_s": longest, **found}


async def _judged(client: AgentClient, sent: list[int]) -> dict[str, float]:
    """How many messages never came, and how many agents heard some again or out of order."""
    lost = wrong = 0
    for agent, count in enumerate(sent):
        for kind in ("keeper", "teller"):
            until = time.monotonic() + SETTLE_S
            while True:
                heard: list[int] = await client.ask(f"{kind}/{agent}", Look(), list[int])
                if len(heard) >= count or time.monotonic() > until:
                    break
                await asyncio.sleep(0.05)
            lost += len(set(range(1, count + 1)) - set(heard))
            wrong += heard != sorted(set(heard))
    return {"lost": lost, "wrong": wrong}


def main(folder: Path, seconds: float) -> None:
    """Live, and leave nothing behind."""
    cluster = nodes(folder)
    try:
        port = cluster.address.rsplit(":", 1)[1]
        ray.init(address=f"127.0.0.1:{port}", _node_ip_address="127.0.0.1", log_to_driver=False)
        sys.stdout.write(json.dumps(asyncio.run(live(folder, cluster, seconds))) + "\n")
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))

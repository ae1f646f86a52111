"""A pool whose hosts are killed, one after the other, at random moments under load.

A client in this process numbers what it sends to each keeper, and learns what is accepted. In the end each
keeper must have heard all of it, once and in order, and each teller what its keeper sent on.
"""

import asyncio
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from benchmarks.agents.witness import Look, Put, Seen
from benchmarks.report import Options, exactly
from lamplighter.runtime import AgentClient
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.pool import layout

KILLS, KILLS_QUICK = 1_000, 20
HOSTS, PARTITIONS, SHARDS, AGENTS = 3, 12, 6, 60
BATCH_MAX, GAP_S = 40, 0.01
"""The client sends so many messages at most, and then waits so long: a few thousand a second."""
PAUSES_S = (0.0, 0.05, 0.3, 1.0)
"""Between two kills; within the shorter ones shards are on their way from the last one."""
SETTLE_S = 120.0


def measure(options: Options, kills: int | None, folder: Path | None) -> None:
    """Kill hosts and judge what came of the messages."""
    kills = kills or (KILLS_QUICK if options.quick else KILLS)
    home = Path(tempfile.mkdtemp(prefix="kills-", dir=folder))
    hosts: list[subprocess.Popen[bytes]] = []
    try:
        layout.made(home, partitions=PARTITIONS, shards=SHARDS)
        hosts += [_host(home) for _ in range(HOSTS)]
        found = asyncio.run(_live(options, home, hosts, kills))
    finally:
        for host in hosts:
            host.kill()
            host.wait()
        shutil.rmtree(home)
    figures = options.figures
    figures.put("kills", kills)
    figures.put("kills_messages", found["messages"])
    figures.put("kills_lost", found["lost"], exactly(0))
    figures.put("kills_out_of_order_or_doubled", found["wrong"], exactly(0))
    figures.put("kills_longest_silence_s", found["silence_s"])
    options.figures.parts["kills"] = found


async def _live(
    options: Options, home: Path, hosts: list[subprocess.Popen[bytes]], kills: int
) -> dict[str, float]:
    """Send and kill; then ask everybody what they heard."""
    chance = Random(f"kills {options.seed}")
    sent = [0] * AGENTS
    silence_s = 0.0
    async with AgentClient.of(home, f"kills {options.seed}") as client:
        loading = asyncio.create_task(_load(client, sent, chance))
        try:
            for n in range(kills):
                await asyncio.sleep(chance.choice(PAUSES_S) * chance.random())
                at = chance.randrange(HOSTS)
                hosts[at].kill()
                await asyncio.to_thread(hosts[at].wait)
                hosts[at] = _host(home)
                if (n + 1) % 20 == 0:
                    silence_s = max(silence_s, await _drained(client))
                    options.progress(f"kills: {n + 1}, {sum(sent)} messages")
        finally:
            loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loading
        silence_s = max(silence_s, await _drained(client))
        lost, wrong = await _judged(client, sent)
    return {"messages": sum(sent), "lost": lost, "wrong": wrong, "silence_s": silence_s}


async def _load(client: AgentClient, sent: list[int], chance: Random) -> None:
    while True:
        for _ in range(chance.randrange(BATCH_MAX)):
            agent = chance.randrange(AGENTS)
            sent[agent] += 1
            client.post(f"keeper/{agent}", ENCODE(Put(sent[agent])))
        await asyncio.sleep(GAP_S)


async def _drained(client: AgentClient) -> float:
    """Wait until what was sent by now is accepted; returns how long that took."""
    begun = time.monotonic()
    done = [
        asyncio.get_running_loop().create_task(client.send(f"keeper/{n}x", Put(1))) for n in range(AGENTS)
    ]
    async with asyncio.timeout(SETTLE_S):
        await asyncio.gather(*done)
    return time.monotonic() - begun


async def _judged(client: AgentClient, sent: list[int]) -> tuple[int, int]:
    """How many messages never came, and how many came again or out of order."""
    await client.drain()
    lost = wrong = 0
    for agent, count in enumerate(sent):
        for kind in ("keeper", "teller"):
            seen = await _heard(client, f"{kind}/{agent}", count)
            lost += count - min(seen.last, count)
            wrong += len(seen.wrong) + (seen.last > count)
    return lost, wrong


async def _heard(client: AgentClient, address: str, count: int) -> Seen:
    """What an agent has heard once it is as much as was sent, or time is up."""
    until = time.monotonic() + SETTLE_S
    while True:
        seen: Seen = await client.ask(address, Look(), Seen)
        if seen.last >= count or time.monotonic() > until:
            return seen
        await asyncio.sleep(0.05)


def _host(home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lamplighter.runtime", "host", "--folder", str(home)]
    command += ["--agents", "benchmarks.agents.witness", "--partitions", str(PARTITIONS)]
    return subprocess.Popen([*command, "--shards", str(SHARDS)], stderr=subprocess.DEVNULL)

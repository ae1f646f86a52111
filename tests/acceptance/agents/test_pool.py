"""A real pool whose hosts are killed, join, leave and are stopped under load: nothing is lost or doubled."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.acceptance.agents.crew import Look, Put
from tests.acceptance.agents.pools import SHARDS, Hosts, pool

from lamplighter.runtime import AgentClient
from lamplighter.runtime.agents.kinds import ENCODE

AGENTS = 16
DEADLINE_S = 90.0
LOAD_S = 0.4
"""How long the client sends before something happens, and after it."""


async def told(client: AgentClient, during: list[Callable[[], object]]) -> dict[int, list[int]]:
    """Send numbers to the keepers while one thing happens after the other; return what was sent."""
    chance = Random(7)  # noqa: S311 - to whom
    sent: dict[int, list[int]] = {agent: [] for agent in range(AGENTS)}
    over = asyncio.Event()

    async def load() -> None:
        while not over.is_set():
            for _ in range(chance.randint(1, 20)):
                agent = chance.randrange(AGENTS)
                sent[agent].append(len(sent[agent]) + 1)
                client.post(f"keeper/{agent}", ENCODE(Put(sent[agent][-1])))
            await asyncio.sleep(0.005)

    loading = asyncio.create_task(load())
    for act in during:
        await asyncio.sleep(LOAD_S)
        await asyncio.to_thread(act)
    await asyncio.sleep(LOAD_S)
    over.set()
    await loading
    await client.drain()
    return sent


async def written(client: AgentClient, sent: dict[int, list[int]]) -> dict[str, list[int]]:
    """What everybody has written down, once the tellers have heard as much as was sent or time is up."""
    found: dict[str, list[int]] = {}
    for agent, numbers in sent.items():
        found[f"keeper/{agent}"] = await client.ask(f"keeper/{agent}", Look(), list[int])
        for _ in range(100):
            found[f"teller/{agent}"] = await client.ask(f"teller/{agent}", Look(), list[int])
            if len(found[f"teller/{agent}"]) >= len(numbers):
                break
            await asyncio.sleep(0.05)
    return found


async def lived(hosts: Hosts, during: list[Callable[[], object]]) -> None:
    """Live through it and judge: whatever was accepted was written down once, in the order of sending.

    Raises:
        AssertionError: it was not.
    """
    async with asyncio.timeout(DEADLINE_S), AgentClient.of(hosts.folder, "a client") as client:
        sent = await told(client, during)
        found = await written(client, sent)
    expected = {f"{kind}/{agent}": sent[agent] for agent in sent for kind in ("keeper", "teller")}
    assert expected == found


def test_others_take_over_from_a_host_that_is_killed(tmp_path: Path) -> None:
    """Kill -9 of two of three hosts, one after the other: the shards go on elsewhere, nothing is lost."""
    with pool(tmp_path, 3) as hosts:
        first, second, third = hosts.processes
        steps = [lambda: hosts.kill(first), hosts.settle, lambda: hosts.kill(second), hosts.settle]
        asyncio.run(lived(hosts, steps))
        assert {third.pid: tuple(range(SHARDS))} == hosts.shards()


def test_hosts_join_and_leave_under_load(tmp_path: Path) -> None:
    """Shards move to hosts that join and away from one that is told to leave, which then ends well."""
    with pool(tmp_path, 1) as hosts:
        first = hosts.processes[0]
        codes: list[int] = []
        steps: list[Callable[[], object]] = [hosts.begin, hosts.settle, hosts.begin, hosts.settle]
        steps += [lambda: codes.append(hosts.leave(first)), hosts.settle]
        asyncio.run(lived(hosts, steps))
    assert [0] == codes


def test_a_stopped_host_keeps_its_shards_until_it_is_killed(tmp_path: Path) -> None:
    """A process that is stopped may go on at any time, so no other takes its shards until it is dead."""
    with pool(tmp_path, 2) as hosts:
        stopped, other = hosts.processes
        seen: list[int] = []

        def stop() -> None:
            os.kill(stopped.pid, signal.SIGSTOP)

        def look() -> None:
            seen.append(len(hosts.shards()[other.pid]))

        asyncio.run(lived(hosts, [stop, look, look, lambda: hosts.kill(stopped), hosts.settle]))
        assert [SHARDS // 2] * 2 == seen
        assert {other.pid: tuple(range(SHARDS))} == hosts.shards()


def test_a_stopped_host_that_goes_on_has_lost_nothing(tmp_path: Path) -> None:
    """What was sent to a stopped host's shards waits, and is handled once it goes on."""
    with pool(tmp_path, 2) as hosts:
        stopped = hosts.processes[0].pid
        steps = [lambda: os.kill(stopped, signal.SIGSTOP), lambda: os.kill(stopped, signal.SIGCONT)]
        asyncio.run(lived(hosts, steps))

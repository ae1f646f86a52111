"""Real brokers: what comes in takes place once and in order, what goes out is there; whatever is killed."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.acceptance.agents.crew import Look, Put
from tests.acceptance.brokers import servers
from tests.acceptance.brokers.servers import Processes, processes, program

from lamplighter.runtime import AgentClient
from lamplighter.runtime.agents.kinds import ENCODE

AGENTS = 12
MESSAGES = 1200
DEADLINE_S = 90.0
pytestmark = pytest.mark.heavy


async def written(sockets: list[Path], numbers: dict[int, list[int]]) -> dict[str, list[int]]:
    """What keepers and tellers have written down, once it is as much as was published."""
    found: dict[str, list[int]] = {}
    async with asyncio.timeout(DEADLINE_S), AgentClient(sockets, "a judge", partitions=8) as client:
        for kind in ("keeper", "teller"):
            for agent, expected in numbers.items():
                log: list[int] = []
                while len(log) < len(expected):
                    log = await client.ask(f"{kind}/{agent}", Look(), list[int], timeout_s=DEADLINE_S)
                    await asyncio.sleep(0.02)
                found[f"{kind}/{agent}"] = log
        await asyncio.sleep(0.5)  # whether more comes
        for address in found:
            found[address] = await client.ask(address, Look(), list[int])
    return found


def came_in(run: Processes, folder: Path, broker: str, address: str, killed: list[str]) -> int:
    """Publish while processes are killed; assert that each number was written down once, in order."""
    sockets = servers.hosts(run, folder)
    program(run, "fill", "fill", broker, address, MESSAGES, AGENTS)
    program(run, "read", "read", broker, address, *sockets)
    kills = servers.killed_about(run, killed, 12, lambda: run.lives("fill"))
    run.over("fill", DEADLINE_S)
    numbers = {agent: list(range(agent, MESSAGES, AGENTS)) for agent in range(AGENTS)}
    expected = {f"{kind}/{agent}": numbers[agent] for kind in ("keeper", "teller") for agent in numbers}
    found = asyncio.run(written(sockets, numbers))
    if broker == "rabbitmq":  # what is delivered again may come after what was published later
        found = {address: sorted(log) for address, log in found.items()}
    assert expected == found
    return kills


async def announced(socket: Path, run: Processes, killed: list[str]) -> None:
    """Tell announcers numbers while processes are killed."""
    async with asyncio.timeout(DEADLINE_S), AgentClient([socket], "a teller", partitions=8) as client:
        for n in range(300):
            await client.send(f"announcer/{n % AGENTS}", Put(n))
            if n % 60 == 30:
                await asyncio.to_thread(run.restart, killed[n // 60 % len(killed)])


def went_out(run: Processes, folder: Path, broker: str, address: str, killed: list[str]) -> list[int]:
    """Have agents publish while processes are killed; return what the broker then has."""
    program(run, "fill", "fill", broker, address, 0, AGENTS)
    run.over("fill", DEADLINE_S)
    program(run, "tell", "tell", broker, address, folder / "state", folder / "tell.sock")
    asyncio.run(announced(folder / "tell.sock", run, killed))
    program(run, "drain", "drain", broker, address, 300)
    found: list[int] = json.loads(run.over("drain", DEADLINE_S).splitlines()[-1])
    return found


def test_nats_comes_in_once_whatever_is_killed(tmp_path: Path) -> None:
    """Server, hosts and reader are killed at random moments: nothing is lost, doubled or out of order."""
    with processes(tmp_path) as run:
        address = servers.nats(run, tmp_path)
        kills = came_in(run, tmp_path, "nats", address, ["broker", "host0", "host1", "read"])
    assert kills >= 3


def test_kafka_comes_in_once_whatever_is_killed(tmp_path: Path) -> None:
    """Hosts and the reader are killed; the broker of the tests has all in memory, so it is not."""
    with processes(tmp_path) as run:
        address = servers.tansu(run, tmp_path)
        kills = came_in(run, tmp_path, "kafka", address, ["host0", "host1", "read"])
    assert kills >= 1


def test_nats_has_what_agents_publish_once(tmp_path: Path) -> None:
    """Host and server are killed: the stream tells second copies by their id."""
    with processes(tmp_path) as run:
        address = servers.nats(run, tmp_path)
        found = went_out(run, tmp_path, "nats", address, ["tell", "broker"])
    assert list(range(300)) == sorted(found)


def test_kafka_has_what_agents_publish(tmp_path: Path) -> None:
    """The host is killed: each message is there at least once."""
    with processes(tmp_path) as run:
        address = servers.tansu(run, tmp_path)
        found = went_out(run, tmp_path, "kafka", address, ["tell"])
    assert set(range(300)) == set(found)


def test_rabbitmq_comes_in_once_whatever_is_killed(tmp_path: Path) -> None:
    """Server, hosts and reader are killed at random moments: nothing is lost or doubled."""
    with processes(tmp_path) as run:
        address = servers.rabbitmq(run, tmp_path)
        kills = came_in(run, tmp_path, "rabbitmq", address, ["broker", "host0", "host1", "read"])
    assert kills >= 1


def test_rabbitmq_has_what_agents_publish(tmp_path: Path) -> None:
    """The host is killed: each message is there, second copies under the same id."""
    with processes(tmp_path) as run:
        address = servers.rabbitmq(run, tmp_path)
        found = went_out(run, tmp_path, "rabbitmq", address, ["tell"])
    assert list(range(300)) == sorted(found)


async def told(sockets: list[Path], run: Processes, killed: list[str]) -> dict[int, list[int]]:
    """Tell keepers numbers while processes are killed."""
    async with asyncio.timeout(DEADLINE_S), AgentClient(sockets, "a teller", partitions=8) as client:
        for n in range(600):
            client.post(f"keeper/{n % AGENTS}", ENCODE(Put(n)))
            await asyncio.sleep(0.003)
            if n % 100 == 50:
                await asyncio.to_thread(run.restart, killed[n // 100 % len(killed)])
        await client.drain()
    return {agent: list(range(agent, 600, AGENTS)) for agent in range(AGENTS)}


def carried(run: Processes, folder: Path, broker: str, address: str) -> None:
    """Kill broker and hosts; assert that what agents sent those of the other host came once, in order."""
    sockets = [folder / f"{number}.sock" for number in range(2)]
    for number in range(2):
        program(run, f"host{number}", "carried", broker, address, number, folder / str(number), *sockets)
    numbers = asyncio.run(told(sockets, run, ["broker", "host0", "broker", "host1"]))
    expected = {f"{kind}/{agent}": numbers[agent] for kind in ("keeper", "teller") for agent in numbers}
    assert expected == asyncio.run(written(sockets, numbers))


def test_nats_carries_messages_between_hosts(tmp_path: Path) -> None:
    """The server, which keeps nothing, and hosts are killed: each message arrives once, in order."""
    with processes(tmp_path) as run:
        carried(run, tmp_path, "nats", servers.nats(run, tmp_path))


def test_kafka_carries_messages_between_hosts(tmp_path: Path) -> None:
    """Hosts are killed, and the broker, which forgets even its topic: each message arrives once, in order."""
    with processes(tmp_path) as run:
        carried(run, tmp_path, "kafka", servers.tansu(run, tmp_path))

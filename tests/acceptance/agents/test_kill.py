"""Two real hosts, a real client, kill -9 of either at any moment: each message is handled once, in order."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.acceptance.agents import crew
from tests.acceptance.agents.crew import Look, Put

from lamplighter.runtime import AgentClient
from lamplighter.runtime.agents.kinds import ENCODE

AGENTS = 12
KILLS = 6
DEADLINE_S = 90.0


class Hosts:
    """The processes of both hosts."""

    def __init__(self, folder: Path) -> None:
        """Start them."""
        self._folder = folder
        self.sockets = [folder / f"{number}.sock" for number in range(2)]
        self._processes = [self._start(number) for number in range(2)]

    def kill(self, number: int) -> None:
        """End a host without a goodbye, and start its successor."""
        self._end(number)
        self._processes[number] = self._start(number)

    def end(self) -> None:
        """Leave nothing behind."""
        for number in range(2):
            self._end(number)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, crew.__file__, str(number), str(self._folder / str(number))]
        return subprocess.Popen([*command, *map(str, self.sockets)])

    def _end(self, number: int) -> None:
        self._processes[number].kill()
        self._processes[number].wait()


@contextmanager
def hosts(folder: Path) -> Iterator[Hosts]:
    """Both hosts, for as long as the test takes."""
    both = Hosts(folder)
    try:
        yield both
    finally:
        both.end()


async def told(client: AgentClient, both: Hosts) -> dict[int, list[int]]:
    """Send numbers to the keepers while hosts are killed; return what each was sent, once all is accepted."""
    chance = Random(7)  # noqa: S311 - which host, when, to whom
    sent: dict[int, list[int]] = {agent: [] for agent in range(AGENTS)}
    for _ in range(KILLS):
        for _ in range(chance.randint(10, 60)):
            for _ in range(chance.randint(1, 20)):
                agent = chance.randrange(AGENTS)
                sent[agent].append(len(sent[agent]) + 1)
                client.post(f"keeper/{agent}", ENCODE(Put(sent[agent][-1])))
            await asyncio.sleep(0.005)
        both.kill(chance.randrange(2))
    await client.drain()
    return sent


async def settled(client: AgentClient, sent: dict[int, list[int]]) -> dict[str, list[int]]:
    """What everybody has written down, once the tellers have heard as much as was sent or time is up."""
    found: dict[str, list[int]] = {}
    for agent, numbers in sent.items():
        found[f"keeper/{agent}"] = await client.ask(f"keeper/{agent}", Look(), list[int])
        for _ in range(100):
            heard = await client.ask(f"teller/{agent}", Look(), list[int])
            found[f"teller/{agent}"] = heard
            if len(heard) >= len(numbers):
                break
            await asyncio.sleep(0.05)
    return found


async def lived(both: Hosts) -> tuple[dict[int, list[int]], dict[str, list[int]]]:
    """What was sent, and what was written down."""
    async with asyncio.timeout(DEADLINE_S), AgentClient(both.sockets, "a client", partitions=8) as client:
        sent = await told(client, both)
        return sent, await settled(client, sent)


def test_nothing_is_lost_or_doubled_or_out_of_order(tmp_path: Path) -> None:
    """Whatever was accepted is in its keeper's log and in its teller's, once, in the order of sending."""
    with hosts(tmp_path) as both:
        sent, found = asyncio.run(lived(both))
    expected = {f"{kind}/{agent}": sent[agent] for agent in sent for kind in ("keeper", "teller")}
    assert expected == found

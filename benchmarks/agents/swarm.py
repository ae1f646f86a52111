"""The processes of `benchmarks.agents.turns`: a host, and a client that loads all hosts.

    python -m benchmarks.agents.swarm host NUMBER FOLDER SOCKET[,SOCKET]
    python -m benchmarks.agents.swarm client AGENTS SOCKET[,SOCKET]

A host prints `ready` and ends when its input ends. A client takes one JSON order a line on its input, such as
{"do": "load"}, and prints one JSON answer a line; `_ORDERS` and `_CALLS` are what it can do.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from lamplighter.model.errors import LampError
from lamplighter.runtime import Agent, Message
from lamplighter.runtime.agents.caller import Caller
from lamplighter.runtime.agents.client import AgentClient
from lamplighter.runtime.agents.errors import OverloadedError
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.pauses import steady
from lamplighter.runtime.agents.runtime import Runtime
from lamplighter.runtime.agents.turn import Turn

BATCH = 1000
WINDOW = 20_000
"""Messages on their way at once when hosts are flooded."""
PARTITIONS = 16
"""Each costs a frame some 15 us, and each two of them on different hosts that write to each other 20 us."""
SAMPLED = 20
"""Of so many messages one is timed."""
PACE_S = 0.001
"""Between two looks at what is due; messages are spread evenly, and each is timed from when it was due."""
WORK_S = 0.0005
AT_ONCE = 300
"""Callers that wait for their answers: enough to keep a host busy."""


class Ask(Message):
    """Changes the state and is passed on."""

    to: str
    text: str


class Note(Message):
    """Changes the state; the end of the way."""

    text: str


class Reader(Agent):
    """An agent with 200 B of state, of which each turn changes a part."""

    seen: int = 0
    last: str = ""
    shelf: bytes = b""

    async def on_ask(self, turn: Turn, ask: Ask) -> None:
        """Count, keep the text, send on."""
        self.seen += 1
        self.last = ask.text
        turn.send(ask.to, Note(ask.text))

    async def on_note(self, turn: Turn, note: Note) -> None:
        """Count and keep the text; the first one fills the shelf."""
        self.seen += 1
        self.last = note.text
        if not self.shelf:
            self.shelf = (turn.address * 20).encode()[:160]


class Work(Message):
    """Takes time to handle."""


class Worker(Agent):
    """Keeps its host busy."""

    done: int = 0

    async def on_work(self, turn: Turn, work: Work) -> int:
        """Work, count."""
        del turn, work
        until = time.thread_time() + WORK_S
        while time.thread_time() < until:
            pass
        self.done += 1
        return self.done


async def host(number: int, folder: str, sockets: list[Path]) -> None:
    """Be a host until the input ends."""
    async with Runtime(
        folder, [Reader, Worker], partitions=PARTITIONS, sockets=sockets, number=number
    ) as runtime:
        steady()
        print("ready", flush=True)
        ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await asyncio.wait([ended, runtime.ended], return_when=asyncio.FIRST_COMPLETED)
        if runtime.ended.done():
            runtime.ended.result()
        print(json.dumps({"turns": runtime.host.counts.turns, "failures": runtime.host.counts.failures}))


async def client(agents: int, sockets: list[Path]) -> None:
    """Load the hosts as ordered."""
    loop = asyncio.get_running_loop()
    async with AgentClient(sockets, f"client {time.time_ns()}", partitions=PARTITIONS) as session:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            what = order.pop("do")
            if what in _CALLS:
                found = await _CALLS[what](sockets, agents, **order)
            else:
                found = await _ORDERS[what](session, agents, **order)
            print(json.dumps(found), flush=True)


async def _load(session: AgentClient, agents: int) -> dict[str, Any]:
    """Create every agent."""
    begun = time.monotonic()
    payload = ENCODE(Note("a line of some thirty letters."))
    for first in range(0, agents, BATCH):
        for n in range(first, min(first + BATCH, agents)):
            session.post(f"reader/{n}", payload)
        await asyncio.sleep(0)
        while session.unaccepted > WINDOW:
            await session.progress()
    await session.drain()
    return {"seconds": time.monotonic() - begun}


async def _flood(
    session: AgentClient, agents: int, *, messages: int, seed: int, zipf: bool
) -> dict[str, Any]:
    """Keep as many messages on their way as fit the window."""
    drawn = _messages(agents, messages, seed, zipf=zipf)
    print(json.dumps("begin"), flush=True)
    begun, begun_cpu = time.monotonic(), time.process_time()
    left = iter(drawn)
    while some := list(islice(left, BATCH)):
        for address, payload in some:
            session.post(address, payload)
        while session.unaccepted + BATCH > WINDOW:
            await session.progress()
        await asyncio.sleep(0)
    await session.drain()
    return {"seconds": time.monotonic() - begun, "cpu_s": time.process_time() - begun_cpu}


async def _pace(
    session: AgentClient, agents: int, *, rate: float, seconds: float, seed: int, zipf: bool
) -> dict[str, Any]:
    """Send at a rate, whatever comes back, and time some of the messages from when they were due."""
    drawn = _messages(agents, int(rate * seconds), seed, zipf=zipf)
    steady()
    print(json.dumps("begin"), flush=True)
    loop = asyncio.get_running_loop()
    taken: list[float] = []

    def timed(due: float, _: object) -> None:
        taken.append(loop.time() - due)

    begun, begun_cpu = loop.time(), time.process_time()
    sent = 0
    while sent < len(drawn):
        due = min(len(drawn), int((loop.time() - begun) * rate))
        for n in range(sent, due):
            done = None
            if n % SAMPLED == 0:
                done = loop.create_future()
                done.add_done_callback(partial(timed, begun + n / rate))
            session.post(*drawn[n], done)
        sent = due
        await asyncio.sleep(PACE_S)
    await session.drain()
    await asyncio.sleep(0)
    taken.sort()
    return {
        "seconds": loop.time() - begun,
        "cpu_s": time.process_time() - begun_cpu,
        "p50_s": taken[len(taken) // 2],
        "p99_s": taken[len(taken) * 99 // 100],
        "longest_s": taken[-1],
    }


async def _capacity(sockets: list[Path], agents: int, *, seconds: float) -> dict[str, Any]:
    """Let some callers ask again as soon as they are answered."""
    print(json.dumps("begin"), flush=True)
    answered = 0
    async with Caller(sockets, partitions=PARTITIONS) as caller:
        begun = time.monotonic()

        async def ask(n: int) -> None:
            nonlocal answered
            while time.monotonic() < begun + seconds:
                await caller.ask(f"worker/{n % agents}", WORK)
                answered += 1
                n += AT_ONCE

        await asyncio.gather(*(ask(n) for n in range(AT_ONCE)))
        return {"per_s": answered / (time.monotonic() - begun)}


async def _overload(sockets: list[Path], agents: int, *, rate: float, seconds: float) -> dict[str, Any]:
    """Ask at a rate, whatever comes back; then see how soon a last question is answered."""
    print(json.dumps("begin"), flush=True)
    found = dict.fromkeys(("offered", "answered", "refused", "untold", "failed"), 0)
    async with Caller(sockets, partitions=PARTITIONS) as caller, asyncio.TaskGroup() as group:

        async def ask(n: int) -> None:
            try:
                await caller.ask(f"worker/{n % agents}", WORK)
            except OverloadedError as error:
                found["refused"] += 1
                found["untold"] += error.retry_after_s <= 0
            except LampError:
                found["failed"] += 1
            else:
                found["answered"] += 1

        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            while found["offered"] < passed * rate:
                group.create_task(ask(found["offered"]))
                found["offered"] += 1
            await asyncio.sleep(PACE_S)
        ended = time.monotonic()
        while True:
            try:
                await caller.ask("worker/last", WORK)
                break
            except OverloadedError:
                await asyncio.sleep(PACE_S)
        recovered_s = time.monotonic() - ended
    return {**found, "seconds": time.monotonic() - begun, "recovered_s": recovered_s}


async def _single(session: AgentClient, agents: int, *, seconds: float, seed: int) -> dict[str, Any]:
    """Send one message, and the next one when it is acknowledged."""
    drawn = _messages(agents, 10_000, seed, zipf=False)
    print(json.dumps("begin"), flush=True)
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    until = loop.time() + seconds
    while (begun := loop.time()) < until:
        done = loop.create_future()
        session.post(*drawn[len(taken) % len(drawn)], done)
        await done
        taken.append(loop.time() - begun)
    taken.sort()
    return {"count": len(taken), "p50_s": taken[len(taken) // 2], "p99_s": taken[len(taken) * 99 // 100]}


def _messages(agents: int, count: int, seed: int, *, zipf: bool) -> list[tuple[str, bytes]]:
    """Draw messages, before the clock runs: to whom, and what; the sends of half of them cross hosts."""
    chance = random.Random(seed)
    drawn = []
    for n in range(count):
        address = int(agents ** chance.random()) if zipf else chance.randrange(agents)
        text = f"line {n} of some thirty letters"
        drawn.append((f"reader/{address % agents}", ENCODE(Ask(f"reader/{chance.randrange(agents)}", text))))
    return drawn


WORK = ENCODE(Work())
_CALLS: dict[str, Callable[..., Coroutine[Any, Any, dict[str, Any]]]] = {
    "capacity": _capacity,
    "overload": _overload,
}
_ORDERS: dict[str, Callable[..., Coroutine[Any, Any, dict[str, Any]]]] = {
    "load": _load,
    "flood": _flood,
    "pace": _pace,
    "single": _single,
}


def main(role: str, which: str, *rest: str) -> None:
    """Be a host or a client."""
    sockets = [Path(path) for path in rest[-1].split(",")]
    asyncio.run(host(int(which), rest[0], sockets) if role == "host" else client(int(which), sockets))


if __name__ == "__main__":
    main(*sys.argv[1:])

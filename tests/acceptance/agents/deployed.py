"""A prototype of agents, deployed by the real command, and clients that write down what they were told."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from typing import Any
from uuid import uuid4

from tests.acceptance.cli.conftest import Prototype

AGENTS = """
import os

from lamplighter.runtime import Agent, Message, Turn


class Put(Message):
    n: int


class Look(Message):
    pass


class Fail(Message):
    pass


class Wait(Message):
    pass


class Grow(Message):
    pass


class LineKeeper(Agent):
    numbers: list[int] = []
    page: str = ""

    class Config:
        state_bytes_max = 100_000

    async def on_put(self, turn: Turn, put: Put) -> int:
        self.numbers.append(put.n)
        turn.send("tally/all", Put(1))
        return len(self.numbers)

    async def on_look(self, turn: Turn, look: Look) -> list[int]:
        return self.numbers

    async def on_fail(self, turn: Turn, fail: Fail) -> None:
        raise ValueError("no such page")

    async def on_wait(self, turn: Turn, wait: Wait) -> None:
        await turn.sleep(3600)

    async def on_grow(self, turn: Turn, grow: Grow) -> None:
        self.page += "x" * 200_000


class Tally(Agent):
    total: int = 0

    async def on_put(self, turn: Turn, put: Put) -> int:
        self.total += put.n
        return self.total


WORD = os.environ.get("WORD", "one")
"""

SPEC = """version: 1
system: NAME
gateway: {port: PORT}
agents:
  swarm:
    agent: swarm
    shards: 4
    env: {WORD: one}
    replicas: 2
    drain: 5s
    rollout: {steps: [50%, 100%], bake: 200ms}
"""
PATIENCE_S = 60.0


def write(prototype: Prototype) -> None:
    """Make the prototype one of agents."""
    (prototype.folder / "app.py").unlink()
    (prototype.folder / "swarm.py").write_text(AGENTS)
    prototype.write_spec(SPEC)


def up(prototype: Prototype) -> None:
    """Bring it up as its spec says, and wait until it is."""
    ran = prototype.lamp("up", "-d", "-y")
    assert 0 == ran.code, ran.err + ran.out


def post(prototype: Prototype, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    """Post JSON through the gateway; return the status and the answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"http://127.0.0.1:{prototype.port}{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), named, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text.startswith(b"{") else text.decode()


class Writers:
    """Clients, each of whom tells agents of its own numbers, one after the other, until it is told to end.

    A number is sent again under its key until it is acknowledged.
    """

    def __init__(self, prototype: Prototype, writers: int, agents: int) -> None:
        """Start them."""
        self.acknowledged: dict[str, list[int]] = {}
        self.statuses: Counter[str] = Counter()
        self._prototype = prototype
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=([f"{writer}-{agent}" for agent in range(agents)],))
            for writer in range(writers)
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let them finish what they have begun."""
        self._ending.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_S)

    def _write(self, agents: list[str]) -> None:
        number = 0
        while not self._ending.is_set():
            number += 1
            for agent in agents:
                if self._told(agent, number):
                    self.acknowledged.setdefault(agent, []).append(number)
            time.sleep(0.01)

    def _told(self, agent: str, number: int) -> bool:
        key, until = uuid4().hex, time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                body = {"type": "Put", "n": number}
                status, _ = post(self._prototype, f"/agents/line-keeper/{agent}", body, idempotency_key=key)
            except OSError as error:
                self.statuses[type(error).__name__] += 1
                status = 0
            else:
                self.statuses[str(status)] += 1
            if status == 200:
                return True
            time.sleep(0.1)
        return False

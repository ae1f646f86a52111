"""Ray: an actor, hence a process, an agent; a message is a call of the actor's method."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray

CHUNK = 100
CORES = 2
STORE_BYTES = 80 * 1024 * 1024  # Ray takes no less than 75 MiB


class Reader:
    """Counts what it is asked and keeps the last question, in memory."""

    def __init__(self) -> None:
        self.seen = 0
        self.last = ""

    def on_ask(self, text: str) -> int:
        """Count one question."""
        self.seen += 1
        self.last = text
        return self.seen

    def count(self) -> int:
        """Return how many questions there were."""
        return self.seen


class Program:
    """One node with two cores; this process is its driver, that is the client."""

    rest_s = 0.0

    def __init__(self) -> None:
        self.forms = {"sequential": (1, self._send), "pipelined": (CHUNK, self._send)}
        self._agents: list[Any] = []

    async def start(self, folder: Path) -> None:
        """Start a node of its own: no dashboard, no reports to anybody."""
        ray.init(
            num_cpus=CORES,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=STORE_BYTES,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder),
        )

    async def make(self, agents: range) -> None:
        """Start an actor an agent and wait until each answers."""
        actor = ray.remote(num_cpus=0)(Reader)
        made = [actor.remote() for _ in agents]
        self._agents += made
        ray.get([each.count.remote() for each in made])

    async def handled(self) -> int:
        """Return the sum of all counts."""
        return sum(ray.get([each.count.remote() for each in self._agents]))

    async def stop(self) -> None:
        """Stop the node."""
        ray.shutdown()

    async def _send(self, agents: Sequence[int], text: str) -> None:
        ray.get([self._agents[each].on_ask.remote(text) for each in agents])

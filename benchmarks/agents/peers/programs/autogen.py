"""autogen-core: one agent a key in a single-threaded runtime; a message is sent and its answer awaited."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler

CHUNK = 100


@dataclass
class Ask:
    """A message."""

    text: str


@dataclass
class Answer:
    """What an agent answers."""

    seen: int


class Reader(RoutedAgent):
    """Counts what it is asked and keeps the last question, in memory."""

    def __init__(self) -> None:
        super().__init__("counts what it is asked")
        self.seen = 0
        self.last = ""

    @message_handler
    async def on_ask(self, message: Ask, ctx: MessageContext) -> Answer:  # noqa: ARG002 - the peer's signature
        """Count one question."""
        self.seen += 1
        self.last = message.text
        return Answer(self.seen)

    async def save_state(self) -> Mapping[str, Any]:
        """Return the state; the runtime asks for it only where its user does."""
        return {"seen": self.seen, "last": self.last}


class Program:
    """The runtime lives in the client's process: they cannot be told apart."""

    rest_s = 0.0

    def __init__(self) -> None:
        self.forms = {"sequential": (1, self._send), "pipelined": (CHUNK, self._send)}
        self._runtime = SingleThreadedAgentRuntime()
        self._agents: list[AgentId] = []

    async def start(self, folder: Path) -> None:  # noqa: ARG002 - nothing is written
        """Start the runtime."""
        await Reader.register(self._runtime, "reader", Reader)
        self._runtime.start()

    async def make(self, agents: range) -> None:
        """Have the runtime make each agent, as it does at its first message."""
        made = [AgentId("reader", str(number)) for number in agents]
        self._agents += made
        for agent in made:
            await self._runtime.try_get_underlying_agent_instance(agent, Reader)

    async def handled(self) -> int:
        """Return the sum of all counts."""
        return sum([(await self._runtime.agent_save_state(each))["seen"] for each in self._agents])

    async def stop(self) -> None:
        """Stop the runtime."""
        await self._runtime.stop_when_idle()

    async def _send(self, agents: Sequence[int], text: str) -> None:
        if len(agents) == 1:
            await self._runtime.send_message(Ask(text), self._agents[agents[0]])
            return
        await asyncio.gather(*(self._runtime.send_message(Ask(text), self._agents[each]) for each in agents))

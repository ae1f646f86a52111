"""Looking into a system's pools of agents, and sending to them: over their shards' sockets, on this machine.

Needs no maintainer: whoever hosts the shards answers.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lamplighter.model.errors import UserError
from lamplighter.model.value import Value
from lamplighter.runtime.agents.caller import Caller
from lamplighter.runtime.agents.inspection import values
from lamplighter.runtime.agents.inspection.inspector import Inspector
from lamplighter.runtime.agents.pool import layout
from lamplighter.targets.local.releases.launch import agents_of

PATIENCE_S = 5.0
Answer = TypeVar("Answer")


class Dead(Value):
    """What `lamp agents deadletters` found, or did: letters, or how many were sent again or thrown away."""

    letters: list[values.Letter] = []
    replayed: int = 0
    buried: int = 0


class Top(Value):
    """The busiest agents, and the pool's figures."""

    busiest: list[values.Busy]
    stats: dict[str, float]


class Agents:
    """A pool of agents on this machine.

    Args:
        state: the system's state folder.
        pool: its name; "" for the only one there is.

    Raises:
        UserError: there is none, or it is not clear which is meant (`no-pool`, `which-pool`).
    """

    def __init__(self, state: Path, pool: str = "") -> None:
        self._folder = agents_of(state / "releases", pool or _only(state))
        self._inspector = Inspector.of(self._folder, timeout_s=PATIENCE_S)

    def kinds(self) -> dict[str, int]:
        """Return how many agents there are of each kind."""
        return asyncio.run(self._inspector.kinds())

    def addresses(self, prefix: str, after: str, most: int) -> list[str]:
        """Return addresses in their order."""
        return asyncio.run(self._inspector.agents(prefix, after=after, most=most))

    def show(self, address: str) -> values.Agent:
        """Return all that is known of an agent.

        Raises:
            UserError: there is no such agent (`unknown-agent`).
        """
        found = asyncio.run(self._inspector.show(address))
        if not (found.known or found.waiting or found.timers or found.dead):
            raise UserError(
                f"there is no agent {address}",
                code="unknown-agent",
                mend="lamp agents ls lists those there are",
            )
        return found

    def send(self, address: str, message: str, *, key: str, wait_s: float, answer: bool) -> Any:
        """Send a message that is written as JSON; return its handler's answer, or None without.

        Raises:
            UserError: it is no JSON object (`unknown-message`).
            LampError: as `Caller.ask`.
        """
        try:
            fields = msgspec.json.decode(message, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError) as error:
            raise UserError(
                f"the message is no JSON object: {error}",
                code="unknown-message",
                mend="""such as '{"type": "Ask", "q": "zip?"}', in single quotes""",
            ) from error
        packed = asyncio.run(self._sent(address, msgspec.msgpack.encode(fields), key, wait_s, answer=answer))
        return msgspec.msgpack.decode(packed) if packed else None

    def top(self, most: int) -> Top:
        """Return who is busiest, and what the pool has done."""

        async def asked() -> Top:
            return Top(busiest=await self._inspector.top(most), stats=await self._inspector.stats())

        return asyncio.run(asked())

    def dead(self, prefix: str, most: int) -> Dead:
        """Return dead letters."""
        return Dead(letters=asyncio.run(self._inspector.dead(prefix, most=most)))

    def away(self, prefix: str, letter: str, *, again: bool) -> Dead:
        """Send dead letters again, or throw them away: one by its id, or those to a prefix."""
        way: Callable[..., Awaitable[int]] = self._inspector.replay if again else self._inspector.bury

        async def done() -> int:
            return await way(prefix, letter=_letter(letter) if letter else None)

        count = asyncio.run(done())
        return Dead(replayed=count) if again else Dead(buried=count)

    async def _sent(self, address: str, payload: bytes, key: str, wait_s: float, *, answer: bool) -> bytes:
        found = layout.found(self._folder)
        async with Caller(
            found.sockets, partitions=found.card.partitions, patience_s=min(PATIENCE_S, wait_s)
        ) as caller:
            if answer:
                return await caller.ask(address, payload, key=key, wait_s=wait_s)
            await caller.send(address, payload, key=key, wait_s=wait_s)
            return b""


def _only(state: Path) -> str:
    folder = state / "agents"
    found = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(
            "this system has no pool of agents here",
            code="no-pool",
            mend="add one under `agents:`, then lamp up",
        )
    raise UserError(
        "it is not clear which pool is meant",
        code="which-pool",
        mend=f"--pool with one of: {', '.join(found)}",
    )


def _letter(text: str) -> tuple[int, int]:
    partition, _, number = text.partition(":")
    if not (partition.isdigit() and number.isdigit()):
        raise UserError(
            f"{text} names no dead letter", code="bad-option", mend="as the list shows it, such as 12:345"
        )
    return int(partition), int(number)

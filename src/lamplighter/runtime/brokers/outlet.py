"""From agents to a broker: a kind of agent whose turns publish what it is sent.

    turn.send(way_out("out", key), Publish("answers", b"..."))     leaves when the turn commits

A turn of an outlet publishes one message as a journaled call: again and again until the broker has it, under
the call's stable key, by which a broker or a reader tells a second copy. One key's messages go in order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from zlib import crc32

from lamplighter.runtime.adapters.making import Making
from lamplighter.runtime.agents.agent import Agent, Message
from lamplighter.runtime.agents.turn import Turn

LANES = 64
"""Messages that one outlet publishes at a time."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 5.0


class Publish(Message):
    """To be published.

    Args:
        to: subject, topic or queue.
        body: the content.
        key: of the message, where the broker has keys.
        headers: as text.
    """

    to: str
    body: bytes
    key: str = ""
    headers: dict[str, str] = {}


Outlet = Callable[[Publish, str], Awaitable[None]]
"""Publishes a message under a name that stays the same; returns when the broker has it for good."""


def way_out(name: str, key: str = "") -> str:
    """Return the address of an outlet's lane; what is sent there under one key is published in order."""
    return f"{name}/{crc32(key.encode()) % LANES}"


def outlet(name: str, publish: Outlet) -> type[Agent]:
    """Make a kind of agent that publishes.

    Args:
        name: of the kind.
        publish: does it; whatever it raises, it is tried again.
    """

    async def until_published(to: str, body: bytes, more: tuple[str, dict[str, str]], key: str) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await publish(Publish(to, body, *more), key)
            except Exception:  # noqa: BLE001 - whatever a broker's client raises: it is tried until it is there
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                return

    async def on_publish(self: Agent, turn: Turn, message: Publish) -> None:
        del self
        more = (message.key, message.headers)
        await turn.call(until_published, message.to, message.body, more)

    making = Making(name, doc="Publishes what it is sent.")
    making.handler("publish", Publish, None, on_publish)
    return making.made()

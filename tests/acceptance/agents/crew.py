"""Agents that write down what they are told, and a process that hosts them.

Called as `python crew.py NUMBER FOLDER SOCKET SOCKET`: the host of this number, of two.
"""

import asyncio
import sys
from pathlib import Path

from lamplighter.runtime import Agent, Message, Runtime, Turn


class Put(Message):
    """To be written down, and told on."""

    n: int


class Told(Message):
    """What a keeper has written down."""

    n: int


class Look(Message):
    """To be shown what was written down."""


class Keeper(Agent):
    """Writes down what clients say, and tells the teller of the same id."""

    log: list[int] = []

    async def on_put(self, turn: Turn, put: Put) -> None:
        """Write down and tell."""
        self.log.append(put.n)
        turn.send(turn.address.replace("keeper", "teller"), Told(put.n))

    async def on_look(self, turn: Turn, look: Look) -> list[int]:
        """Show."""
        del turn, look
        return self.log


class Teller(Agent):
    """Writes down what its keeper says."""

    log: list[int] = []

    async def on_told(self, turn: Turn, told: Told) -> None:
        """Write down."""
        del turn
        self.log.append(told.n)

    async def on_look(self, turn: Turn, look: Look) -> list[int]:
        """Show."""
        del turn, look
        return self.log


async def main(number: int, folder: str, sockets: list[Path]) -> None:
    """Host until killed."""
    async with Runtime(folder, [Keeper, Teller], partitions=8, sockets=sockets, number=number) as runtime:
        await runtime.ended


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], [Path(socket) for socket in sys.argv[3:]]))

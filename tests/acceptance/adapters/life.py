"""Hosts a prototype durably, unchanged: `python life.py NAME FOLDER SOCKET`, with its framework's python."""

import asyncio
import sys
from importlib import import_module
from pathlib import Path

from lamplighter.runtime import Agent, Runtime
from lamplighter.runtime.adapters import agent_of


def adapted(name: str) -> list[type[Agent]]:
    """Import the prototype and make what it defines agents."""
    sys.path.insert(0, str(Path(__file__).parent / "prototypes"))
    prototype = import_module(name)
    if name == "newsroom":
        from lamplighter.runtime.adapters.autogen import agents_of  # noqa: PLC0415 - imports autogen-core

        return agents_of(prototype.register)[0]
    part = {"plain": "improve", "graph": "graph", "finder": "agent"}[name]
    return [agent_of(getattr(prototype, part))]


async def main(name: str, folder: str, socket: str) -> None:
    """Host until killed."""
    async with Runtime(folder, adapted(name), partitions=4, sockets=[Path(socket)]) as runtime:
        await runtime.ended


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

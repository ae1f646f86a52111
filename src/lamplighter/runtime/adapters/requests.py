"""What a handler's tasks wait for: gathered from all of them, and awaited by the turn itself.

A turn waits for one thing at a time, in its own coroutine. A framework's handler may wait for several in
tasks of its own; what they ask for within one round of the event loop is asked for at once.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from lamplighter.runtime.agents.turn import Asked, Turn


class Requests:
    """The requests of one turn's tasks.

    Args:
        turn: the turn that waits for them.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._open: list[tuple[Asked, asyncio.Future[Any]]] = []
        self._news = asyncio.Event()

    async def asked(self, asked: Asked) -> Any:
        """Wait for something of the turn, from any task.

        Raises:
            LampError: it failed.
        """
        future = asyncio.get_running_loop().create_future()
        self._open.append((asked, future))
        self._news.set()
        return await future

    async def drive(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine as a task to its end, and wait for what it and its tasks ask for."""
        task = asyncio.get_running_loop().create_task(coroutine)
        task.add_done_callback(lambda _: self._news.set())
        try:
            while not task.done():
                await self._news.wait()
                self._news.clear()
                await self._serve()
            return task.result()
        finally:
            task.cancel()

    async def _serve(self) -> None:
        waiting, self._open = self._open, []
        if not waiting:
            return
        values = await self._turn.every(*[asked for asked, _ in waiting], failures=True)
        for (_, future), value in zip(waiting, values, strict=True):
            if future.done():
                continue
            if isinstance(value, Exception):
                future.set_exception(value)
            else:
                future.set_result(value)

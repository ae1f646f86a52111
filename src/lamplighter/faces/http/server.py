"""Serving the API with uvicorn, as one task among others: it takes no signals and ends when cancelled."""

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn

from lamplighter.app.running import Running
from lamplighter.faces.http.api import application

GRACE_S = 1
"""How long answers under way may take when the maintainer ends; logs and events are cut."""
CONNECTIONS_MAX = 64
KEEP_ALIVE_S = 30


class _Server(uvicorn.Server):
    """A server among other tasks of a process: the process's signals are not its business."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to the process."""
        yield

    async def main_loop(self) -> None:
        """Wait for the end instead of looking for it ten times a second; an idle maintainer is idle."""
        await self.on_tick(0)
        await self.ended.wait()


async def serve(running: Running, listener: socket.socket) -> None:
    """Serve the API of a running system until cancelled.

    Args:
        running: the system.
        listener: a listening socket; closed at the end.
    """
    config = uvicorn.Config(
        application(running),
        loop="none",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.ended.set()
        await serving
        raise

"""The server of a host's ingress: uvicorn, in the process and the event loop of the host."""

import asyncio
import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from lamplighter.model.errors import EnvironmentFault
from lamplighter.runtime.agents.caller import Caller
from lamplighter.runtime.agents.http.ingress import Ingress
from lamplighter.runtime.agents.kinds import Kind
from lamplighter.runtime.agents.runtime import Runtime

KEEP_ALIVE_S = 75
"""Longer than a gateway keeps an idle connection, so that the gateway is the one to close it."""
END_S = 10
"""What is in flight when the host ends has so long to be answered."""


class Served(Protocol):
    """What is to be known of a pool's host to serve it."""

    kinds: dict[str, Kind]
    open: dict[int, Runtime]

    @property
    def sockets(self) -> list[Path]:
        """Each shard's socket, by number."""
        ...

    @property
    def partitions(self) -> int:
        """How many parts the agents are dealt into."""
        ...

    @property
    def ready(self) -> bool:
        """Whether every shard that is to be here is open."""
        ...


async def serve(pool: Served, bind: str, port: int) -> None:
    """Serve a pool's agents until cancelled; what is in flight then is answered first.

    Args:
        pool: a host of it; its ingress reaches the shards of all others, too.
        bind: the address to listen on.
        port: the TCP port.

    Raises:
        EnvironmentFault: uvicorn is not installed here, or the port is taken.
    """
    try:
        import uvicorn  # noqa: PLC0415 - only where agents are served over HTTP
    except ImportError as error:
        raise EnvironmentFault(
            "uvicorn is not installed here, and serves agents over HTTP",
            code="no-server",
            mend="add uvicorn to this environment, or start the host without --port",
        ) from error

    class Server(uvicorn.Server):
        """Leaves signals to the host."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    async with Caller(pool.sockets, partitions=pool.partitions) as caller:
        begun = _Begun(pool)
        app = Ingress(caller, pool.kinds, ready=begun.lacking, gauges=lambda: _gauges(pool.open))
        server = Server(
            uvicorn.Config(
                app,
                host=bind,
                port=port,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=END_S,
            )
        )
        await _until_cancelled(server)


async def _until_cancelled(server: "uvicorn.Server") -> None:  # type: ignore[name-defined]  # noqa: F821
    serving = asyncio.get_running_loop().create_task(server.serve())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    except SystemExit as error:  # as uvicorn says that it cannot listen, once it has logged why
        raise EnvironmentFault(
            "the port for HTTP cannot be had", code="port-taken", mend="give another one with --port"
        ) from error


class _Begun:
    """Whether a host has had all of its shards open once: from then on it serves, wherever they go."""

    def __init__(self, pool: Served) -> None:
        self._pool = pool
        self._begun = False

    def lacking(self) -> str:
        """Return why it cannot serve yet; "" once it can."""
        self._begun = self._begun or self._pool.ready
        return "" if self._begun else "its shards are not open yet"


def _gauges(shards: Mapping[int, Runtime]) -> dict[str, float]:
    """Return what a host has done and has, for `/metrics`."""
    counts: Counter[str] = Counter(shards=len(shards))
    for runtime in shards.values():
        counts.update(dataclasses.asdict(runtime.host.counts))
        counts.update(runtime.host.context.signals.figures())
    return {name: float(count) for name, count in counts.items()}

"""A gateway with an activator beside it, as a supervisor has them; replicas come when a test says so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
from tests.acceptance.gateway.rig import Gateway, ask, until

from lamplighter.targets.local.activator import Activator, serving
from lamplighter.targets.local.gateway import Backend, Endpoint, Route, render, write
from lamplighter.targets.local.gateway.table import Check

WAIT_S = 20.0
WHY = "nobody started it"


class Door:
    """One service, `search`, at zero behind a real Envoy."""

    def __init__(self, gateway: Gateway, **settings: object) -> None:
        """Take a gateway that is not started yet, and settings of the service's backend."""
        self.gateway = gateway
        self.settings: dict[str, object] = {"wait_s": WAIT_S, "check": Check(path="/healthz"), **settings}
        self.changes: list[str] = []
        self.activator = self.another()
        self.endpoints: tuple[Endpoint, ...] = ()
        self._running: asyncio.Task[None] | None = None

    def another(self, awake: tuple[str, ...] = ()) -> Activator:
        """Return an activator of this gateway's, as a successor would make it."""
        return Activator(self.gateway.folder, awake, serving, lambda _service: WHY, self._changed)

    @property
    def port(self) -> int:
        """The public port."""
        return self.gateway.table.port

    @property
    def held(self) -> int:
        """How many requests wait."""
        return self.activator.held().get("search", 0)

    async def open(self) -> None:
        """Start the gateway and the activator, with no replica."""
        await asyncio.to_thread(self.gateway.start, **self.settings, held=True)
        await self.listen()

    async def listen(self) -> None:
        """Have the activator take requests in."""
        self.show(*self.endpoints)
        self._running = asyncio.create_task(self.activator.run())
        socket = self.gateway.folder / "activator.sock"
        await until(socket.exists)

    async def close(self) -> None:
        """End the activator as if its process had died: with it go its connections."""
        assert self._running
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running
        (self.gateway.folder / "activator.sock").unlink()
        for guest in [*self.activator._waiting.get("search", ())]:
            assert guest._transport
            guest._transport.abort()
        await asyncio.sleep(0)

    def show(self, *endpoints: Endpoint, **settings: object) -> None:
        """Give the service these replicas."""
        self.endpoints = endpoints
        self.settings |= settings
        backend = Backend(name="search", endpoints=endpoints, **self.settings)  # type: ignore[arg-type]
        table = msgspec.structs.replace(self.gateway.table, backends=(backend,))
        self.gateway.table = self.activator.mark(table)
        write(self.gateway.folder, render(self.gateway.table))

    async def route(self, prefix: str) -> None:
        """Serve the service under another path; returns once the gateway holds a request to it."""
        route = Route(prefix, "search")
        self.gateway.table = msgspec.structs.replace(self.gateway.table, routes=(route,))
        self.show(*self.endpoints)
        while (await ask(self.port, prefix, patience_s=0.3)).status:
            pass
        await self.holds(0)

    async def holds(self, count: int, within_s: float = 10.0) -> None:
        """Wait until so many requests wait."""
        await until(lambda: self.held == count, within_s)

    def _changed(self, service: str) -> None:
        self.changes.append(service)
        if service in self.activator.awake:
            self.show(*self.endpoints)


@contextlib.asynccontextmanager
async def door(gateway: Gateway, **settings: object) -> AsyncIterator[Door]:
    """Give an open door; nothing of it is left behind."""
    made = Door(gateway, **settings)
    try:
        await made.open()
        yield made
    finally:
        if made._running:
            made._running.cancel()
            await asyncio.gather(made._running, return_exceptions=True)

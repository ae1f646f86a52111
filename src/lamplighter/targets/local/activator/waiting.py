"""Waiting: requests are kept while their service has nothing to serve with, bounded in number and time.

The activator lives in the supervisor, so that it outlives the maintainer. It decides nothing: how many
wait is a load like any other, told with the facts, and whoever decides starts a replica. Requests go on once
the gateway itself takes one for healthy, so that none goes on too early.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from lamplighter.targets.local.activator.guests import Guest, bind, listen
from lamplighter.targets.local.gateway.table import Backend, Table

__all__ = ["HELD_MAX", "Activator"]

HELD_MAX = 1000
"""Requests of one service that may wait; more are refused at once. Each is a connection of the gateway's."""
LOOK_S = 0.01
"""Between two looks at whether the gateway takes a starting replica for healthy: about 1 ms of work each."""
LOOK_SLOWLY_S = 0.05
LOOK_SLOWLY_AFTER = 1000
"""After so many looks (ten seconds) it is looked less often: what starts slowly is not missed by much."""
RETRY_AFTER_S = 1
_LISTEN_AGAIN_S = 0.5

Serving = Callable[[Path], frozenset[str] | None]


class Activator:
    """Keeps requests waiting, service by service, and lets them go on."""

    def __init__(
        self,
        folder: Path,
        awake: Iterable[str],
        serving: Serving,
        why_not: Callable[[str], str],
        changed: Callable[[str], None],
    ) -> None:
        """Take what it works on; nothing is opened.

        Args:
            folder: the gateway's, where its socket stands.
            awake: services whose requests went straight through when this was last kept.
            serving: asks the gateway which services have a healthy replica; None if it does not say.
                Called in a thread.
            why_not: why a service has not been started, in words, for those who waited in vain.
            changed: called with a service when one comes to wait where none did, or when it woke.
        """
        self._folder = folder
        self.awake = set(awake)
        self._serving = serving
        self._why_not = why_not
        self._changed = changed
        self._waiting: dict[str, dict[Guest, asyncio.TimerHandle]] = {}
        self._backends: dict[str, Backend] = {}
        self._starting: frozenset[str] = frozenset()
        self._look = asyncio.Event()
        self._moved = False

    # --- what is shown to the gateway

    def mark(self, table: Table) -> Table:
        """Return the table with the services marked whose requests are held now.

        One is held from the moment that none of its replicas may serve, until the gateway takes one for
        healthy. Those that cannot go to zero are never held.
        """
        self._backends = {each.name: each for each in table.backends if each.wait_s is not None}
        ready = {
            name for name, each in self._backends.items() if not all(end.draining for end in each.endpoints)
        }
        self.awake &= ready
        self._starting = frozenset(ready - self.awake)
        if self._starting:
            self._look.set()
        for gone in self._waiting.keys() - self._backends.keys():
            self._let_go(gone)
        held = self._backends.keys() - self.awake
        return msgspec.structs.replace(
            table,
            backends=tuple(msgspec.structs.replace(each, held=each.name in held) for each in table.backends),
        )

    def held(self) -> dict[str, int]:
        """Return how many requests of each service wait."""
        return {name: len(guests) for name, guests in self._waiting.items() if guests}

    # --- what runs

    async def run(self) -> None:
        """Take guests in, and let them go on as their services wake. Ends only by being cancelled."""
        server = await self._listening()
        try:
            while True:
                await self._look.wait()
                self._look.clear()
                if self._moved:
                    self._moved = False
                    server.close()
                    server = await self._listening()
                await self._watch()
        finally:
            server.close()

    def listen_anew(self) -> None:
        """Take guests in at another socket of the same name: the gateway's folder was made anew."""
        self._moved = True
        self._look.set()

    async def _listening(self) -> asyncio.Server:
        while True:
            try:
                return await listen(self, bind(self._folder))
            except OSError:
                await asyncio.sleep(_LISTEN_AGAIN_S)

    async def _watch(self) -> None:
        """Look until every service that starts has been taken for healthy or has nothing more that starts."""
        looks = 0
        while self._starting:
            serving = await asyncio.to_thread(self._serving, self._folder)
            for name in sorted(self._starting & (serving or frozenset())):
                self._wake(name)
            looks += 1
            await asyncio.sleep(LOOK_S if looks < LOOK_SLOWLY_AFTER else LOOK_SLOWLY_S)

    def _wake(self, name: str) -> None:
        self.awake.add(name)
        self._starting -= {name}
        self._let_go(name)
        self._changed(name)

    def _let_go(self, name: str) -> None:
        for guest, deadline in self._waiting.pop(name, {}).items():
            deadline.cancel()
            guest.go_on()

    # --- guests

    def arrived(self, guest: Guest, service: str) -> None:
        """Keep a guest, unless its service is awake, is not one that waits, or has too many already."""
        backend = self._backends.get(service)
        if backend is None or backend.wait_s is None or service in self.awake:
            guest.go_on()
            return
        waiting = self._waiting.setdefault(service, {})
        if len(waiting) >= HELD_MAX:
            message = f"{HELD_MAX} requests wait for the service to start already; this one was not executed"
            guest.refuse("too-many-waiting", message, RETRY_AFTER_S)
            return
        loop = asyncio.get_running_loop()
        waiting[guest] = loop.call_later(backend.wait_s, self._expired, guest, service)
        if len(waiting) == 1:
            self._changed(service)

    def left(self, guest: Guest, service: str) -> None:
        """Free the place of a guest whose client has given up."""
        deadline = self._waiting.get(service, {}).pop(guest, None)
        if deadline is not None:
            deadline.cancel()

    def _expired(self, guest: Guest, service: str) -> None:
        del self._waiting[service][guest]
        wait_s = self._backends[service].wait_s if service in self._backends else 0
        why = f"the service did not start within {wait_s:g} s: {self._why_not(service)}"
        guest.refuse("not-started", f"{why}; the request was not executed", RETRY_AFTER_S)


def serving(folder: Path) -> frozenset[str] | None:
    """Ask the gateway which services have a healthy replica; its client is only loaded for that.

    Args:
        folder: the gateway's.

    Returns:
        Their names; None while it does not say, which is not none.
    """
    from lamplighter.targets.local.gateway import admin, statistics  # noqa: PLC0415 - see above

    try:
        return statistics.serving(folder)
    except admin.GatewayUnavailableError:
        return None

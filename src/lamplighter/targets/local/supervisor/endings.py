"""How a replica ends: out of the balancer, requests in flight finished, SIGTERM, then SIGKILL.

Whatever it has started is ended with it, also what has left its process group or session.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from signal import SIGKILL, SIGTERM

from lamplighter.targets.local.supervisor.children import Children
from lamplighter.targets.local.supervisor.processes import Identity, family, identify, send
from lamplighter.targets.local.supervisor.state import Replica

SETTLE_S = 0.25
"""From the mark in the gateway's files to the last request it may still send: it reads them within ms."""
POLL_S = 0.1
"""Between two looks at what is in flight, while something drains."""
QUIET_LOOKS = 2
"""Looks in a row that must find nothing in flight: one may fall between a request's two tries."""
GRACE_S = 5.0
"""From SIGTERM to SIGKILL, as long as a server needs to close its connections with a proper code."""
LEFTOVER_GRACE_S = 2.0
"""The same for what a replica leaves behind."""
_KILLED_WITHIN_S = 5.0

InFlight = Callable[[], Awaitable[Mapping[str, int] | None]]


class Endings:
    """Ends replicas of one site."""

    def __init__(
        self, site: str, children: Children, in_flight: InFlight, changed: Callable[[], None]
    ) -> None:
        """Take what it works on.

        Args:
            site: the mark in the environment of everything of this site.
            children: where replicas are watched and signalled.
            in_flight: requests by replica id, None while the gateway does not say; a replica that the
                gateway does not know has none.
            changed: called when a record was changed.
        """
        self._site = site
        self._children = children
        self._in_flight = in_flight
        self._changed = changed

    async def drain(self, replica: Replica) -> None:
        """Wait until nothing is in flight or the replica's `drain_until` is reached, then end it."""
        if await self._children.gone(replica.id, SETTLE_S):
            return
        quiet = 0
        while quiet < QUIET_LOOKS and time.monotonic() < replica.drain_until:
            requests = await self._in_flight()
            quiet = quiet + 1 if requests is not None and requests.get(replica.id, 0) == 0 else 0
            if await self._children.gone(replica.id, POLL_S):
                return
        await self.end(replica, GRACE_S)

    async def end(self, replica: Replica, grace_s: float) -> None:
        """Tell it to end; after `grace_s` end it. Returns once it has ended."""
        if replica.id not in self._children:
            return
        replica.phase = "ending"
        self._changed()
        self._children.signal(replica.id, SIGTERM)
        if await self._children.gone(replica.id, grace_s):
            return
        session = replica.identity.pid if replica.identity else 0
        send(family(self._site, replica.id, session), SIGKILL)
        await self._children.gone(replica.id, _KILLED_WITHIN_S)

    async def sweep(self, replica_id: str, left: list[Identity]) -> None:
        """End what a replica that is gone left behind: `left`, and all that carries its marks.

        An empty id stands for a replica that is not known any more; then it is `left` alone.
        """
        send(left, SIGTERM)
        started = time.monotonic()
        while left := self._remaining(replica_id, left):
            if time.monotonic() - started > LEFTOVER_GRACE_S:
                send(left, SIGKILL)
            if time.monotonic() - started > LEFTOVER_GRACE_S + _KILLED_WITHIN_S:
                return  # not ours to signal, or stuck in the kernel; a dismantling looks again
            await asyncio.sleep(POLL_S)

    def _remaining(self, replica_id: str, left: list[Identity]) -> list[Identity]:
        still = {each for each in left if identify(each.pid) == each}
        marked = set(family(self._site, replica_id)) if replica_id else set()
        return sorted(still | marked, key=lambda each: each.pid)

"""A running system, as those who operate it see it: what can be asked of it and what can be asked for.

The faces stand on this. It decides nothing: reads come from the newest pass and from the stores, opened a
second time to read only, so that looking never waits for a write; intents go to the loop's queue.
"""

import asyncio
import contextlib
import getpass
from collections.abc import AsyncIterator

import msgspec

from lamplighter import __version__
from lamplighter.adapters.lease import SqliteLeases
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.app.views import Entries, Explanation, Receipt, Status, explain, status
from lamplighter.engine.loop import Loop
from lamplighter.model.errors import UserError
from lamplighter.model.intents import Answer, Intent
from lamplighter.ports import Clock, LedgerEntry, LogLine, Target
from lamplighter.targets.local.installation import mark

PAGE = 500
"""Entries of the ledger in one answer."""
WAIT_MAX_S = 120.0
FIRST_PASS_S = 5.0
TAIL_MAX = 10_000


class Running:
    """One system that this process maintains."""

    def __init__(self, system: str, loop: Loop, target: Target, clock: Clock, reader: SqliteLedger) -> None:
        """Look at a loop and at what it writes.

        Args:
            system: its name.
            loop: takes the intents.
            target: asked for logs.
            clock: the system's time line.
            reader: the ledger, opened to read only.
        """
        self._system = system
        self._loop = loop
        self._target = target
        self._clock = clock
        self._reader = reader
        self._leases = SqliteLeases(reader.database, clock)
        self._mark = mark()  # now: an upgrade in place may change the files while this process lives

    def status(self) -> Status:
        """Return the whole system as of the newest pass."""
        made = status(
            self._system,
            self._loop.seen,
            now=self._clock.now(),
            live=True,
            tenancy=self._leases.current(self._system),
            head=self._reader.head(),
        )
        return msgspec.structs.replace(made, version=__version__, mark=self._mark)

    async def first_pass(self) -> None:
        """Wait until there is a pass to look at: a successor knows nothing of the world before its first."""
        if self._loop.seen is None:
            await self._news(FIRST_PASS_S)

    def entries(self, *, since: int, limit: int = PAGE) -> Entries:
        """Return up to `limit` entries of the ledger from number `since` on."""
        found: list[LedgerEntry] = []
        for entry in self._reader.entries(since=since):
            if len(found) == limit:
                return Entries(entries=tuple(found), following=entry.number)
            found.append(entry)
        return Entries(entries=tuple(found))

    def explain(self, action: str) -> Explanation:
        """Return all that is known of an action. Raises UserError (`unknown-action`)."""
        return explain(self._reader, action, self._loop.seen.history if self._loop.seen else None)

    async def submit(self, intent: Intent, *, wait_s: float = 0.0) -> Receipt:
        """Hand an intent to the loop, once however often it is submitted under one id.

        Args:
            intent: who asks and when are filled in here, unless it says who.
            wait_s: how long to wait for what becomes of it, at most two minutes.

        Raises:
            HeldError: too many intents are waiting (`intents-full`).
        """
        earlier = self._answered(intent.id)
        if earlier is not None:
            return Receipt(intent=intent.id, answer=earlier)
        known = msgspec.structs.replace(intent, at=self._clock.now(), by=intent.by or _user())
        future = self._loop.submit(known)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, WAIT_MAX_S)):
                return Receipt(intent=intent.id, answer=await asyncio.shield(future))
        return Receipt(intent=intent.id)

    async def events(self, *, since: int, idle_s: float = 15.0) -> AsyncIterator[LedgerEntry | None]:
        """Yield the ledger's entries as they are written; None when nothing came for `idle_s`.

        Holds no buffer: a slow reader reads from the ledger when it is ready for more.
        """
        following = since
        while True:
            page = self.entries(since=following)
            for entry in page.entries:
                yield entry
                following = entry.number + 1
            if page.following is None and not await self._news(idle_s):
                yield None

    def logs(self, workload: str, *, follow: bool, tail: int) -> AsyncIterator[LogLine]:
        """Yield what a workload's replicas wrote.

        Raises:
            UserError: there is no such workload, or this target keeps no logs (`not-on-this-target`).
        """
        source = getattr(self._target, "logs", None)
        if source is None:
            raise UserError("this target does not keep what replicas write", code="not-on-this-target")
        names = [each.name for each in self.status().workloads]
        if workload not in names:
            raise UserError(
                f"there is no workload {workload}",
                code="unknown-workload",
                mend=f"one of: {', '.join(names) or 'none yet'}",
            )
        lines: AsyncIterator[LogLine] = source(workload, follow=follow, tail=max(0, min(tail, TAIL_MAX)))
        return lines

    async def _news(self, idle_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(idle_s):
                await self._loop.passed()
                return True
        return False

    def _answered(self, intent: str) -> Answer | None:
        """Return the answer that an intent of this id has had, from this maintainer or one before."""
        for entry in self._reader.about(intent):
            if entry.kind == "intent" and entry.body.get("accepted") is not None:
                told = {name: entry.body.get(name) for name in ("accepted", "code", "detail")}
                return msgspec.convert(told | {"intent": intent}, type=Answer)
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""

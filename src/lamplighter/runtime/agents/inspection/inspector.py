"""Asks shards about their agents, whoever holds them: over their sockets, a connection for each question."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from lamplighter.runtime.agents import sockets as unix
from lamplighter.runtime.agents import wire
from lamplighter.runtime.agents.errors import UnreachedError, told
from lamplighter.runtime.agents.inspection import values
from lamplighter.runtime.agents.inspection.values import Busy, Letter, Query
from lamplighter.runtime.agents.pool import layout
from lamplighter.runtime.agents.post import ERROR, failure
from lamplighter.runtime.agents.seats import partition_of

AGAIN_S = 0.05
"""Between two tries to reach a shard."""
TIMEOUT_S = 10.0


class Inspector:
    """Looks into the shards of a pool.

    Args:
        sockets: the shards' unix sockets, in the order of their numbers.
        partitions: as the shards'.
        timeout_s: how long a shard may take to answer, or to be somewhere.

    Raises (each method):
        UnreachedError: nobody holds a shard, or it did not answer in time.
    """

    def __init__(
        self, sockets: Sequence[Path], *, partitions: int = 64, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._sockets = sockets
        self._partitions = partitions
        self._timeout_s = timeout_s

    @classmethod
    def of(cls, folder: Path | str, *, timeout_s: float = TIMEOUT_S) -> Self:
        """Return an inspector of the pool in a folder.

        Raises:
            UserError: there is no pool.
        """
        pool = layout.found(Path(folder))
        return cls(pool.sockets, partitions=pool.card.partitions, timeout_s=timeout_s)

    async def kinds(self) -> dict[str, int]:
        """How many agents there are of each kind."""
        found: Counter[str] = Counter()
        for counts in await self._all(values.Count(), dict[str, int]):
            found.update(counts)
        return dict(sorted(found.items()))

    async def agents(self, prefix: str = "", *, after: str = "", most: int = 100) -> list[str]:
        """Addresses in their order; to go on, name the last one as `after`.

        Args:
            prefix: that they begin with, such as `reader/`.
            after: only those that come after it.
            most: how many at most.
        """
        found = await self._all(values.List(prefix, after, most), list[str])
        return sorted(address for addresses in found for address in addresses)[:most]

    async def show(self, address: str) -> values.Agent:
        """All that is known of an agent; `known` says whether there is one."""
        shard = partition_of(address, self._partitions) % len(self._sockets)
        found: values.Agent = await self._ask(shard, values.Show(address), values.Agent)
        return found

    async def top(self, most: int = 20) -> list[Busy]:
        """The agents with most messages waiting."""
        found = [one for shard in await self._all(values.Top(most), list[Busy]) for one in shard]
        return sorted(found, key=lambda one: (-one.waiting, not one.suspended, one.address))[:most]

    async def dead(self, prefix: str = "", *, most: int = 100) -> list[Letter]:
        """Dead letters, oldest first; those of addresses that begin with `prefix`."""
        found = [one for shard in await self._all(values.Dead(prefix, most), list[Letter]) for one in shard]
        return sorted(found, key=lambda letter: letter.at_s)[:most]

    async def bury(self, prefix: str = "", *, letter: tuple[int, int] | None = None) -> int:
        """Throw dead letters away for good: of a prefix, or the one (partition, number); returns how many."""
        return await self._away(values.Bury(again=False, prefix=prefix, letter=letter))

    async def replay(self, prefix: str = "", *, letter: tuple[int, int] | None = None) -> int:
        """Send dead letters again: of a prefix, or the one (partition, number); returns how many."""
        return await self._away(values.Bury(again=True, prefix=prefix, letter=letter))

    async def stats(self) -> dict[str, float]:
        """What the shards have done since their hosts have them, and have under way; added up."""
        found: Counter[str] = Counter()
        for stats in await self._all(values.Stats(), dict[str, float]):
            found.update(stats)
        return dict(found)

    async def _away(self, query: values.Bury) -> int:
        if query.letter is not None:
            return int(await self._ask(query.letter[0] % len(self._sockets), query, int))
        return sum(await self._all(query, int))

    async def _all(self, query: Query, answer: Any) -> list[Any]:
        return await asyncio.gather(*(self._ask(shard, query, answer) for shard in range(len(self._sockets))))

    async def _ask(self, shard: int, query: Query, answer: Any) -> Any:
        """Ask one shard, and again if it moves meanwhile: every question may be asked twice."""
        packed = b""
        try:
            async with asyncio.timeout(self._timeout_s):
                while not packed:
                    try:
                        packed = await self._answer(shard, query)
                    except (OSError, asyncio.IncompleteReadError):
                        await asyncio.sleep(AGAIN_S)
        except TimeoutError as error:
            raise UnreachedError(
                f"shard {shard} did not answer within {self._timeout_s:g} s", retry_after_s=self._timeout_s
            ) from error
        _, status, payload = wire.to_client(packed).singles[0]
        if status == ERROR:
            raise told(*failure(payload))
        return msgspec.msgpack.decode(payload, type=answer)

    async def _answer(self, shard: int, query: Query) -> bytes:
        with unix.address(self._sockets[shard]) as path:
            reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(wire.framed(wire.Inspect(query)))
            (length,) = wire.LENGTH.unpack(await reader.readexactly(wire.LENGTH.size))
            return await reader.readexactly(length)
        finally:
            writer.close()

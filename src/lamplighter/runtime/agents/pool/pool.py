"""A host of a pool: opens the shards that are to be its own, closes those that are not any more.

Nobody leads. Each host looks who lives, works out who is to have what, and acts on its own part of it. That
two never have the same shard is not left to this: a shard's folder is locked, and its epoch counts owners.

    who lives ─▶ placed ─▶ mine, and open nowhere: open (recover, raise the epoch, listen)
                        └▶ another's, and open here: close (write what waits, sync, let go)
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Self

from lamplighter.model.errors import EnvironmentFault, LampError, OwnedError
from lamplighter.runtime.agents.agent import Agent
from lamplighter.runtime.agents.client import AgentClient
from lamplighter.runtime.agents.driver import TURN_TIMEOUT_S
from lamplighter.runtime.agents.kinds import Kind, registry
from lamplighter.runtime.agents.pool import layout
from lamplighter.runtime.agents.pool.placement import placed
from lamplighter.runtime.agents.pool.presence import Living, Presence, living
from lamplighter.runtime.agents.runtime import Runtime

LOOK_S = 0.2
"""Between two looks at who lives."""
PENDING_S = 0.02
"""The same while a shard is to come here and its former host has not let go of it."""
AGAIN_S = 1.0
"""Before a shard that could not be opened, or whose disk failed, is tried again."""
_log = logging.getLogger("lamplighter.agents")


class Pool:
    """One of the processes that host a pool's agents.

    Args:
        folder: of the pool; made if there is none. All hosts of the pool name the same.
        agents: the classes that may be agents.
        partitions: how many parts the agents are dealt into; the same as ever for a folder.
        shards: how many journals those are dealt into, which is as many hosts as can share them; settled when
            the folder is made.
        turn_timeout_s: how long a handler may run without giving way.
        clock: wall time in seconds.

    Raises (on entering):
        AgentDefinitionError: a class is no proper agent.
        UserError: a number does not fit the folder.
        EnvironmentFault: the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path | str,
        agents: Iterable[type[Agent]],
        *,
        partitions: int = 64,
        shards: int = 8,
        turn_timeout_s: float = TURN_TIMEOUT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._agents = list(agents)
        self.kinds: dict[str, Kind] = registry(self._agents)
        self._folder = Path(folder)
        self._numbers = (partitions, shards)
        self._turn_timeout_s = turn_timeout_s
        self._clock = clock
        self.open: dict[int, Runtime] = {}
        """The shards that this host has."""
        self.refused: dict[int, LampError] = {}
        """Those that it should have and cannot open, and why."""
        self._after: dict[int, float] = {}
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._mine: frozenset[int] | None = None
        self._leaving = False
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self.layout: layout.Layout
        self._presence: Presence

    async def __aenter__(self) -> Self:
        partitions, shards = self._numbers
        self.layout = layout.made(self._folder, partitions=partitions, shards=shards)
        self._presence = Presence(self.layout.hosts, self._clock)
        self._presence.take()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()
        assert self._keeper is not None
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        self._presence.release()

    @property
    def name(self) -> str:
        """This host's name among the pool's."""
        return self._presence.said.name

    @property
    def sockets(self) -> list[Path]:
        """Each shard's socket, by number, whoever has it."""
        return self.layout.sockets

    @property
    def partitions(self) -> int:
        """How many parts the agents are dealt into."""
        return self.layout.card.partitions

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done only if this host can go on no longer, with the error: its folder cannot be read."""
        assert self._keeper is not None, "only after it was entered"
        return asyncio.shield(self._keeper)

    @property
    def ready(self) -> bool:
        """Whether every shard that is to be here is open."""
        return self._mine is not None and not self._leaving and self._mine == self.open.keys() - self._ended()

    def hosts(self) -> list[Living]:
        """The pool's hosts that live."""
        return living(self.layout.hosts)

    def client(self, name: str) -> AgentClient:
        """Return a client of this pool; `name` is its session's, new for each process."""
        return AgentClient(self.sockets, name, partitions=self.partitions)

    async def leave(self) -> None:
        """Give all shards away and take no more; returns once none is open here."""
        self._leaving = True
        while self.open or self._busy:
            if self._keeper is None or self._keeper.done():
                await self._close_all()
                return
            self._changed.set()
            await asyncio.sleep(PENDING_S)

    async def _keep(self) -> None:
        """Look, act, and look again."""
        try:
            while True:
                self._changed.clear()
                pending = self._look()
                try:
                    async with asyncio.timeout(PENDING_S if pending else LOOK_S):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        except OSError as error:
            raise EnvironmentFault(
                f"the pool's folder {self._folder} cannot be used any more: {error.strerror}",
                mend="see that it is there and may be written to, then start the host again",
                code="folder-unusable",
            ) from error

    def _look(self) -> bool:
        """Begin whatever is to be done; returns whether something is to come here and could not yet."""
        self._presence.say(leaving=self._leaving, shards=tuple(sorted(self.open)))
        others = [host.name for host in self.hosts() if not host.leaving]
        mine = frozenset(placed(self.layout.card.shards, others).get(self.name, ()))
        self._mine = mine
        now = asyncio.get_running_loop().time()
        for shard in self.open.keys() - self._busy.keys():
            if shard not in mine or shard in self._ended():
                self._begin(shard, self._close(shard))
        wanted = mine - self.open.keys() - self._busy.keys() if not self._leaving else frozenset()
        for shard in wanted:
            if self._after.get(shard, 0.0) <= now:
                self._begin(shard, self._open(shard))
        for shard in self.refused.keys() - mine:
            del self.refused[shard]
        return bool(wanted)

    def _begin(self, shard: int, work: Coroutine[Any, Any, None]) -> None:
        task = self._busy[shard] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda done: self._over(shard, done))

    def _over(self, shard: int, done: asyncio.Task[None]) -> None:
        del self._busy[shard]
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.error("shard-failed shard=%d reason=%r", shard, error)
            self._after[shard] = asyncio.get_running_loop().time() + AGAIN_S
        self._changed.set()

    async def _open(self, shard: int) -> None:
        """Take a shard, unless its former host still has it."""
        runtime = Runtime(
            self.layout.shard(shard),
            self._agents,
            partitions=self.partitions,
            sockets=self.sockets,
            number=shard,
            turn_timeout_s=self._turn_timeout_s,
        )
        begun = time.monotonic()
        try:
            await runtime.__aenter__()
        except OwnedError:
            self._after[shard] = asyncio.get_running_loop().time() + PENDING_S
            return
        except LampError as error:
            if str(error) != str(self.refused.get(shard)):
                _log.error("shard-refused shard=%d code=%s reason=%s", shard, error.code, error.message)
            self.refused[shard] = error
            self._after[shard] = asyncio.get_running_loop().time() + AGAIN_S
            return
        self.refused.pop(shard, None)
        self.open[shard] = runtime
        runtime.ended.add_done_callback(self._fell)
        _log.info("shard-open shard=%d seconds=%.3f", shard, time.monotonic() - begun)

    async def _close(self, shard: int) -> None:
        """Let go of a shard, in order; of one whose disk failed, or that another has, as it is."""
        runtime = self.open[shard]
        begun = time.monotonic()
        why = runtime.failed
        try:
            await runtime.__aexit__()
        finally:
            del self.open[shard]
        if why is not None:
            _log.error("shard-ended shard=%d reason=%s", shard, why)
            self._after[shard] = asyncio.get_running_loop().time() + AGAIN_S
            return
        _log.info("shard-closed shard=%d seconds=%.3f", shard, time.monotonic() - begun)

    def _ended(self) -> set[int]:
        return {shard for shard, runtime in self.open.items() if runtime.failed is not None}

    def _fell(self, ended: asyncio.Future[None]) -> None:
        """A shard has ended; the next look tells why."""
        ended.cancelled() or ended.exception()
        self._changed.set()

    async def _close_all(self) -> None:
        """Close what is open although the keeper has ended."""
        await asyncio.gather(*self._busy.values(), return_exceptions=True)
        await asyncio.gather(*(self._close(shard) for shard in list(self.open)), return_exceptions=True)

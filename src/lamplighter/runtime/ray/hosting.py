"""The actor of a Ray cluster that is one of a pool's hosts.

Shards of its own listen in a folder of sockets on its machine; for all others there is an entrance to a
tunnel, so that its agents' messages reach hosts on other machines through calls of their actors.
"""

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import ray

from lamplighter.runtime.agents.pauses import steady
from lamplighter.runtime.agents.pool.loading import loaded
from lamplighter.runtime.agents.pool.pool import Pool
from lamplighter.runtime.ray.tunnel import OVER, Back, Call, Entrance, Exit, There

NAMESPACE = "lamplighter"
ASK_S = 1.0
"""How long an actor has to say which shards it has."""
AGAIN_S = 0.05
"""Between two times of asking them."""


class Settings(msgspec.Struct, frozen=True):
    """What the hosts of a pool have in common.

    Args:
        pool: its name in the cluster.
        folder: on a file system that all nodes share, with locks that hold between them.
        agents: `module:Class` or `module`, to be imported by each host.
        hosts: how many actors there are.
        partitions: how many parts the agents are dealt into, for ever.
        shards: journals those are dealt into.
    """

    pool: str
    folder: str
    agents: tuple[str, ...]
    hosts: int
    partitions: int
    shards: int

    def actor(self, number: int) -> str:
        """An actor's name in the cluster."""
        return f"{self.pool}/{number}"


class Way:
    """The way to one actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self.lost = False
        """Whether it failed or refused a piece: once it has, where shards are is to be asked again."""

    async def __call__(self, trunk: str, pieces: list[There]) -> list[Back]:
        """Carry pieces; see `tunnel.Call`."""
        try:
            back: list[Back] = await self._actor.exchange.remote(trunk, pieces)
        except ray.exceptions.RayError:
            self.lost = True
            raise
        self.lost = self.lost or any(number == OVER for _, number, _ in back)
        return back


class Directory:
    """Knows which actor has which shard, as they say themselves.

    Args:
        settings: of the pool.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ways: dict[Any, Way] = {}
        self._where: dict[int, Way] = {}
        self._asking: asyncio.Task[None] | None = None

    async def find(self, shard: int) -> Call | None:
        """Return the way to the actor that has a shard; see `tunnel.Find`."""
        way = self._where.get(shard)
        if way is None or way.lost:
            await self.ask()
            way = self._where.get(shard)
        return way

    async def ask(self) -> None:
        """Ask every actor what it has; whoever asks meanwhile waits for the same answers."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        await asyncio.shield(self._asking)

    def known(self) -> int:
        """How many shards are open somewhere, as far as is known."""
        return len(self._where)

    async def _ask(self) -> None:
        answers = await asyncio.gather(*(self._shards(n) for n in range(self._settings.hosts)))
        ways = {actor._actor_id: Way(actor) for actor, shards in answers if shards}  # noqa: SLF001 - its name
        kept = {key: way for key, way in self._ways.items() if not way.lost}
        self._ways = {key: kept.get(key, way) for key, way in ways.items()}
        self._where = {
            shard: self._ways[actor._actor_id]  # noqa: SLF001
            for actor, shards in answers
            for shard in shards
        }
        await asyncio.sleep(AGAIN_S)

    async def _shards(self, number: int) -> tuple[Any, list[int]]:
        with contextlib.suppress(ray.exceptions.RayError, TimeoutError, ValueError):
            actor = await asyncio.to_thread(ray.get_actor, self._settings.actor(number), NAMESPACE)
            async with asyncio.timeout(ASK_S):
                return actor, await actor.shards.remote()
        return None, []


class _NodePool(Pool):
    """A host whose sockets are in a folder of its own."""

    paths: list[Path] = []

    @property
    def sockets(self) -> list[Path]:
        """Each shard's socket on this node, by number."""
        return self.paths


class Hosting:
    """A host of a pool; `cluster.RayPool` makes an actor of it."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]  # Ray awaits it
        self._home = tempfile.TemporaryDirectory(prefix="lamp-")
        paths = [Path(self._home.name) / f"{shard:03d}" for shard in range(settings.shards)]
        self._pool = _NodePool(
            settings.folder, loaded(settings.agents), partitions=settings.partitions, shards=settings.shards
        )
        self._pool.paths = paths
        self._entrance = Entrance(paths, Directory(settings).find)
        self._exit = Exit(paths, lambda shard: shard in self._pool.open)
        await self._entrance.start()
        await self._pool.__aenter__()
        self._leaving = False
        self._pool.ended.add_done_callback(self._ended)
        steady()

    async def shards(self) -> list[int]:
        """Return the shards that are open here."""
        return sorted(self._pool.open)

    async def exchange(self, trunk: str, pieces: list[There]) -> list[Back]:
        """Take pieces for shards, and return what they send back; see `tunnel.Exit`."""
        return await self._exit.exchange(trunk, pieces)

    def _ended(self, _: object) -> None:
        """A host that cannot go on ends its process, so that Ray starts another."""
        if not self._leaving:
            os._exit(1)

    async def leave(self) -> None:
        """Let go of all shards, and end what runs here."""
        self._leaving = True
        await self._pool.__aexit__()
        self._exit.close()
        await self._entrance.close()
        self._home.cleanup()

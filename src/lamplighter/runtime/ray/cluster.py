"""A pool of agents on a Ray cluster, as a program sees it that is connected to that cluster."""

import asyncio
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import ray

from lamplighter.model.errors import EnvironmentFault
from lamplighter.runtime.agents.client import AgentClient
from lamplighter.runtime.ray.hosting import NAMESPACE, Directory, Hosting, Settings
from lamplighter.runtime.ray.tunnel import Entrance

CALLS_AT_ONCE = 10_000
"""Of one actor: connections of clients and hosts wait in them for what comes back."""
READY_S = 60.0
SHARDS_EACH = 2
LEAVE_S = 30.0


class RayPool:
    """Hosts on a cluster: actors that Ray spreads over its nodes and starts again elsewhere if a node dies.

    The actors are detached: they stay when this program ends, and a program that names the same pool finds
    them. `end` ends them.

    Args:
        folder: of the pool, on a file system that all nodes share and that locks files between them. What is
            acknowledged is there, whatever becomes of a node.
        agents: `module:Class` or `module`, which every node can import.
        hosts: how many actors.
        partitions: how many parts the agents are dealt into; the same as ever for a folder. They are in two
            journals for each host, so that those of a host that dies are dealt out evenly.
        name: of the pool in the cluster.
        options: of the actors, such as `{"num_cpus": 1, "resources": {"ssd": 1}}`.
    """

    def __init__(
        self,
        folder: Path | str,
        agents: Iterable[str],
        *,
        hosts: int = 4,
        partitions: int = 64,
        name: str = "agents",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings = Settings(
            name, str(folder), tuple(agents), hosts, partitions, min(SHARDS_EACH * hosts, partitions)
        )
        self._options = {"num_cpus": 1, "scheduling_strategy": "SPREAD", **(options or {})}
        self._directory = Directory(self.settings)
        self._home: tempfile.TemporaryDirectory[str]
        self._entrance: Entrance
        self.sockets: list[Path] = []
        """Each shard's socket, by number, on this machine: an entrance to where it is."""

    async def __aenter__(self) -> Self:
        actor = ray.remote(Hosting)
        for number in range(self.settings.hosts):
            actor.options(
                name=self.settings.actor(number),
                namespace=NAMESPACE,
                lifetime="detached",
                get_if_exists=True,
                max_restarts=-1,
                max_concurrency=CALLS_AT_ONCE,
                **self._options,
            ).remote(self.settings)
        await self._wait()
        self._home = tempfile.TemporaryDirectory(prefix="lamp-")
        self.sockets = [Path(self._home.name) / f"{shard:03d}" for shard in range(self.settings.shards)]
        self._entrance = Entrance(self.sockets, self._directory.find)
        await self._entrance.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._entrance.close()
        self._home.cleanup()

    def client(self, name: str) -> AgentClient:
        """Return a client of this pool; `name` is its session's, new for each process."""
        return AgentClient(self.sockets, name, partitions=self.settings.partitions)

    async def end(self) -> None:
        """End the actors in order: what was accepted is in the folder, for whoever hosts it next."""
        for number in range(self.settings.hosts):
            try:
                actor = ray.get_actor(self.settings.actor(number), NAMESPACE)
            except ValueError:
                continue
            try:
                async with asyncio.timeout(LEAVE_S):
                    await actor.leave.remote()
            except (TimeoutError, ray.exceptions.RayError):
                pass  # killed below; another may take its shards then
            ray.kill(actor)

    async def _wait(self) -> None:
        """Wait until every shard is open somewhere.

        Raises:
            EnvironmentFault: the cluster has no room for the actors, or they cannot open their shards.
        """
        try:
            async with asyncio.timeout(READY_S):
                while self._directory.known() < self.settings.shards:
                    await self._directory.ask()
        except TimeoutError as error:
            raise EnvironmentFault(
                f"after {READY_S:g} s only {self._directory.known()} of {self.settings.shards} shards of the"
                f" pool {self.settings.pool} are open",
                mend="see with `ray status` whether the cluster has room for the hosts, and in the actors'"
                " logs what they say; the folder must be on all nodes",
                code="ray-hosts-missing",
            ) from error

"""The runtime as a program uses it: `async with Runtime(folder, agents=[Reader]) as runtime`.

It is one host with all its partitions unless it is told its place among several.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from lamplighter.model.errors import EnvironmentFault, LampError
from lamplighter.runtime.agents.agent import Agent, Message
from lamplighter.runtime.agents.carrier import Carrier
from lamplighter.runtime.agents.driver import TURN_TIMEOUT_S, Driver, Place, opened
from lamplighter.runtime.agents.errors import AskTimeoutError, told
from lamplighter.runtime.agents.host import Host
from lamplighter.runtime.agents.kinds import ENCODE, Kind, kind_of, registry
from lamplighter.runtime.agents.post import ERROR, Status, failure
from lamplighter.runtime.agents.release import Release
from lamplighter.runtime.agents.server import Server
from lamplighter.runtime.agents.store import Folder
from lamplighter.runtime.agents.turn import ASK_TIMEOUT_S


class Runtime:
    """Durable agents in this process.

    Args:
        folder: where their states are kept; made if there is none. One process at a time has it.
        agents: the classes that may be agents.
        partitions: how many parts the agents are dealt into; the same as ever for a folder.
        sockets: unix sockets of all hosts, if clients or other hosts are to reach this one.
        number: which of them is this one's.
        turn_timeout_s: how long a handler may run without giving way; then it is interrupted, for good.
        carrier: brings messages to the other hosts; their sockets by default.

    Raises (on entering):
        OwnedError: another process has the folder.
        DamagedError: what is in it was altered.
        AgentDefinitionError: a class is no proper agent.
    """

    def __init__(  # noqa: PLR0913 - all but two have defaults, by name
        self,
        folder: Path | str,
        agents: Iterable[type[Agent]],
        *,
        partitions: int = 64,
        sockets: Sequence[Path] = (),
        number: int = 0,
        turn_timeout_s: float = TURN_TIMEOUT_S,
        carrier: Carrier | None = None,
    ) -> None:
        self.kinds: dict[str, Kind] = registry(agents)
        self._folder = Path(folder)
        self._place = Place(number, max(1, len(sockets)), partitions)
        self._server = Server(self._place, list(sockets), carrier) if sockets else None
        self._turn_timeout_s = turn_timeout_s
        self._driver: Driver | None = None
        self._token = 0
        self._asked: dict[int, asyncio.Future[tuple[Status, bytes]]] = {}

    async def __aenter__(self) -> Self:
        folder = Folder(self._folder)
        store = await asyncio.to_thread(opened, folder, self.kinds, self._place, time.time)
        self._driver = Driver(
            store,
            self.kinds,
            self._place,
            clock=time.time,
            released=self._released,
            turn_timeout_s=self._turn_timeout_s,
        )
        if self._server is not None:
            try:
                await self._server.start(self._driver)
            except OSError as error:
                await self._driver.close()
                raise EnvironmentFault(
                    f"nothing can listen in {self._folder}: {error.strerror}", code="folder-unusable"
                ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.close()
        await self._running.close()
        self._released(Release())

    @property
    def host(self) -> Host:
        """The host itself, for its counts."""
        return self._running.host

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when the host has ended; with the error if its disk has failed."""
        return asyncio.shield(self._running.ended)

    @property
    def failed(self) -> BaseException | None:
        """Why the host has ended, if it had to."""
        ended = self._running.ended
        return ended.exception() if ended.done() else None

    async def send(self, address: str, message: Message) -> None:
        """Send a message to an agent; returns when it is accepted for good.

        Raises:
            UnknownKindError: the address names no kind of agent here.
            OverloadedError: there is no room; try again after `retry_after_s`.
            DiskError: the disk has failed; whether the message was accepted is not known.
        """
        self._running.host.submit(address, ENCODE(message))
        await self._running.durable()

    async def ask(self, address: str, message: Message, *, timeout_s: float = ASK_TIMEOUT_S) -> Any:
        """Send a message to an agent and return what its handler returns, once that is durable.

        Raises:
            AskTimeoutError: no answer in time; the turn may still take place.
            TurnError: the turn failed; as the error that it was.
            LampError: as `send`.
        """
        kind = kind_of(self.kinds, address)
        self._token += 1
        token = self._token
        future = self._asked[token] = asyncio.get_running_loop().create_future()
        try:
            self._running.host.submit(address, ENCODE(message), token)
            self._running.wake()
            async with asyncio.timeout(timeout_s):
                status, payload = await future
        except TimeoutError as error:
            raise AskTimeoutError(f"{address} did not answer within {timeout_s:g} s") from error
        finally:
            del self._asked[token]
        if status == ERROR:
            raise told(*failure(payload))
        return kind.answers[type(message)](payload)

    @property
    def _running(self) -> Driver:
        if self._driver is None:
            raise LampError("the runtime is not entered", mend="use it in `async with`", code="not-running")
        return self._driver

    def _released(self, release: Release) -> None:
        if self._running.ended.done():
            error = self._running.ended.exception() or LampError("the runtime has ended")
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(error)
            return
        for sender, _, token, status, payload in release.answers:
            if not sender and token in self._asked and not self._asked[token].done():
                self._asked[token].set_result((status, payload))
        if self._server is not None:
            self._server.released(release)

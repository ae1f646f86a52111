"""A client of hosts in other processes: its session's messages are accepted once, in order.

What is sent between two rounds of the event loop goes out as one batch. What a host has not accepted is sent
again, in order, after a reconnect or when the host asks for it; hosts know by the sequence what they have.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Self
from zlib import crc32

from lamplighter.runtime.agents import sockets as unix
from lamplighter.runtime.agents import wire
from lamplighter.runtime.agents.agent import Message
from lamplighter.runtime.agents.errors import AskTimeoutError, told
from lamplighter.runtime.agents.inspection.inspector import Inspector
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.pool import layout
from lamplighter.runtime.agents.post import ERROR, Status, failure
from lamplighter.runtime.agents.turn import ASK_TIMEOUT_S
from lamplighter.runtime.agents.wire import Have, Hello, Offer, Offers, Stream

AGAIN_S = 0.1
CONNECT_S = 0.05
UNACCEPTED_MAX = 100_000
"""Messages on their way; beyond that `send` waits."""
Waiting = tuple[int, str, bytes, bool, asyncio.Future[None] | None]


class AgentClient:
    """A session with all hosts.

    Args:
        sockets: the hosts' unix sockets, in the order of their numbers.
        name: of the session. One that comes again after its process has ended must use a new name.
        partitions: as the hosts'.
    """

    def __init__(self, sockets: Sequence[Path], name: str, *, partitions: int = 64) -> None:
        self._sockets = sockets
        self._name = name
        self._partitions = partitions
        self._streams: dict[int, Stream] = {}
        self._unaccepted: list[deque[Waiting]] = [deque() for _ in range(partitions)]
        self._sent = [0] * partitions
        self._offered = [0] * partitions
        self._answered = [0] * partitions
        self._asked: dict[tuple[int, int], asyncio.Future[tuple[Status, bytes]]] = {}
        self._scheduled = False
        self._tasks: list[asyncio.Task[None]] = []
        self._room: asyncio.Event = asyncio.Event()
        self.unaccepted = 0
        """Messages sent and not known to be durable."""

    @classmethod
    def of(cls, folder: Path | str, name: str) -> Self:
        """Return a client of the pool in a folder, whoever hosts it.

        Raises:
            UserError: there is no pool.
        """
        pool = layout.found(Path(folder))
        return cls(pool.sockets, name, partitions=pool.card.partitions)

    @property
    def inspect(self) -> Inspector:
        """Looks into the agents that this client sends to."""
        return Inspector(self._sockets, partitions=self._partitions)

    async def __aenter__(self) -> Self:
        for host in range(len(self._sockets)):
            self._tasks.append(asyncio.get_running_loop().create_task(self._keep(host)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stream in self._streams.values():
            stream.close()

    def post(self, address: str, payload: bytes, done: asyncio.Future[None] | None = None) -> None:
        """Send an encoded message without waiting; `done` is told when it is accepted for good."""
        self._put(address, payload, done, answers=False)

    async def send(self, address: str, message: Message) -> None:
        """Send a message; returns when it is accepted for good, waiting for room if need be."""
        while self.unaccepted >= UNACCEPTED_MAX:
            self._room.clear()
            await self._room.wait()
        done = asyncio.get_running_loop().create_future()
        self._put(address, ENCODE(message), done, answers=False)
        await done

    async def ask(
        self, address: str, message: Message, answer: Any = Any, *, timeout_s: float = ASK_TIMEOUT_S
    ) -> Any:
        """Send a message and return what its handler returns, as the type `answer`.

        Raises:
            AskTimeoutError: no answer in time; the turn may still take place.
            TurnError: the turn failed; as the error that it was.
        """
        future = asyncio.get_running_loop().create_future()
        key = self._put(address, ENCODE(message), None, answers=True)
        self._asked[key] = future
        try:
            async with asyncio.timeout(timeout_s):
                status, payload = await future
        except TimeoutError as error:
            raise AskTimeoutError(f"{address} did not answer within {timeout_s:g} s") from error
        finally:
            self._asked.pop(key, None)
        if status == ERROR:
            raise told(*failure(payload))
        return wire.decoded(payload, answer)

    async def progress(self) -> None:
        """Wait until a host says something."""
        self._room.clear()
        await self._room.wait()

    async def drain(self) -> None:
        """Wait until all that was sent is accepted for good."""
        while self.unaccepted:
            self._room.clear()
            await self._room.wait()

    def _put(
        self, address: str, payload: bytes, done: asyncio.Future[None] | None, *, answers: bool
    ) -> tuple[int, int]:
        partition = crc32(address.encode()) % self._partitions
        self._sent[partition] = sequence = self._sent[partition] + 1
        self._unaccepted[partition].append((sequence, address, payload, answers, done))
        self.unaccepted += 1
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)
        return partition, sequence

    def _flush(self) -> None:
        """Send what was put since the last time, one batch to a host."""
        self._scheduled = False
        batches: dict[int, list[Offer]] = {}
        for partition, sent in enumerate(self._sent):
            fresh = sent - self._offered[partition]
            host = partition % len(self._sockets)
            if fresh and host in self._streams:
                waiting = self._unaccepted[partition]
                messages = [waiting[n] for n in range(len(waiting) - fresh, len(waiting))]
                batches.setdefault(host, []).extend(_offers(partition, messages))
                self._offered[partition] = sent
        for host, offers in batches.items():
            self._streams[host].write(Offers(offers))

    def _took(self, host: int, _: Stream, packed: bytes) -> None:
        message = wire.to_client(packed)
        for partition, sequence in message.accepted:
            waiting = self._unaccepted[partition]
            while waiting and waiting[0][0] <= sequence:
                done = waiting.popleft()[4]
                self.unaccepted -= 1
                if done is not None and not done.done():
                    done.set_result(None)
        for partition, _sequence in message.again:
            asyncio.get_running_loop().call_later(AGAIN_S, self._go_back, partition)
        for partition, sequence, status, payload in message.answers:
            future = self._asked.get((partition, sequence))
            if future is not None and not future.done():
                future.set_result((status, payload))  # type: ignore[arg-type]  # a status
            self._answered[partition] = max(self._answered[partition], sequence)
        if message.answers:
            self._have(host, {partition for partition, *_ in message.answers})
        self._room.set()

    def _have(self, host: int, partitions: set[int]) -> None:
        """Tell a host which answers it need not keep: those before the first that is still waited for."""
        upto = []
        for partition in partitions:
            open_ones = [
                sequence
                for where, sequence in self._asked
                if where == partition and not self._asked[where, sequence].done()
            ]
            upto.append((partition, min([self._answered[partition], *(one - 1 for one in open_ones)])))
        if host in self._streams:
            self._streams[host].write(Have(upto))

    def _go_back(self, partition: int) -> None:
        waiting = self._unaccepted[partition]
        self._offered[partition] = waiting[0][0] - 1 if waiting else self._sent[partition]
        self._flush()

    async def _keep(self, host: int) -> None:
        """Stay connected to a host; after each connect, go back to what it has not accepted."""
        loop = asyncio.get_running_loop()
        while True:
            gone = asyncio.Event()
            with contextlib.suppress(OSError):
                with unix.address(self._sockets[host]) as path:
                    _, stream = await loop.create_unix_connection(
                        partial(Stream, partial(self._took, host), partial(_set, gone)), path
                    )
                stream.write(Hello(self._name))
                self._streams[host] = stream
                for partition in range(host, self._partitions, len(self._sockets)):
                    self._go_back(partition)
                await gone.wait()
                del self._streams[host]
            await asyncio.sleep(CONNECT_S)


def _set(event: asyncio.Event, _: Stream) -> None:
    event.set()


def _offers(partition: int, messages: list[Waiting]) -> list[Offer]:
    """Put messages together that follow each other and want answers alike."""
    return [
        Offer(partition, run[0][0], [one[1] for one in run], [one[2] for one in run], answers)
        for answers, group in groupby(messages, key=lambda message: message[3])
        for run in [list(group)]
    ]

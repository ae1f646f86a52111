"""A session that brings a broker's messages to hosts, under the broker's own numbers.

What is put in order is accepted once, whatever crashes: a reader that begins again puts again what it is not
sure of, and hosts pass over what they have. `floor` says up to which number everything is durable.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

from lamplighter.runtime.agents import sockets as unix
from lamplighter.runtime.agents import wire
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.pool import layout
from lamplighter.runtime.agents.seats import partition_of
from lamplighter.runtime.agents.wire import Hello, Numbered, Stream, Stretches
from lamplighter.runtime.brokers.arrival import Arrival, BrokerError, Route

AGAIN_S = 0.1
"""How long to wait before what there was no room for is offered again."""
CONNECT_S = 0.05
WINDOW = 20_000
"""Messages on their way; beyond that a reader waits."""
Waiting = tuple[int, str, bytes]


class Session:
    """One broker's stream, as hosts know it.

    Args:
        sockets: the hosts' unix sockets, in the order of their numbers.
        name: of the stream, for ever the same, and no other's; one process at a time reads under it.
        route: whom messages go to.
        partitions: as the hosts'.

    Attributes:
        floor: all messages up to this number are durable, or were passed over.
    """

    def __init__(self, sockets: Sequence[Path], name: str, route: Route, *, partitions: int = 64) -> None:
        self._sockets = sockets
        self._name = f"way/{name}"
        self._route = route
        self._partitions = partitions
        self._streams: dict[int, Stream] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._moved = asyncio.Event()
        self._scheduled = False
        self._unaccepted: list[deque[Waiting]] = []
        self._offered: list[int] = []
        self._order: deque[int] = deque()
        self._done: set[int] = set()
        self._highest = 0
        self._fault: BrokerError | None = None
        self.floor = 0
        self.begin(0, 0)

    @classmethod
    def of(cls, folder: Path | str, name: str, route: Route) -> Self:
        """Return a session with the pool in a folder, whoever hosts it.

        Raises:
            UserError: there is no pool.
        """
        pool = layout.found(Path(folder))
        return cls(pool.sockets, name, route, partitions=pool.card.partitions)

    def beside(self, part: str) -> "Session":
        """Return another session for a part of the stream that is numbered by itself."""
        name = f"{self._name.removeprefix('way/')}/{part}"
        return Session(self._sockets, name, self._route, partitions=self._partitions)

    async def __aenter__(self) -> Self:
        for host in range(len(self._sockets)):
            self._tasks.append(asyncio.get_running_loop().create_task(self._keep(host)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stream in list(self._streams.values()):
            stream.close()

    def begin(self, floor: int, last: int) -> None:
        """Begin to read anew.

        Args:
            floor: all up to this number must be durable here; the next to be put is after it.
            last: the last number that the broker has given so far.

        Raises:
            BrokerError: it has given numbers before that it does not know of any more.
        """
        if self._fault is not None:
            raise self._fault
        self._highest = last
        self._unaccepted = [deque() for _ in range(self._partitions)]
        self._offered = [0] * self._partitions
        self._order.clear()
        self._done.clear()
        self.floor = floor
        self._moved.set()

    def put(self, arrival: Arrival) -> None:
        """Bring the next message; numbers must grow from one to the next."""
        self._order.append(arrival.sequence)
        self._highest = max(self._highest, arrival.sequence)
        routed = self._route(arrival)
        if routed is None:
            self._passed(arrival.sequence)
            return
        address, message = routed
        self._unaccepted[partition_of(address, self._partitions)].append(
            (arrival.sequence, address, ENCODE(message))
        )
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    @property
    def full(self) -> bool:
        """Whether a reader should wait.

        Raises:
            BrokerError: as `begin`.
        """
        if self._fault is not None:
            raise self._fault
        return len(self._order) >= WINDOW

    async def moved(self, timeout_s: float) -> None:
        """Wait until more is durable, or so long."""
        self._moved.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._moved.wait()

    def _passed(self, sequence: int) -> None:
        self._done.add(sequence)
        while self._order and self._order[0] in self._done:
            self.floor = self._order.popleft()
            self._done.discard(self.floor)
        self._moved.set()

    def _flush(self) -> None:
        """Offer what was put since the last time, one batch to a host."""
        self._scheduled = False
        batches: dict[int, list[Numbered]] = {}
        for partition, waiting in enumerate(self._unaccepted):
            host = partition % len(self._sockets)
            if waiting and waiting[-1][0] > self._offered[partition] and host in self._streams:
                batches.setdefault(host, []).append(self._stretch(partition))
        for host, stretches in batches.items():
            self._streams[host].write(Stretches(stretches))

    def _stretch(self, partition: int) -> Numbered:
        offered, fresh, after = self._offered[partition], [], 0
        for each in reversed(self._unaccepted[partition]):
            if each[0] <= offered:
                after = each[0]
                break
            fresh.append(each)
        fresh.reverse()
        self._offered[partition] = fresh[-1][0]
        sequences, addresses, payloads = zip(*fresh, strict=True)
        return Numbered(partition, after, list(sequences), list(addresses), list(payloads))

    def _took(self, _: Stream, packed: bytes) -> None:
        message = wire.to_client(packed)
        for partition, sequence in message.accepted:
            if sequence > self._highest:
                self._fault = _went_back(self._name, sequence, self._highest)
                return
            waiting = self._unaccepted[partition]
            while waiting and waiting[0][0] <= sequence:
                self._passed(waiting.popleft()[0])
        for partition, _sequence in message.again:
            asyncio.get_running_loop().call_later(AGAIN_S, self._go_back, partition)

    def _go_back(self, partition: int) -> None:
        self._offered[partition] = 0
        self._flush()

    async def _keep(self, host: int) -> None:
        """Stay connected to a host; after each connect, offer again what it has not accepted."""
        loop = asyncio.get_running_loop()
        while True:
            gone = loop.create_future()
            with contextlib.suppress(OSError):
                with unix.address(self._sockets[host]) as path:
                    _, stream = await loop.create_unix_connection(
                        partial(Stream, self._took, partial(_settled, gone)), path
                    )
                stream.write(Hello(self._name))
                self._streams[host] = stream
                self._offered[host :: len(self._sockets)] = [0] * len(
                    range(host, self._partitions, len(self._sockets))
                )
                self._flush()
                await gone
                del self._streams[host]
            await asyncio.sleep(CONNECT_S)


def _went_back(name: str, mark: int, last: int) -> BrokerError:
    return BrokerError(
        f"messages up to {mark} were taken of {name}, but its broker knows of {last} only",
        mend="its numbers have begun again: read it under another name, and have it sync what it keeps",
    )


def _settled(future: "asyncio.Future[None]", _: Stream) -> None:
    if not future.done():
        future.set_result(None)

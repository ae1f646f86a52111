"""A host's face to clients and to other hosts: a socket, and what comes over it.

What a sender offers is only taken in here; the host accepts it, and what it says goes back once it is
durable. A host that is full is not read from until it has room again.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from lamplighter.runtime.agents import sockets, wire
from lamplighter.runtime.agents.carrier import Carrier
from lamplighter.runtime.agents.driver import Driver, Place
from lamplighter.runtime.agents.endings import told
from lamplighter.runtime.agents.host import Host
from lamplighter.runtime.agents.inspection.looking import answer
from lamplighter.runtime.agents.inspection.values import Query
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.links import Again, Link, Run, Taken, runs
from lamplighter.runtime.agents.numbered import Stretch
from lamplighter.runtime.agents.post import ERROR, VALUE, Status
from lamplighter.runtime.agents.release import Release
from lamplighter.runtime.agents.singles import Callers
from lamplighter.runtime.agents.wire import (
    Forget,
    Have,
    Hello,
    Inspect,
    Links,
    Offer,
    Offers,
    Singles,
    Stream,
    Stretches,
    ToHost,
    Told,
)

AGAIN_S = 0.1
"""How long a sender waits before it goes back to what there was no room for."""
CONNECT_S = 0.05
"""Between two tries to reach another host."""
FORGET_S = 60.0
"""Between two looks for sessions that idle for too long."""
STALE_S = 1.0
"""How long a carrier has for what is not acknowledged, before it is sent again."""
ACCEPTING_ROUNDS = 3
"""Rounds of the loop from a connection that waits to one that can be closed: noticed, accepted, made."""
FULL_S = 0.005
"""How often a full host is looked at for room."""


class Server:
    """Carries what comes and goes between a host and the others.

    Args:
        place: which of the hosts this is.
        paths: each host's unix socket, by number.
        carrier: brings links to other hosts; their sockets by default.
    """

    def __init__(self, place: Place, paths: list[Path], carrier: Carrier | None = None) -> None:
        self._place = place
        self._carrier = carrier
        self._sockets = paths
        self._driver: Driver
        self._server: asyncio.Server | None = None
        self._streams: set[Stream] = set()
        self._sessions: dict[str, Stream] = {}
        self._hosts: dict[int, Stream] = {}
        self._singles = Callers()
        self._tasks: list[asyncio.Task[None]] = []
        self._again: dict[tuple[int, int], asyncio.TimerHandle] = {}
        self._paused = False
        self._closed = False
        self._inode = 0

    async def start(self, driver: Driver) -> None:
        """Listen, and keep a connection to each other host."""
        self._driver = driver
        loop = asyncio.get_running_loop()
        listener = sockets.listening(self._path)
        self._inode = self._path.stat().st_ino
        self._server = await loop.create_unix_server(self._accept, sock=listener)
        self._tasks.append(loop.create_task(self._forget_idle()))
        if self._carrier is not None:
            self._tasks.append(loop.create_task(self._carry(self._carrier)))
            self._tasks.append(loop.create_task(self._send_stale()))
            return
        for number in range(self._place.hosts):
            if number != self._place.number:
                self._tasks.append(loop.create_task(self._keep(number)))

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._stop_listening(self._server)
        for stream in [*self._streams, *self._hosts.values()]:
            stream.close()
        for timer in self._again.values():
            timer.cancel()

    async def _stop_listening(self, server: asyncio.Server) -> None:
        """Have nobody connect any more, and those accepted who have.

        A connection that asyncio accepts as its server closes is left open, and heard by nobody; so the
        socket's name goes first. It stays if another owner has put its own there.
        """
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        for _ in range(ACCEPTING_ROUNDS):
            await asyncio.sleep(0)
        server.close()

    @property
    def _path(self) -> Path:
        return self._sockets[self._place.number]

    def released(self, release: Release) -> None:
        """Send what a frame lets go to where it goes."""
        told: dict[str, Told] = {}
        links: dict[int, list[Link]] = {}
        place = self._place
        for run in runs(release.parcels):
            links.setdefault(run.to % place.partitions % place.hosts, []).append(run)
        for marks, to_host in ((release.accepted, Taken), (release.again, Again)):
            for (sender, by), sequence in marks.items():
                if sender.isdigit():
                    link = to_host(int(sender), by, sequence)
                    links.setdefault(self._host(link.sender), []).append(link)
                else:
                    to_client = _told(told, sender)
                    (to_client.accepted if to_host is Taken else to_client.again).append((by, sequence))
        for sender, by, sequence, status, payload in release.answers:
            if sender:
                _told(told, sender).answers.append((by, sequence, status, payload))
        self._write(told, links)
        self._singles.released(release)

    def _write(self, told: dict[str, Told], links: dict[int, list[Link]]) -> None:
        for sender, message in told.items():
            if (stream := self._sessions.get(sender)) is not None:
                stream.write(message)
        for number, what in links.items():
            if (stream := self._hosts.get(number)) is not None:
                stream.write(Links(self._place.number, what))

    def _host(self, partition: int) -> int:
        return partition % self._place.partitions % self._place.hosts

    def _accept(self) -> Stream:
        stream = Stream(self._took, self._lost)
        self._streams.add(stream)
        return stream

    def _lost(self, stream: Stream) -> None:
        self._streams.discard(stream)
        if self._sessions.get(stream.sender) is stream:
            del self._sessions[stream.sender]

    def _took(self, stream: Stream, packed: bytes) -> None:
        host = self._driver.host
        if self._closed or self._driver.ended.done():  # its sender shall look for the next holder
            stream.close()
            return
        try:
            message = wire.to_host(packed)
        except msgspec.DecodeError:
            stream.close()
            return
        self._heed(host, stream, message)
        self._driver.wake()
        if host.full:
            self._pause()

    def _heed(self, host: Host, stream: Stream, message: ToHost) -> None:
        match message:
            case Offers():
                self._offered(host, stream.sender, message.offers)
            case Links():
                self._linked(message.links)
            case Stretches():
                _numbered(host, stream.sender, message)
            case Hello():
                self._greet(stream, message.sender)
            case Singles():
                self._singles.take(host, stream, message.singles)
            case Forget():
                self._forget(host, message.sessions)
            case Inspect():
                self._ask(stream, message.query)
            case Have():
                for partition, sequence in message.upto:
                    host.received(partition % self._place.partitions, stream.sender, sequence)

    def _offered(self, host: Host, sender: str, offers: list[Offer]) -> None:
        for offer in offers:
            host.offer(
                offer.partition % self._place.partitions,
                sender,
                offer.first,
                offer.addresses,
                offer.payloads,
                answers=offer.answers,
            )

    def _forget(self, host: Host, sessions: list[tuple[int, str]]) -> None:
        for partition, sender in sessions:
            host.forget(partition % self._place.partitions, sender)

    def _ask(self, stream: Stream, query: Query) -> None:
        """Answer a question about this shard, in a task of its own: it may have to go through every agent."""
        task = asyncio.get_running_loop().create_task(self._answer(stream, query))
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)

    async def _answer(self, stream: Stream, query: Query) -> None:
        status: Status = VALUE
        try:
            payload = ENCODE(await answer(self._driver, self._place, query))
        except Exception as error:  # noqa: BLE001 - states are of the user's classes; the asker is told
            status, payload = ERROR, ENCODE(told(error))
        stream.write(Told([], [], [], [(0, status, payload)]))

    def _greet(self, stream: Stream, sender: str) -> None:
        stream.sender = sender if sender.startswith("way/") else f"s/{sender}"  # a broker's mark must last
        before = self._sessions.get(stream.sender)
        if before is not None and before is not stream:
            before.close()
        self._sessions[stream.sender] = stream
        self._driver.host.returned(stream.sender)

    def _linked(self, links: list[Link]) -> None:
        host = self._driver.host
        for link in links:
            match link:
                case Run():
                    host.arrive(link.to, link.sender, link.first, link.parcels)
                case Taken():
                    host.acknowledged(link.sender, link.by, link.sequence)
                case Again() if (link.sender, link.by) not in self._again:
                    later = partial(self._go_back, link.sender, link.by)
                    self._again[link.sender, link.by] = asyncio.get_running_loop().call_later(AGAIN_S, later)

    def _go_back(self, sender: int, by: int) -> None:
        del self._again[sender, by]
        self._driver.host.go_back(sender, by)
        self._driver.wake()

    async def _forget_idle(self) -> None:
        """Have the host forget sessions that idle for too long."""
        while True:
            await asyncio.sleep(FORGET_S)
            self._driver.host.forget_idle(self._sessions)
            self._driver.wake()

    async def _carry(self, carrier: Carrier) -> None:
        """Have links carried; once another host is reached, send it what it has not acknowledged."""
        self_ = Stream(self._took, self._lost)

        def reached(number: int, stream: Stream) -> None:
            self._hosts[number] = stream
            self._driver.host.resend(self._place.own(number))
            self._driver.wake()

        await carrier.carry(self._place.number, self._place.hosts, partial(self._took, self_), reached)

    async def _send_stale(self) -> None:
        """Send again what has not been acknowledged for a while: a carrier may lose the last of a link."""
        before: dict[tuple[int, int], int] = {}
        while True:
            await asyncio.sleep(STALE_S)
            oldest = self._driver.host.unacknowledged()
            for (partition, to), number in oldest.items():
                if before.get((partition, to)) == number:
                    self._driver.host.go_back(partition, to)
            before = oldest
            self._driver.wake()

    async def _keep(self, number: int) -> None:
        """Stay connected to another host; after each connect, send it what it has not acknowledged."""
        loop = asyncio.get_running_loop()
        while True:
            gone = loop.create_future()
            with contextlib.suppress(OSError):
                with sockets.address(self._sockets[number]) as path:
                    _, stream = await loop.create_unix_connection(
                        partial(Stream, self._took, _done(gone)), path
                    )
                self._hosts[number] = stream
                self._driver.host.resend(self._place.own(number))
                self._driver.wake()
                await gone
                del self._hosts[number]
            await asyncio.sleep(CONNECT_S)

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            for stream in self._streams:
                if stream.transport is not None:
                    stream.transport.pause_reading()
            asyncio.get_running_loop().call_later(FULL_S, self._resume)

    def _resume(self) -> None:
        self._paused = False
        if self._driver.host.full:
            self._pause()
            return
        for stream in self._streams:
            if stream.transport is not None and not stream.transport.is_reading():
                stream.transport.resume_reading()


def _done(future: asyncio.Future[None]) -> Callable[[Stream], None]:
    def lost(_: Stream) -> None:
        if not future.done():
            future.set_result(None)

    return lost


def _numbered(host: Host, sender: str, message: Stretches) -> None:
    for one in message.stretches:
        stretch = Stretch(one.after, one.sequences, one.addresses, one.payloads)
        host.numbered.offer(one.partition, sender, stretch)


def _told(told: dict[str, Told], sender: str) -> Told:
    if sender not in told:
        told[sender] = Told([], [], [])
    return told[sender]

"""Tunnels: what comes into a unix socket here goes through calls to a unix socket elsewhere, and back.

    client ─▶ Entrance ── call(trunk, pieces) ─▶ Exit ─▶ a shard's socket
           ◀─          ◀────── pieces ────────       ◀─

Clients and hosts so speak to shards on other machines as they do to those on their own. All connections to
one place share a trunk: a call carries what has come on any of them since the last one, so that many messages
share it. Calls may overtake each other; both ends put each connection's pieces in order by their numbers. A
trunk that breaks closes its connections: whoever had one connects again and sends again what was not
acknowledged.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from lamplighter.runtime.agents import sockets

There = tuple[int, str, int, bytes]
"""A piece on its way there: the shard, the connection's key, the piece's number from 0, bytes."""
Back = tuple[str, int, bytes]
"""A piece on its way back: the connection's key, the piece's number from 0, bytes."""
Call = Callable[[str, list[There]], Awaitable[list[Back]]]
"""Carries pieces to one place, under the trunk's key; returns what came back."""
Find = Callable[[int], Awaitable[Call | None]]
"""Finds the place where a shard is open; None if there is none now. The same place gives equal calls."""
OVER = -1
"""The number of a piece that says, there or back, that its connection is over."""
CALLS_AT_ONCE = 3
"""Of a trunk: one waits for what comes back while others bring what goes there."""
CALL_GAP_S = 0.02
"""Calls of a trunk follow each other no faster, so that under load many messages share one, which costs as
much as forty of them. One that comes after a pause does not wait."""
POLL_S = 2.0
"""How long a call waits for something to bring back."""
FULL_S = 0.05
"""How long a call waits for room at a shard that is full."""
IDLE_S = 30.0
"""After so long without a call an exit takes an entrance for gone."""
WAITING_BYTES_MAX = 8 << 20
"""What may wait in a connection to be carried; beyond that no more is read from it."""
ENDED_MAX = 10_000
"""So many ended connections of a trunk are remembered, for pieces that come after their end."""
LISTEN_S = 0.05
"""Between two looks whether an entrance's sockets are there."""


class Order:
    """Puts numbered pieces in order, and drops what comes twice."""

    def __init__(self) -> None:
        self._next = 0
        self._early: dict[int, bytes] = {}

    def take(self, number: int, piece: bytes) -> bytes:
        """Take a piece; return all that can go on by now."""
        if number >= self._next:
            self._early[number] = piece
        ready = []
        while (found := self._early.pop(self._next, None)) is not None:
            ready.append(found)
            self._next += 1
        return ready[0] if len(ready) == 1 else b"".join(ready)


class _Pipe(asyncio.Protocol):
    """A connection whose bytes are collected until somebody takes them."""

    def __init__(self, changed: Callable[["_Pipe"], None]) -> None:
        self._changed = changed
        self._come = bytearray()
        self._writable = asyncio.Event()
        self._writable.set()
        self.transport: asyncio.Transport | None = None
        self.over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._changed(self)

    def data_received(self, data: bytes) -> None:
        self._come += data
        if len(self._come) > WAITING_BYTES_MAX and self.transport is not None:
            self.transport.pause_reading()
        self._changed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.over, self.transport = True, None
        self._writable.set()
        self._changed(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def come(self) -> bool:
        """Whether there is something to take."""
        return bool(self._come)

    def take(self) -> bytes:
        """Take what has come."""
        taken, self._come = bytes(self._come), bytearray()
        if self.transport is not None and not self.transport.is_reading():
            self.transport.resume_reading()
        return taken

    async def give(self, data: bytes) -> None:
        """Send on; returns once there is room for more, or after a while."""
        if data and self.transport is not None:
            self.transport.write(data)
            if not self._writable.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FULL_S):
                        await self._writable.wait()

    def close(self) -> None:
        """End the connection."""
        if self.transport is not None:
            self.transport.abort()

    def finish(self) -> None:
        """End the connection once all that was given has gone on."""
        if self.transport is not None:
            self.transport.close()


class _End:
    """A connection's end at the exit."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.pipe = _Pipe(lambda _: changed())
        self.opening: asyncio.Task[bool]
        self.order = Order()
        self.brought = 0

    def back(self, key: str) -> Back:
        """Take what goes back, or say that this is over."""
        if not self.pipe.come:
            return (key, OVER, b"")
        number, self.brought = self.brought, self.brought + 1
        return (key, number, self.pipe.take())


class _Far:
    """A trunk's end at the exit."""

    def __init__(self) -> None:
        self.ends: dict[str, _End] = {}
        self.ended: dict[str, None] = {}
        self.changed = asyncio.Event()
        self.calls = 0
        self.used_s = 0.0

    @property
    def news(self) -> bool:
        """Whether there is something to bring back."""
        return any(end.pipe.come or end.pipe.over for end in self.ends.values())

    def told(self) -> list[Back]:
        """Take what goes back by now."""
        back = [end.back(key) for key, end in self.ends.items() if end.pipe.come or end.pipe.over]
        for key, number, _ in back:
            if number == OVER:
                self.end(key)
        return back

    def end(self, key: str) -> None:
        """Forget a connection, and pass over what is still on its way to it."""
        self.ended[key] = None
        if len(self.ended) > ENDED_MAX:
            del self.ended[next(iter(self.ended))]
        if (end := self.ends.pop(key, None)) is not None:
            end.pipe.finish()

    def close(self) -> None:
        """End every connection."""
        for end in self.ends.values():
            end.pipe.close()


class Exit:
    """Brings what comes through tunnels to the shards' sockets on this machine.

    Args:
        paths: the shards' sockets, by number.
        here: whether a shard is open in this process.
    """

    def __init__(self, paths: Sequence[Path], here: Callable[[int], bool]) -> None:
        self._paths = paths
        self._here = here
        self._trunks: dict[str, _Far] = {}

    async def exchange(self, trunk: str, pieces: list[There]) -> list[Back]:
        """Take pieces; return those that came back, once there are some, or more pieces come.

        Args:
            trunk: its key, chosen by its entrance.
            pieces: possibly none, to wait for what comes back.
        """
        now = asyncio.get_running_loop().time()
        self._forget_idle(now)
        far = self._trunks.get(trunk)
        if far is None:
            far = self._trunks[trunk] = _Far()
        far.used_s, far.calls = now, far.calls + 1
        mine = far.calls
        far.changed.set()  # an earlier call that waits goes home
        refused: list[Back] = []
        for shard, key, number, data in pieces:
            if not await self._take(far, shard, key, number, data):
                refused.append((key, OVER, b""))
        if refused:
            return refused + far.told()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                while far.calls == mine and not far.news:
                    far.changed.clear()
                    await far.changed.wait()
        return far.told()

    def close(self) -> None:
        """End every connection."""
        for far in self._trunks.values():
            far.close()
        self._trunks.clear()

    async def _take(self, far: _Far, shard: int, key: str, number: int, data: bytes) -> bool:
        """Bring a piece to its connection, which the first one opens; returns whether there is one."""
        end = far.ends.get(key)
        if number == OVER or key in far.ended:
            far.end(key)
            return True
        if end is None:
            if not self._here(shard):
                far.end(key)
                return False
            end = far.ends[key] = _End(far.changed.set)
            end.opening = asyncio.get_running_loop().create_task(self._open(shard, end.pipe))
        if not end.opening.done():  # pieces that overtake each other wait for the same connection
            await asyncio.wait([end.opening])
        if not end.opening.result():
            far.end(key)
            return False
        await end.pipe.give(end.order.take(number, data))
        return True

    async def _open(self, shard: int, pipe: _Pipe) -> bool:
        try:
            with sockets.address(self._paths[shard]) as path:
                await asyncio.get_running_loop().create_unix_connection(partial(_same, pipe), path)
        except OSError:
            return False
        return True

    def _forget_idle(self, now: float) -> None:
        for key, far in list(self._trunks.items()):
            if far.used_s < now - IDLE_S:
                del self._trunks[key]
                far.close()


def _same(pipe: _Pipe) -> _Pipe:
    return pipe


class _Passage:
    """A connection through a tunnel, at its entrance."""

    def __init__(self, shard: int, changed: Callable[["_Passage"], None]) -> None:
        self.shard = shard
        self.key = secrets.token_hex(8)
        self.trunk: _Trunk | None = None
        self.sought = False
        self.pipe = _Pipe(lambda _: changed(self))
        self._sent = 0
        self._order = Order()

    def piece(self) -> There:
        """Take what goes there."""
        number, self._sent = self._sent, self._sent + 1
        return (self.shard, self.key, number, self.pipe.take())

    async def brought(self, number: int, data: bytes) -> None:
        """Take what came back."""
        if number == OVER:
            self.pipe.close()
        else:
            await self.pipe.give(self._order.take(number, data))


class _Trunk:
    """All connections to one place."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._key = secrets.token_hex(8)
        self._passages: dict[str, _Passage] = {}
        self._waiting: dict[str, _Passage] = {}
        self._last: list[There] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._called_at = 0.0
        self._later: asyncio.TimerHandle | None = None
        self.over = False

    def take(self, passage: _Passage) -> None:
        """Something has come on a connection, or it has ended."""
        if passage.pipe.over:
            self._waiting.pop(passage.key, None)
            if self._passages.pop(passage.key, None) is not None:
                self._last += [passage.piece()] if passage.pipe.come else []
                self._last.append((passage.shard, passage.key, OVER, b""))
                self._go_on()
            return
        self._passages[passage.key] = passage
        if passage.pipe.come:
            self._waiting[passage.key] = passage
        self._go_on()

    def close(self) -> None:
        """End all of it."""
        self.over = True
        for passage in list(self._passages.values()):
            passage.pipe.close()
        if self._later is not None:
            self._later.cancel()
        for call in self._calls:
            call.cancel()

    def _go_on(self) -> None:
        """Carry what has come, if a call is free; without anything to carry let one wait."""
        carried = bool(self._waiting or self._last)
        wanted = carried or (bool(self._passages) and not self._calls)
        if self.over or not wanted or len(self._calls) >= CALLS_AT_ONCE or self._later is not None:
            return
        loop = asyncio.get_running_loop()
        due = self._called_at + CALL_GAP_S - loop.time()
        if due > 0:
            self._later = loop.call_later(due, self._now)
            return
        self._called_at = loop.time()
        pieces = [passage.piece() for passage in self._waiting.values()]
        self._waiting.clear()
        pieces += self._last
        self._last = []
        call = loop.create_task(self._exchange(pieces))
        self._calls.add(call)
        call.add_done_callback(self._ended)

    def _now(self) -> None:
        self._later = None
        self._go_on()

    async def _exchange(self, pieces: list[There]) -> None:
        try:
            back = await self._call(self._key, pieces)
        except Exception:  # noqa: BLE001 - whatever the carrier says, nothing more goes this way
            self.close()
            return
        for key, number, data in back:
            if (passage := self._passages.get(key)) is not None:
                await passage.brought(number, data)

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            self._go_on()


class Entrance:
    """Sockets on this machine for shards that are elsewhere.

    Args:
        paths: where each shard's socket is to be, by number. One that is there already, because the shard is
            open on this machine, is left alone.
        find: finds where a shard is.
    """

    def __init__(self, paths: Sequence[Path], find: Find) -> None:
        self._paths = paths
        self._find = find
        self._servers: dict[int, asyncio.Server] = {}
        self._inodes: dict[int, int] = {}
        self._trunks: dict[Call, _Trunk] = {}
        self._finding: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen."""
        await self._listen()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Listen no more, and end every connection."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        for shard, server in self._servers.items():
            with contextlib.suppress(OSError):
                if self._paths[shard].stat().st_ino == self._inodes[shard]:
                    self._paths[shard].unlink()
            server.close()
        for task in self._finding:
            task.cancel()
        for trunk in self._trunks.values():
            trunk.close()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LISTEN_S)
            await self._listen()

    async def _listen(self) -> None:
        """Listen wherever there is no socket: a shard that has left this machine takes its own with it."""
        for shard, path in enumerate(self._paths):
            if path.exists():
                continue
            if (old := self._servers.pop(shard, None)) is not None:
                old.close()
            unseen = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            listener = sockets.listening(unseen)
            try:
                self._inodes[shard] = unseen.stat().st_ino
                os.link(unseen, path)  # fails if a shard's own is there by now
            except FileExistsError:
                listener.close()
                continue
            finally:
                unseen.unlink()
            loop = asyncio.get_running_loop()
            self._servers[shard] = await loop.create_unix_server(partial(self._accept, shard), sock=listener)

    def _accept(self, shard: int) -> asyncio.Protocol:
        return _Passage(shard, self._changed).pipe

    def _changed(self, passage: _Passage) -> None:
        """Something has come on a connection, or it has begun or ended."""
        if passage.trunk is not None:
            passage.trunk.take(passage)
        elif not passage.pipe.over and not passage.sought:
            passage.sought = True
            task = asyncio.get_running_loop().create_task(self._lead(passage))
            self._finding.add(task)
            task.add_done_callback(self._finding.discard)

    async def _lead(self, passage: _Passage) -> None:
        """Find a connection's trunk."""
        call = await self._find(passage.shard)
        if call is None:
            passage.pipe.close()
            return
        trunk = self._trunks.get(call)
        if trunk is None or trunk.over:
            trunk = self._trunks[call] = _Trunk(call)
        passage.trunk = trunk
        trunk.take(passage)

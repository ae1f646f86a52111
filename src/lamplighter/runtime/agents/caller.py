"""A caller of agents that keeps no session: each message stands for itself, none waits behind another.

What an ingress is built on: a message that names a key takes place once however often, and through
whichever process, it is sent; one without gets a key that nobody else has, so that it survives a host that
ends or a shard that moves just as well.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import Self

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents import sockets as unix
from lamplighter.runtime.agents import wire
from lamplighter.runtime.agents.errors import AskTimeoutError, OverloadedError, UnreachedError, told
from lamplighter.runtime.agents.post import ERROR, PENDING, failure
from lamplighter.runtime.agents.seats import partition_of
from lamplighter.runtime.agents.turn import ASK_TIMEOUT_S
from lamplighter.runtime.agents.wire import Forget, Single, Singles, Stream

CONNECT_S = 0.05
"""Between two tries to reach a shard."""
PATIENCE_S = 10.0
"""How long a message waits for a shard that nobody holds: it moves, or its host has ended."""
SWEEP_S = 0.05
"""How often is looked for what has waited too long."""
BATCH_BYTES = 4 << 20
RETRY_AFTER_S = 1.0


@dataclass(slots=True, eq=False)
class Sent:
    """A message on its way.

    Args:
        single: the message.
        shard: where its agent is.
        partition: of its agent.
        whole: whether its answer is waited for, or only its acceptance.
        keyed: whether its sender gave it a key.
        wait_s: how long it may take.
        begun: when it was put, on the loop's clock.
        missed: since when its shard has not been reached; None if it is.
        done: the encoded answer, or b"".
    """

    single: Single
    shard: int
    partition: int
    whole: bool
    keyed: bool
    wait_s: float
    begun: float
    missed: float | None
    done: asyncio.Future[bytes]


class Caller:
    """Sends single messages to the shards of a pool.

    Args:
        sockets: the shards' unix sockets, in the order of their numbers.
        partitions: as the shards'.
        patience_s: how long a message waits for a shard that cannot be reached.
    """

    def __init__(
        self, sockets: Sequence[Path], *, partitions: int = 64, patience_s: float = PATIENCE_S
    ) -> None:
        self._sockets = sockets
        self._partitions = partitions
        self._patience_s = patience_s
        self._streams: dict[int, Stream] = {}
        self._open: list[dict[int, Sent]] = [{} for _ in sockets]
        self._fresh: list[list[Single]] = [[] for _ in sockets]
        self._over: list[list[tuple[int, str]]] = [[] for _ in sockets]
        self._name = token_hex(8)
        self._number = 0
        self._scheduled = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks.append(asyncio.get_running_loop().create_task(self._expire()))
        for shard in range(len(self._sockets)):
            self._tasks.append(asyncio.get_running_loop().create_task(self._keep(shard)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stream in list(self._streams.values()):
            stream.close()

    async def ask(
        self, address: str, payload: bytes, *, key: str = "", wait_s: float = ASK_TIMEOUT_S
    ) -> bytes:
        """Send an encoded message and return its handler's encoded answer, once that is durable.

        Args:
            address: of the agent.
            payload: the message.
            key: whoever sends to this agent under it again gets the same answer, and no second turn.
            wait_s: how long to wait for the answer.

        Raises:
            OverloadedError: nothing was accepted; try again after `retry_after_s`.
            AskTimeoutError: no answer in time; the turn may still take place.
            UnreachedError: nobody holds the agent's shard; whether the message was accepted is not known.
            LampError: the turn failed; as the error that it was.
        """
        return await self.result(self.post(address, payload, key=key, wait_s=wait_s))

    async def send(
        self, address: str, payload: bytes, *, key: str = "", wait_s: float = ASK_TIMEOUT_S
    ) -> None:
        """Send an encoded message; returns when it is accepted for good. Arguments and errors as `ask`."""
        await self.result(self.post(address, payload, key=key, wait_s=wait_s, answer=False))

    def post(
        self,
        address: str,
        payload: bytes,
        *,
        key: str = "",
        wait_s: float = ASK_TIMEOUT_S,
        answer: bool = True,
    ) -> Sent:
        """Send an encoded message without waiting; `result` must be awaited, or `drop` called. As `ask`."""
        partition = partition_of(address, self._partitions)
        shard = partition % len(self._sockets)
        self._number += 1
        sender = session(address, key) if key else f"r/{self._name}/{self._number}"
        loop = asyncio.get_running_loop()
        now, reached = loop.time(), shard in self._streams
        single = Single(self._number, sender, address, payload, answer or bool(key))
        missed = None if reached else now
        sent = Sent(single, shard, partition, answer, bool(key), wait_s, now, missed, loop.create_future())
        self._open[shard][single.number] = sent
        if reached:  # else it goes out with all that is open, once the shard is
            self._fresh[shard].append(single)
            self._wake()
        return sent

    async def result(self, sent: Sent) -> bytes:
        """Wait for a message's answer, or its acceptance. Raises as `ask`."""
        try:
            return await sent.done
        finally:
            self.drop(sent)

    def drop(self, sent: Sent) -> None:
        """Wait for a message no longer."""
        if self._open[sent.shard].pop(sent.single.number, None) is None:
            return
        if not sent.done.done():
            sent.done.cancel()
        elif not sent.keyed and not sent.done.cancelled() and sent.shard in self._streams:
            self._over[sent.shard].append((sent.partition, sent.single.sender))
            self._wake()

    async def _expire(self) -> None:
        """Give up what has waited for too long."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            now = loop.time()
            for shard, waiting in enumerate(self._open):
                reached = shard in self._streams
                for sent in waiting.values():
                    sent.missed = None if reached else sent.missed or now
                    if not sent.done.done() and (error := self._given_up(sent, now)) is not None:
                        sent.done.set_exception(error)

    def _given_up(self, sent: Sent, now: float) -> LampError | None:
        address, late = sent.single.address, now - sent.begun >= sent.wait_s
        if sent.missed is not None and (late or now - sent.missed >= self._patience_s):
            return UnreachedError(f"nobody holds the shard of {address}", retry_after_s=RETRY_AFTER_S)
        return AskTimeoutError(f"{address} did not answer within {sent.wait_s:g} s") if late else None

    def _wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Send what was put since the last time, a few batches to a shard."""
        self._scheduled = False
        for shard, stream in self._streams.items():
            fresh, self._fresh[shard] = self._fresh[shard], []
            for batch in _batches(fresh):
                stream.write(Singles(batch))
            if self._over[shard]:
                stream.write(Forget(self._over[shard]))
                self._over[shard] = []

    def _took(self, shard: int, _: Stream, packed: bytes) -> None:
        for number, status, payload in wire.to_client(packed).singles:
            sent = self._open[shard].get(number)
            if sent is None or sent.done.done():
                continue
            if status == ERROR and (sent.whole or failure(payload)[0] in REFUSALS):
                sent.done.set_exception(_told(*failure(payload)))
            elif status != PENDING or not sent.whole:
                sent.done.set_result(payload)

    async def _keep(self, shard: int) -> None:
        """Stay connected to a shard; after each connect, send again all that waits for it."""
        loop = asyncio.get_running_loop()
        while True:
            gone = asyncio.Event()
            with contextlib.suppress(OSError):
                with unix.address(self._sockets[shard]) as path:
                    _, stream = await loop.create_unix_connection(
                        partial(Stream, partial(self._took, shard), partial(_set, gone)), path
                    )
                self._streams[shard] = stream
                self._fresh[shard] = [sent.single for sent in self._open[shard].values()]
                self._flush()
                try:
                    await gone.wait()
                finally:
                    del self._streams[shard]
                    stream.close()
            await asyncio.sleep(CONNECT_S)


REFUSALS = frozenset({OverloadedError.code, "unknown-agent-kind"})
"""What is told instead of acceptance."""


def session(address: str, key: str) -> str:
    """Return the session of a key at an agent, which does not tell the key."""
    return "k/" + blake2b(f"{address}\n{key}".encode(), digest_size=16).hexdigest()


def _set(event: asyncio.Event, _: Stream) -> None:
    event.set()


def _batches(singles: list[Single]) -> list[list[Single]]:
    """Put messages together, no more at a time than a frame takes."""
    batches: list[list[Single]] = []
    size = BATCH_BYTES
    for single in singles:
        if size >= BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(single)
        size += len(single.payload)
    return batches


def _told(code: str, message: str) -> LampError:
    if code == OverloadedError.code:
        return OverloadedError(message, retry_after_s=RETRY_AFTER_S)
    return told(code, message)

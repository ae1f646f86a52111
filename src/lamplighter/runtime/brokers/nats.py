"""NATS JetStream: a stream's messages to agents, exactly once; agents' messages to subjects.

The stream's own numbers are the session's. A consumer of ours delivers them in order and keeps at the server
how far they are durable here; one that may deliver again out of order is replaced by another that begins
there. Run the server with `sync_interval: always`: otherwise what it loses in a crash it numbers anew.
"""

import asyncio
import contextlib
from collections import deque
from typing import Any

import nats
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy
from nats.js.errors import NotFoundError

from lamplighter.runtime.brokers.arrival import Arrival, BrokerError
from lamplighter.runtime.brokers.outlet import Publish
from lamplighter.runtime.brokers.session import Session

BATCH = 500
FETCH_S = 0.5
"""How long a fetch waits for a first message; an idle reader looks at what has become durable as often."""
CONNECT_S = 2.0
AGAIN_S = 0.2
ACK_WAIT_S = 3600.0
"""Deliveries are not repeated by time: a reader that is not sure begins again."""
PENDING_MAX = 100_000


class Reader:
    """Reads one stream, until it is cancelled.

    Args:
        url: of the server.
        stream: its name.
        session: takes the messages.
        name: of this way; consumers at the server are named after it.
        subject: only messages of this subject.
    """

    def __init__(self, url: str, stream: str, session: Session, *, name: str, subject: str = "") -> None:
        self._url = url
        self._stream = stream
        self._session = session
        self._names = (f"{name}-a", f"{name}-b")
        self._subject = subject or None
        self._delivered: deque[Any] = deque()

    async def run(self) -> None:
        """Read; after each failure, begin again where all is durable.

        Raises:
            BrokerError: the stream cannot be read exactly once.
        """
        while True:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                await self._connected()
            await asyncio.sleep(AGAIN_S)

    async def _connected(self) -> None:
        client = await nats.connect(
            self._url, allow_reconnect=False, connect_timeout=CONNECT_S, error_cb=_passed_over
        )
        try:
            stream = client.jetstream(timeout=CONNECT_S)
            consumer, floor = await self._placed(stream)
            self._delivered.clear()
            state = (await stream.stream_info(self._stream)).state
            self._session.begin(floor, max(state.last_seq, floor))
            subscription = await stream.pull_subscribe_bind(consumer=consumer, stream=self._stream)
            await self._read(client, subscription)
        finally:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_S):
                    await client.close()

    async def _placed(self, stream: Any) -> tuple[str, int]:
        """Find the consumer that says how far we are; returns one that delivers from there on."""
        info = await stream.stream_info(self._stream)
        retention = info.config.retention
        if retention == RetentionPolicy.INTEREST:
            raise BrokerError(
                f"stream {self._stream} keeps messages only while somebody is interested",
                mend="read a stream whose retention is limits or workqueue",
            )
        places = {name: await self._floor(stream, name) for name in self._names}
        found = {name: place for name, place in places.items() if place is not None}
        if not found:
            return await self._made(stream, self._names[0], 0), 0
        old = min(found, key=lambda name: found[name][0])
        floor, clean = found[old]
        for other in found:
            if other != old:
                await stream.delete_consumer(self._stream, other)
        if clean:
            return old, floor
        if retention == RetentionPolicy.WORK_QUEUE:  # what is not acknowledged stays there
            await stream.delete_consumer(self._stream, old)
            return await self._made(stream, old, 0), floor
        new = next(name for name in self._names if name != old)
        await self._made(stream, new, floor + 1)
        await stream.delete_consumer(self._stream, old)
        return new, floor

    async def _floor(self, stream: Any, name: str) -> tuple[int, bool] | None:
        """Up to which number a consumer has been acknowledged, and whether nothing was delivered beyond."""
        try:
            info = await stream.consumer_info(self._stream, name)
        except NotFoundError:
            return None
        begun = (info.config.opt_start_seq or 1) - 1
        return max(info.ack_floor.stream_seq, begun), not info.num_ack_pending

    async def _made(self, stream: Any, name: str, first: int) -> str:
        config = ConsumerConfig(
            durable_name=name,
            ack_policy=AckPolicy.ALL,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=PENDING_MAX,
            filter_subject=self._subject,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE if first else DeliverPolicy.ALL,
            opt_start_seq=first or None,
        )
        await stream.add_consumer(self._stream, config)
        return name

    async def _read(self, client: Any, subscription: Any) -> None:
        """Take deliveries in order until one is missing or repeated, or the connection is gone."""
        last = None
        while client.is_connected:
            while self._session.full:
                await self._session.moved(FETCH_S)
                await self._acknowledge()
            batch: list[Any] = []
            with contextlib.suppress(TimeoutError):
                batch = await subscription.fetch(BATCH, timeout=FETCH_S if not self._delivered else 0.02)
            for message in batch:
                number = message.metadata.sequence
                if message.metadata.num_delivered > 1 or (last is not None and number.consumer != last + 1):
                    return
                last = number.consumer
                headers = dict(message.headers or {})
                self._delivered.append(message)
                self._session.put(
                    Arrival(message.subject, number.stream, message.data, message.subject, headers)
                )
            await asyncio.sleep(0)
            await self._acknowledge()

    async def _acknowledge(self) -> None:
        """Tell the server what is durable here."""
        done = None
        while self._delivered and self._delivered[0].metadata.sequence.stream <= self._session.floor:
            done = self._delivered.popleft()
        if done is not None:
            await done.ack()


class Publisher:
    """Publishes to subjects that a stream has; connects when it first has something to publish.

    Args:
        url: of the server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = None
        self._connecting = asyncio.Lock()

    async def __call__(self, message: Publish, key: str) -> None:
        """Publish under a message id: the stream tells a second copy within its `duplicate_window`.

        Raises:
            NatsError: the server has not taken it; to be tried again.
        """
        async with self._connecting:
            if self._client is None or not self._client.is_connected:
                self._client = await nats.connect(
                    self._url, allow_reconnect=False, connect_timeout=CONNECT_S, error_cb=_passed_over
                )
        headers = {**message.headers, "Nats-Msg-Id": key}
        await self._client.jetstream(timeout=CONNECT_S).publish(message.to, message.body, headers=headers)


async def _passed_over(_: Exception) -> None:
    """What the client tells of a connection that is gone is seen where it is used."""

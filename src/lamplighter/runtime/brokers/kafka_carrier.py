"""Kafka's protocol as the carrier of links between hosts: one topic, and in it a partition for each host.

What hosts send each other lies in their own journals until it is acknowledged, so the broker need not keep
it: one copy of it acknowledges (`acks=1`), a host begins at the end, and what is lost is sent again.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from lamplighter.runtime.agents.carrier import Lane
from lamplighter.runtime.agents.wire import Stream

AGAIN_S = 0.1
CLOSE_S = 2.0
REQUEST_MS = 5000
FETCH_MS = 200
"""How long the broker holds a request for frames while there are none."""
FRAME_BYTES = 900_000
"""Brokers take 1 MiB a batch by default (`message.max.bytes`); a frame and what Kafka adds stay below."""
WAITING_BYTES = 64 << 20
"""What may wait in this process for the broker; frames beyond that are dropped, and sent again."""
_Sent = asyncio.Future[Any]


class KafkaCarrier:
    """Carries over one topic, which is made if there is none.

    Args:
        servers: `host:port`, several with commas.
        pool: the topic's name, which the hosts share, and nobody else. One that is there already needs a
            partition for each host.
    """

    def __init__(self, servers: str, pool: str) -> None:
        self._servers = servers
        self._pool = pool

    async def carry(
        self, number: int, hosts: int, took: Callable[[bytes], None], reached: Callable[[int, Stream], None]
    ) -> None:
        """See `Carrier`; begins anew after each failure."""
        while True:
            try:
                await self._connected(number, hosts, took, reached)
            except* (KafkaError, OSError, TimeoutError):
                pass
            await asyncio.sleep(AGAIN_S)

    async def _connected(
        self, number: int, hosts: int, took: Callable[[bytes], None], reached: Callable[[int, Stream], None]
    ) -> None:
        async with contextlib.AsyncExitStack() as stack:
            await self._topic(hosts)
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._servers,
                auto_offset_reset="latest",
                enable_auto_commit=False,
                request_timeout_ms=REQUEST_MS,
                fetch_max_wait_ms=FETCH_MS,
            )
            stack.push_async_callback(_stopped, consumer)
            await consumer.start()
            own = TopicPartition(self._pool, number)
            consumer.assign([own])
            await consumer.seek_to_end(own)
            producer = AIOKafkaProducer(
                bootstrap_servers=self._servers, acks=1, request_timeout_ms=REQUEST_MS
            )
            stack.push_async_callback(_stopped, producer)
            await producer.start()
            waiting = _Waiting()
            for other in range(hosts):
                if other != number:
                    reached(other, Lane(partial(waiting.put, other), FRAME_BYTES))
            async with asyncio.TaskGroup() as all_three:
                refused = asyncio.get_running_loop().create_future()
                all_three.create_task(_take(consumer, took))
                all_three.create_task(self._send(producer, waiting, partial(_told, refused)))
                all_three.create_task(_ended(refused))

    async def _topic(self, hosts: int) -> None:
        """Make the topic, unless there is one."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers, request_timeout_ms=REQUEST_MS)
        try:
            await admin.start()
            made = await admin.create_topics([NewTopic(self._pool, hosts, 1)])
            for _, code, *_ in made.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise for_code(code)
        except TopicAlreadyExistsError:
            pass
        finally:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await admin.close()

    async def _send(self, producer: Any, waiting: "_Waiting", told: Callable[[_Sent], None]) -> None:
        """Hand on what waits; the client makes batches of it and keeps a partition's order."""
        while True:
            to, packed = await waiting.get()
            sent = await producer.send(self._pool, packed, partition=to)
            sent.add_done_callback(told)


class _Waiting:
    """Frames that wait to be sent, bounded."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._bytes = 0

    def put(self, to: int, packed: bytes) -> None:
        """Have a frame wait, if there is room."""
        if self._bytes < WAITING_BYTES:
            self._bytes += len(packed)
            self._frames.put_nowait((to, packed))

    async def get(self) -> tuple[int, bytes]:
        """Wait for the next one."""
        to, packed = await self._frames.get()
        self._bytes -= len(packed)
        return to, packed


async def _take(consumer: Any, took: Callable[[bytes], None]) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            for record in records:
                took(record.value)


async def _stopped(client: Any) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await client.stop()


async def _ended(refused: "asyncio.Future[None]") -> None:
    await refused


def _told(refused: "asyncio.Future[None]", sent: _Sent) -> None:
    """End a connection over which something could not be sent: the topic itself may be gone."""
    error = None if sent.cancelled() else sent.exception()
    if error is not None and not refused.done():
        refused.set_exception(error)

"""Kafka's protocol: a topic's messages to agents, exactly once; agents' messages to topics.

Each of the topic's partitions is a session of its own, whose numbers are the offsets plus one. How far
messages are durable here is committed to the broker under the way's group.
"""

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from lamplighter.runtime.brokers.arrival import Arrival
from lamplighter.runtime.brokers.outlet import Publish
from lamplighter.runtime.brokers.session import Session

AGAIN_S = 0.2
COMMIT_S = 0.05
REQUEST_MS = 5000
KEY_HEADER = "lamplighter-key"
"""Carries the stable name of what is published: whoever reads tells a second copy by it."""


class Reader:
    """Reads one topic, until it is cancelled.

    Args:
        servers: `host:port`, several with commas.
        topic: its name.
        session: takes the messages.
        name: of this way: the group under which is committed how far they are durable.
    """

    def __init__(self, servers: str, topic: str, session: Session, *, name: str) -> None:
        self._servers = servers
        self._topic = topic
        self._session = session
        self._name = name

    async def run(self) -> None:
        """Read; after each failure, begin again where all is durable."""
        async with contextlib.AsyncExitStack() as stack:
            parts: dict[int, Session] = {}
            while True:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await self._connected(parts, stack)
                await asyncio.sleep(AGAIN_S)

    async def _connected(self, parts: dict[int, Session], stack: contextlib.AsyncExitStack) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            group_id=self._name,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=REQUEST_MS,
        )
        try:
            await consumer.start()
            numbers = await self._numbers(consumer)
            for number in numbers - parts.keys():
                parts[number] = await stack.enter_async_context(self._session.beside(str(number)))
            places = [TopicPartition(self._topic, number) for number in sorted(numbers)]
            consumer.assign(places)
            for place in places:
                floor = await consumer.committed(place) or 0
                end = (await consumer.end_offsets([place]))[place]
                parts[place.partition].begin(floor, max(end, floor))
                await (consumer.seek_to_beginning(place) if not floor else _sought(consumer, place, floor))
            await self._read(consumer, parts)
        finally:
            await consumer.stop()

    async def _numbers(self, consumer: Any) -> set[int]:
        """The topic's partitions, once it is there."""
        while not (numbers := consumer.partitions_for_topic(self._topic)):
            await consumer._client.force_metadata_update()  # noqa: SLF001 - it has no public way to ask anew
            await consumer.topics()
            await asyncio.sleep(AGAIN_S)
        return set(numbers)

    async def _read(self, consumer: Any, parts: dict[int, Session]) -> None:
        committed = {number: part.floor for number, part in parts.items()}
        while True:
            for number, part in parts.items():
                while part.full:
                    await part.moved(COMMIT_S)
                    await self._commit(consumer, number, part, committed)
            found = await consumer.getmany(timeout_ms=int(COMMIT_S * 1000))
            for place, records in found.items():
                for record in records:
                    headers = {name: value.decode(errors="replace") for name, value in record.headers}
                    key = (record.key or b"").decode(errors="replace")
                    arrival = Arrival(self._topic, record.offset + 1, record.value or b"", key, headers)
                    parts[place.partition].put(arrival)
            await asyncio.sleep(0)
            for number, part in parts.items():
                await self._commit(consumer, number, part, committed)

    async def _commit(self, consumer: Any, number: int, part: Session, committed: dict[int, int]) -> None:
        if part.floor > committed[number]:
            committed[number] = part.floor
            await consumer.commit({TopicPartition(self._topic, number): part.floor})


async def _sought(consumer: Any, place: TopicPartition, offset: int) -> None:
    consumer.seek(place, offset)


class Publisher:
    """Publishes to topics; connects when it first has something to publish.

    Args:
        servers: `host:port`, several with commas.
    """

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._producer: Any = None
        self._connecting = asyncio.Lock()

    async def __call__(self, message: Publish, key: str) -> None:
        """Publish with a header that names it, by which readers tell a second copy.

        Raises:
            KafkaError: the broker has not taken it; to be tried again.
        """
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._servers, acks="all", request_timeout_ms=REQUEST_MS
                )
                await producer.start()
                self._producer = producer
        headers = [(name, value.encode()) for name, value in message.headers.items()]
        headers.append((KEY_HEADER, key.encode()))
        named = message.key.encode() if message.key else None
        await self._producer.send_and_wait(message.to, message.body, key=named, headers=headers)

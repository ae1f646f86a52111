"""RabbitMQ: a queue's messages to agents, each once by its id; agents' messages to queues.

A queue numbers nothing, so a message is known by its `message_id`, as a request by its idempotency key: hosts
keep it for an hour after it was last seen. One without an id is taken at least once.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import aio_pika
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import AMQPError as ChannelError

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents.caller import Caller
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.brokers.arrival import Arrival, Route
from lamplighter.runtime.brokers.outlet import Publish

WINDOW = 1000
"""Messages on their way to agents at a time."""
AGAIN_S = 0.2
FAILURES = (AMQPError, ChannelError, OSError, TimeoutError, RuntimeError)
"""What a client raises whose connection is gone."""


class Reader:
    """Reads one queue, until it is cancelled.

    Args:
        url: of the server.
        queue: its name; it must be there.
        caller: takes the messages.
        route: whom they go to.
    """

    def __init__(self, url: str, queue: str, caller: Caller, route: Route) -> None:
        self._url = url
        self._queue = queue
        self._caller = caller
        self._route = route

    async def run(self) -> None:
        """Read; after each failure, connect anew: what was not acknowledged is delivered again."""
        while True:
            with contextlib.suppress(*FAILURES):
                await self._connected()
            await asyncio.sleep(AGAIN_S)

    async def _connected(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        connection = await aio_pika.connect(self._url)
        try:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=WINDOW)
            queue = await channel.get_queue(self._queue)
            async with queue.iterator() as messages:
                async for message in messages:
                    task = asyncio.get_running_loop().create_task(self._take(message))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        finally:
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await connection.close()

    async def _take(self, message: Any) -> None:
        """Bring one message to its agent, and acknowledge it once it is durable there."""
        key = message.message_id or ""
        arrival = Arrival(self._queue, 0, message.body, key, _text(message.headers))
        routed = self._route(arrival)
        while routed is not None:
            address, told = routed
            named = f"{self._queue}/{key}" if key else ""
            try:
                await self._caller.send(address, ENCODE(told), key=named)
                break
            except LampError as error:
                if error.retry != "later":  # nobody will take it; the broker's own dead letters may
                    with contextlib.suppress(*FAILURES):
                        await message.reject(requeue=False)
                    return
                await asyncio.sleep(AGAIN_S)
        with contextlib.suppress(*FAILURES):
            await message.ack()


class Publisher:
    """Publishes to queues by their names; connects when it first has something to publish.

    Args:
        url: of the server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None
        self._channel: Any = None
        self._connecting = asyncio.Lock()

    async def __call__(self, message: Publish, key: str) -> None:
        """Publish under a message id; returns once the broker has confirmed it.

        Raises:
            AMQPError: the broker has not taken it; to be tried again.
        """
        async with self._connecting:
            if self._connection is None or self._connection.is_closed or self._channel.is_closed:
                self._connection = await aio_pika.connect(self._url)
                self._channel = await self._connection.channel(publisher_confirms=True)
        told = aio_pika.Message(
            message.body,
            headers=dict(message.headers),
            message_id=key,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._channel.default_exchange.publish(told, routing_key=message.to, mandatory=True)


def _text(headers: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (headers or {}).items()}

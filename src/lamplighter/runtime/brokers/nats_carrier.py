"""NATS as the carrier of links between hosts: a subject for each host, nothing kept at the server.

What hosts send each other lies in their own journals until it is acknowledged, so the server need not be
durable; what it loses is sent again.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import nats
from nats.errors import Error as NatsError

from lamplighter.runtime.agents.carrier import Lane
from lamplighter.runtime.agents.wire import Stream

AGAIN_S = 0.1
CONNECT_S = 2.0
PENDING_BYTES = 256 << 20
"""What may wait in this process to be taken; beyond that the client drops, and it is sent again."""
HEAD_BYTES = 4096


class NatsCarrier:
    """Carries over one server or cluster.

    Args:
        url: of the server.
        pool: a name that the hosts share, and nobody else.
    """

    def __init__(self, url: str, pool: str) -> None:
        self._url = url
        self._pool = pool

    async def carry(
        self, number: int, hosts: int, took: Callable[[bytes], None], reached: Callable[[int, Stream], None]
    ) -> None:
        """See `Carrier`; connects anew whenever the connection is gone."""
        while True:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                await self._connected(number, hosts, took, reached)
            await asyncio.sleep(AGAIN_S)

    async def _connected(
        self, number: int, hosts: int, took: Callable[[bytes], None], reached: Callable[[int, Stream], None]
    ) -> None:
        client = await nats.connect(
            self._url, allow_reconnect=False, connect_timeout=CONNECT_S, error_cb=_passed_over
        )
        waiting: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        try:

            async def came(message: Any) -> None:
                took(message.data)

            await client.subscribe(
                f"{self._pool}.{number}", cb=came, pending_msgs_limit=-1, pending_bytes_limit=PENDING_BYTES
            )
            await client.flush()
            for other in range(hosts):
                if other != number:
                    put = partial(_put, waiting, f"{self._pool}.{other}")
                    reached(other, Lane(put, client.max_payload - HEAD_BYTES))
            while client.is_connected:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_S):
                        subject, packed = await waiting.get()
                    await client.publish(subject, packed)
        finally:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_S):
                    await client.close()


def _put(waiting: "asyncio.Queue[tuple[str, bytes]]", subject: str, packed: bytes) -> None:
    waiting.put_nowait((subject, packed))


async def _passed_over(_: Exception) -> None:
    """What the client tells of a connection that is gone is seen where it is used."""

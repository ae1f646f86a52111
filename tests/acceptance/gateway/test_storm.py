"""A service that was slow for a moment, under load and with retries: it must not stay so by its retries."""

import asyncio
import time
from collections.abc import Callable

from tests.acceptance.gateway.rig import Gateway, Upstream, ask, until

Start = Callable[..., Upstream]
RATE_PER_S = 110.0
"""Two fifths of what the replicas bear; with each request tried three times, a fifth more than that."""
SLOTS = "14"
TIMEOUT_S, STALL_S = 1.0, 4.0
CALM_S = 3.0
WITHIN_S = 60.0
"""It takes some 4 s; where each try that was given up is made twice more, it never comes."""


class Callers:
    """Requests at a steady rate however slow the answers are, and which of them were answered well."""

    def __init__(self, port: int) -> None:
        """Send to a gateway."""
        self._port = port
        self._asked: set[asyncio.Task[None]] = set()
        self.good: list[tuple[float, bool]] = []

    async def run(self) -> None:
        """Send until cancelled."""
        began, number = time.monotonic(), 0
        while True:
            number += 1
            await asyncio.sleep(began + number / RATE_PER_S - time.monotonic())
            asked = asyncio.create_task(self._ask(time.monotonic()))
            self._asked.add(asked)
            asked.add_done_callback(self._asked.discard)

    async def _ask(self, began: float) -> None:
        answer = await ask(self._port, "/search/work", patience_s=20)
        self.good.append((began, answer.status == 200))

    async def calm_since(self, moment: float) -> None:
        """Wait until all goes well for `CALM_S` of requests that were sent after a moment."""
        count = int(CALM_S * RATE_PER_S)
        async with asyncio.timeout(WITHIN_S):
            while True:
                last = [good for began, good in sorted(self.good) if began > moment][-count:]
                if len(last) == count and all(last):
                    return
                await asyncio.sleep(0.2)


def test_a_slow_patch_ends_with_its_cause(gateway: Gateway, replica: Start) -> None:
    """What was given up at a time limit is still worked on: its retries may not keep the service slow."""
    replicas = [replica("a", "--slots", SLOTS), replica("b", "--slots", SLOTS)]
    gateway.start(*(each.endpoint() for each in replicas), timeout_s=TIMEOUT_S)

    async def story() -> list[bool]:
        await until(lambda: len(gateway.healthy()) == 2)
        callers = Callers(gateway.table.port)
        calling = asyncio.create_task(callers.run())
        await callers.calm_since(0.0)
        for each in replicas:
            await ask(each.port, f"/stall/{STALL_S:g}")
        quick_again = time.monotonic() + STALL_S
        await callers.calm_since(quick_again)
        calling.cancel()
        return [good for _, good in callers.good]

    assert not all(asyncio.run(story())), "nobody noticed the slow patch"

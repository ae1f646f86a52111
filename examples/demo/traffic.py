"""Real questions, asked open-loop: each goes out when it is due, whether or not earlier ones were answered.

Latency counts from the moment a question was due; none is asked twice. The rate can be changed while it runs:
gaps are drawn anew then, which Poisson arrivals, having no memory, do not notice.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from random import Random
from typing import NamedTuple
from urllib.parse import quote

from benchmarks.load.http import Exchange, Pool
from benchmarks.load.sample import Fate, Seen, judge
from benchmarks.load.traffic import Kind

SLOW_S = 2.0
"""Later than this an answer counts as failed."""
GIVE_UP_S = 10.0
IDLE_S = 4.0
"""Connections unused for longer are not used again."""
CONNECTIONS_MAX = 1000
SWEEP_S = 0.25
PROBE_EVERY_S = 0.02
PREFIX = "/search"

now = time.monotonic


class Answer(NamedTuple):
    """One question's story: due at (monotonic), answered after, and by which release with which greeting."""

    due: float
    took_s: float
    fate: Fate
    why: str = ""
    release: str = ""
    greeting: str = ""


class _Asked(Exchange):
    """An exchange that keeps the whole body."""

    __slots__ = ("body",)
    body: bytes

    def took_body(self, data: bytes) -> None:
        """Some of the body came."""
        super().took_body(data)
        self.body = getattr(self, "body", b"") + data


class Traffic:
    """Asks the system behind one port until it is stopped.

    Attributes:
        answers: every question that has ended, in the order they ended.
        lag_max_s: how late the latest question was sent, which is this process's fault.
    """

    def __init__(self, port: int, questions: list[str], seed: int = 1) -> None:
        self.answers: list[Answer] = []
        self.lag_max_s = 0.0
        self.asked = 0
        self.rate = 0.0
        self._host = f"127.0.0.1:{port}"
        self._questions: Iterator[str] = cycle(questions)
        self._draw = Random(seed)  # noqa: S311 - moments to ask at, not secrets
        self._pool = Pool("127.0.0.1", port, IDLE_S, CONNECTIONS_MAX)
        self._changed, self._ended = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, rate: float) -> None:
        """Begin to ask, `rate` questions a second on average."""
        self.rate = rate
        self._tasks = [asyncio.create_task(self._ask()), asyncio.create_task(self._sweep())]

    def set_rate(self, rate: float) -> None:
        """Ask so many questions a second from now on."""
        self.rate = rate
        self._changed.set()

    async def stop(self) -> None:
        """Ask nothing more and wait for the answers under way."""
        if self._tasks:
            self._tasks[0].cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * GIVE_UP_S):
                while self.under_way:
                    self._ended.clear()
                    await self._ended.wait()
        self.close()

    def close(self) -> None:
        """End at once."""
        for task in self._tasks:
            task.cancel()
        self._pool.close()

    @property
    def under_way(self) -> int:
        """How many questions wait for their answers."""
        return self.asked - len(self.answers)

    def failed(self) -> list[Answer]:
        """The questions that failed, as the benchmarks define it."""
        return [each for each in self.answers if each.fate.failed]

    async def first_answer_of_another(self, known: set[int], within_s: float) -> float:
        """Return the moment at which a process not in `known` first answers through the gateway.

        Asks /healthz, which names the process, every 20 ms.

        Raises:
            TimeoutError: none did in time.
        """
        async with asyncio.timeout(within_s):
            while True:
                began = now()
                if await self._who_answers() not in {0, *known}:
                    return now()
                await asyncio.sleep(max(0.0, began + PROBE_EVERY_S - now()))

    async def _who_answers(self) -> int:
        ended = asyncio.get_running_loop().create_future()
        deadline = now() + SLOW_S
        exchange = _Asked(self._payload(f"{PREFIX}/healthz"), deadline, lambda _: ended.set_result(None))
        self._pool.start(exchange)
        await ended
        return int(str(_body(exchange).get("pid", 0))) if exchange.whole else 0

    async def _ask(self) -> None:
        due = now()
        while True:
            due += self._draw.expovariate(1.0) / self.rate
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - now())):
                    await self._changed.wait()
                due = now()
                continue
            self._send(due)

    def _send(self, due: float) -> None:
        self.lag_max_s = max(self.lag_max_s, now() - due)
        self.asked += 1
        payload = self._payload(f"{PREFIX}/ask?q={quote(next(self._questions))}")
        self._pool.start(_Asked(payload, due + GIVE_UP_S, lambda it: self._answered(due, it)))

    def _answered(self, due: float, exchange: Exchange) -> None:
        took_s = exchange.ended_at - due
        waited_s = exchange.headers_at - due if exchange.headers_at else None
        seen = Seen(
            Kind.GET,
            took_s,
            waited_s,
            exchange.status,
            whole=exchange.whole,
            why=exchange.why,
            connected=exchange.connected,
        )
        fate, why = judge(seen, SLOW_S)
        body = _body(exchange) if fate is Fate.OK else {}
        self.answers.append(
            Answer(due, took_s, fate, why, str(body.get("release", "")), str(body.get("banner", "")))
        )
        self._ended.set()

    def _payload(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nhost: {self._host}\r\n\r\n".encode("ascii")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._pool.sweep(now())


def _body(exchange: Exchange) -> dict[str, object]:
    try:
        found = json.loads(getattr(exchange, "body", b""))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

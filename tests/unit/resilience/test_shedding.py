"""A server's admission: what is let in, in which order, and how the rest is refused. Virtual time."""

import asyncio
from random import Random
from typing import Any

import pytest
from tests.unit.resilience.clocks import VirtualLoop, virtually

from lamplighter.runtime.resilience.deadline import remaining
from lamplighter.runtime.resilience.shedding import PRIORITY, Message, Receive, Scope, Send, Shedding

WORK_S = 1.0


class Work:
    """An app that takes a second; remembers the order in which it was entered, and what was left."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.left: list[float | None] = []
        self.clock = asyncio.get_running_loop().time

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Work, then answer 200."""
        self.entered.append(f"{PRIORITY.get().name.lower()} {scope['path']}")
        self.left.append(remaining(self.clock))
        await asyncio.sleep(WORK_S)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def ask(app: Any, path: str = "/", **headers: str) -> tuple[int, dict[bytes, bytes]]:
    """Ask an ASGI app; return the status and headers of its answer."""
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    named = [(f"x-lamp-{k.replace('_', '-')}".encode(), v.encode()) for k, v in headers.items()]
    await app({"type": "http", "path": path, "headers": named}, receive, send)
    return said[0]["status"], dict(said[0]["headers"])


def test_what_has_no_room_is_refused_at_once() -> None:
    """One under way and all places taken: 503 with a reason and Retry-After, and no work done."""

    async def story(loop: VirtualLoop) -> tuple[tuple[int, dict[bytes, bytes]], float]:
        shedding = Shedding(Work(), concurrency=1, wait_s=60.0, clock=loop.time)
        shedding.slots.waiting_max = 0
        first = asyncio.ensure_future(ask(shedding))
        await asyncio.sleep(0)
        answer = await ask(shedding)
        at = loop.time()
        await first
        return answer, at

    (status, headers), at = virtually(story)
    assert (503, b"overloaded", b"1", 100.0) == (
        status,
        headers[b"x-lamp-reason"],
        headers[b"retry-after"],
        at,
    )


def test_high_priority_is_let_in_first() -> None:
    """Of those that wait the high one goes first, whenever it came."""

    async def story(loop: VirtualLoop) -> list[str]:
        work = Work()
        shedding = Shedding(work, concurrency=1, wait_s=60.0, clock=loop.time)
        calls = [("/a", "normal"), ("/b", "low"), ("/c", "normal"), ("/d", "HIGH"), ("/e", "odd")]
        await asyncio.gather(*(ask(shedding, path, priority=priority) for path, priority in calls))
        return work.entered

    assert ["normal /a", "high /d", "normal /c", "normal /e", "low /b"] == virtually(story)


def test_who_waits_too_long_is_refused() -> None:
    """After `wait_s` without a slot the answer is 503, and the place is free again."""

    async def story(loop: VirtualLoop) -> tuple[int, float, int]:
        shedding = Shedding(Work(), concurrency=1, wait_s=0.25, clock=loop.time)
        first = asyncio.ensure_future(ask(shedding))
        await asyncio.sleep(0)
        status, _ = await ask(shedding)
        at = loop.time()
        await first
        return status, at, shedding.slots.waiting + shedding.slots.in_flight

    assert (503, pytest.approx(100.25), 0) == virtually(story)


def test_a_deadline_reaches_the_app_and_ends_it() -> None:
    """Of 400 ms the app sees 400 ms; when they are over its work is ended and answered 504."""

    async def story(loop: VirtualLoop) -> tuple[int, float, float | None]:
        work = Work()
        status, _ = await ask(Shedding(work, concurrency=1, clock=loop.time), deadline_ms="400")
        return status, loop.time(), work.left[0]

    assert (504, pytest.approx(100.4), pytest.approx(0.4)) == virtually(story)


def test_what_is_too_late_is_not_begun() -> None:
    """A request whose time is up by the time that it is read does no work."""

    async def story(loop: VirtualLoop) -> tuple[int, int]:
        work = Work()
        status, _ = await ask(Shedding(work, concurrency=1, clock=loop.time), deadline_ms="0")
        return status, len(work.entered)

    assert (504, 0) == virtually(story)


def test_health_checks_are_always_let_in() -> None:
    """However full it is, `/healthz` is answered: a server that sheds is not sick."""

    async def story(loop: VirtualLoop) -> int:
        shedding = Shedding(Work(), concurrency=1, wait_s=0.0, clock=loop.time)
        first = asyncio.ensure_future(ask(shedding))
        await asyncio.sleep(0)
        status, _ = await ask(shedding, "/healthz")
        await first
        return status

    assert 200 == virtually(story)


def test_an_app_that_raises_gives_its_slot_back() -> None:
    """The error goes on to the server; the slot is free."""

    async def story(loop: VirtualLoop) -> int:
        async def broken(*_: Any) -> None:
            raise KeyError("x")

        shedding = Shedding(broken, concurrency=1, clock=loop.time)
        with pytest.raises(KeyError):
            await ask(shedding)
        return shedding.slots.in_flight

    assert 0 == virtually(story)


def test_a_deadline_that_passes_with_the_slot_leaves_it() -> None:
    """A clock that jumps as a request is let in: it gets 504, and its slot is free."""

    async def story(loop: VirtualLoop) -> tuple[int, int, int]:
        moments = iter([0.0, 9.0])
        shedding = Shedding(Work(), concurrency=1, clock=lambda: next(moments))
        status, _ = await ask(shedding, deadline_ms="1000")
        return status, shedding.slots.in_flight, shedding.late

    assert (504, 0, 1) == virtually(story)


def test_three_times_the_load_is_shed_for_forty_seconds_on_end() -> None:
    """Of 300 requests a second 100 can be done: 90 are, and all of high priority, also in a refresh."""

    async def story(loop: VirtualLoop) -> tuple[bool, bool]:
        random, places = Random(7), asyncio.Semaphore(4)  # noqa: S311
        answers = {"high": [0, 0], "normal": [0, 0]}

        async def work(_: Scope, __: Receive, send: Send) -> None:
            async with places:
                await asyncio.sleep(0.04)
            await send({"type": "http.response.start", "status": 200, "headers": []})

        shedding, asked = Shedding(work, clock=loop.time), []

        async def one(priority: str) -> None:
            status, _ = await ask(shedding, priority=priority, deadline_ms="1000")
            answers[priority][status != 200] += 1

        while loop.time() < 140.0:
            await asyncio.sleep(random.expovariate(300.0))
            asked.append(asyncio.ensure_future(one("high" if random.random() < 0.1 else "normal")))
        await asyncio.wait(asked)
        good = answers["high"][0] + answers["normal"][0]
        return good >= 0.9 * 100 * 40, answers["high"][0] >= 0.99 * sum(answers["high"])

    assert (True, True) == virtually(story)

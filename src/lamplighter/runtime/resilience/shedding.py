"""A server's own admission: it works on as much as it can, and refuses the rest at once, low priority first.

An ASGI middleware. What it decides is in `slots` and `concurrency`; here requests wait, are let in, and are
told no: 503 with `Retry-After` when there is no room, 504 when their deadline is over. A deadline and a
priority in the headers of a request hold for the calls that are made for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from contextvars import ContextVar
from time import monotonic
from typing import Any

from lamplighter.runtime.resilience.concurrency import Gradient
from lamplighter.runtime.resilience.deadline import DEADLINE, GRPC_HEADER, HEADER, received
from lamplighter.runtime.resilience.slots import Priority, Slots, Waiter

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PRIORITY_HEADER = "x-lamp-priority"
PRIORITY: ContextVar[Priority] = ContextVar("lamp_priority", default=Priority.NORMAL)
EXEMPT = ("/healthz", "/readyz", "/metrics")
WAIT_S = 0.5
WAITING_MIN = 20
"""At least so many may wait: a burst is not an overload."""
_WANTED = frozenset(name.encode() for name in (HEADER, GRPC_HEADER, PRIORITY_HEADER))
_BY_NAME = {each.name.lower(): each for each in Priority}


class Shedding:
    """Lets in as many requests as the app can work on; the others wait a moment by priority, or are refused.

    Args:
        app: the ASGI app.
        concurrency: how many at once; 0: learned from how long they take.
        wait_s: the longest that one waits to be let in, if its own deadline is not nearer.
        exempt: paths that are always let in, such as health checks.
        priority: the priority of a request, from its headers in lower case; None: `x-lamp-priority`, which is
            `high`, `normal` or `low`. Let the edge of your system set or strip it.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        app: App,
        *,
        concurrency: int = 0,
        wait_s: float = WAIT_S,
        exempt: Collection[str] = EXEMPT,
        priority: Callable[[dict[str, str]], Priority] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._app = app
        self._gradient = None if concurrency else Gradient()
        self.slots = Slots(concurrency or Gradient().limit, WAITING_MIN)
        self._wait_s = wait_s
        self._exempt = frozenset(exempt)
        self._priority = priority or _named
        self._clock = clock
        self.admitted = 0
        self.refused = dict.fromkeys(Priority, 0)
        self.late = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http" or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
            return
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"] if n in _WANTED}
        left, priority = received(headers), self._priority(headers)
        until = None if left is None else self._clock() + left
        if not self.slots.take() and not await self._let_in(priority, left):
            self.refused[priority] += 1
            await _refuse(send, 503, "overloaded")
            return
        if until is not None and self._clock() >= until:
            self.slots.leave()
            self.late += 1
            await _refuse(send, 504, "deadline-exceeded")
            return
        await self._serve(scope, receive, send, until, priority)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, until: float | None, priority: Priority
    ) -> None:
        self.admitted += 1
        started = self._clock()
        head = _Head(send)
        tokens = DEADLINE.set(until), PRIORITY.set(priority)
        try:
            async with asyncio.timeout(None if until is None else until - started) as scope_of_time:
                await self._app(scope, receive, head)
        except TimeoutError:
            if not scope_of_time.expired():
                raise
            self.late += 1
            if not head.sent:
                await _refuse(send, 504, "deadline-exceeded")
        finally:
            DEADLINE.reset(tokens[0])
            PRIORITY.reset(tokens[1])
            self._ended(started)

    def _ended(self, started: float) -> None:
        now = self._clock()
        if self._gradient is not None and self._gradient.sample(now - started, self.slots.in_flight, now):
            self.slots.limit = self._gradient.limit
            self.slots.waiting_max = max(WAITING_MIN, self._gradient.limit)
        self.slots.leave()
        self.slots.grant()

    async def _let_in(self, priority: Priority, left: float | None) -> bool:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = self.slots.wait(priority, lambda: _settle(woken))
        if waiter is None:
            return False
        wait_s = self._wait_s if left is None else min(left, self._wait_s)
        try:
            async with asyncio.timeout(wait_s):
                await woken
        except TimeoutError:
            return self._in_time(waiter)
        except BaseException:
            self.slots.give_up(waiter)
            raise
        return waiter.granted

    def _in_time(self, waiter: Waiter) -> bool:
        """A slot that came with the very end of the wait is taken."""
        if not waiter.granted:
            self.slots.give_up(waiter)
        return waiter.granted


class _Head:
    """Sends on, and remembers whether the answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.sent = False

    async def __call__(self, message: Message) -> None:
        self.sent = True
        await self._send(message)


def _settle(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


def _named(headers: dict[str, str]) -> Priority:
    return _BY_NAME.get(headers.get(PRIORITY_HEADER, "").lower(), Priority.NORMAL)


async def _refuse(send: Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"text/plain"), (b"x-lamp-reason", reason.encode())]
    headers += [(b"retry-after", b"1")] if status == 503 else []  # noqa: PLR2004 - Service Unavailable
    body = f"{reason}\n".encode()
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""Calls that turns make outside the runtime, and handlers that an event loop has to take over.

A call is started once the frame that asked for it is durable; what comes of it goes back to the host.
"""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lamplighter.runtime.agents.endings import told
from lamplighter.runtime.agents.errors import CallFailedError
from lamplighter.runtime.agents.host import Host
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.post import ERROR, VALUE, Status
from lamplighter.runtime.agents.release import Start
from lamplighter.runtime.agents.seats import Waiting
from lamplighter.runtime.agents.turn import Asked

THREADS = 32
"""Plain functions that run at once; the others wait."""


class Calls:
    """What runs outside a host on behalf of its turns.

    Args:
        host: whose turns.
        wake: tells the driver that there is something new.
    """

    def __init__(self, host: Host, wake: Callable[[], None]) -> None:
        self._host = host
        self._wake = wake
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(THREADS, "lamplighter-calls")

    def start(self, start: Start) -> None:
        """Start a call."""
        self._keep(self._call(start))

    def adopt(self, waiting: Waiting, awaited: Any) -> None:
        """Let the event loop run a handler that awaits something of it."""
        self._keep(self._run(waiting, awaited))

    async def close(self) -> None:
        """Cancel what runs; turns that wait for it ask for it again in their host's next life."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, start: Start) -> None:
        named = {"key": start.key} if takes_key(start.function) else {}
        status: Status = VALUE
        try:
            if inspect.iscoroutinefunction(start.function):
                value = await start.function(*start.args, **named)
            else:
                call = functools.partial(start.function, *start.args, **named)
                value = await asyncio.get_running_loop().run_in_executor(self._threads, call)
                if inspect.isawaitable(value):
                    value = await value
            payload = ENCODE(value)
        except Exception as error:  # noqa: BLE001 - the function is the user's code
            status, payload = ERROR, ENCODE((CallFailedError.code, told(error)[1]))
        self._host.resolve(start.partition, start.turn, start.n, status, payload)
        self._wake()

    async def _run(self, waiting: Waiting, awaited: Any) -> None:
        loop = asyncio.get_running_loop()
        value: Any = None
        error: Exception | None = None
        try:
            value = await _Continued(waiting, awaited, functools.partial(self._asked, loop, waiting))
        except Exception as raised:  # noqa: BLE001 - the handler is the user's code
            error = raised
        self._host.adopted(waiting, value, error)
        self._wake()

    def _asked(self, loop: asyncio.AbstractEventLoop, waiting: Waiting, asked: Asked) -> asyncio.Future[Any]:
        """Hand what an adopted handler asks for to the host; a future stands for the result."""
        future = loop.create_future()

        def resume(value: Any, error: Exception | None) -> None:
            waiting.resume = None
            if not future.done():
                future.set_result(value) if error is None else future.set_exception(error)

        waiting.resume = resume
        self._host.awaits(waiting, asked)
        self._wake()
        return future


class _Continued:
    """The rest of a handler, as something to await: what it asks of its turn goes to the host."""

    def __init__(self, waiting: Waiting, awaited: Any, asked: Callable[[Asked], asyncio.Future[Any]]) -> None:
        self._waiting = waiting
        self._awaited = awaited
        self._asked = asked

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, awaited = self._waiting.coroutine, self._awaited
        while True:
            value, error = None, None
            try:
                value = (yield from self._asked(awaited)) if isinstance(awaited, Asked) else (yield awaited)
            except BaseException as raised:  # noqa: BLE001 - also a cancellation is the handler's to see
                error = raised
            try:
                awaited = coroutine.throw(error) if error is not None else coroutine.send(value)
            except StopIteration as stop:
                return stop.value


@functools.lru_cache(maxsize=1024)
def takes_key(function: Callable[..., Any]) -> bool:
    """Whether a function has a parameter named `key`, for the call's stable name."""
    try:
        return "key" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False

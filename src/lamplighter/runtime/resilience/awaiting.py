"""Calls of coroutine functions through a dependency's decisions: waits happen here, nothing is decided."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from math import inf
from types import coroutine
from typing import Any

from lamplighter.runtime.resilience.deadline import DEADLINE
from lamplighter.runtime.resilience.dependency import Dependency
from lamplighter.runtime.resilience.errors import CircuitOpenError
from lamplighter.runtime.resilience.judging import Rules
from lamplighter.runtime.resilience.slots import Priority

Function = Callable[[], Coroutine[Any, Any, Any]]


async def call(dependency: Dependency, function: Function, rules: Rules) -> Any:
    """Call a function until it answers, or may not be called again.

    Args:
        dependency: whose breaker, budget, slots and deadline apply.
        function: makes one try.
        rules: which errors count, and whether a second try does no harm.
    """
    until = dependency.begin(dependency.clock())
    failures = 0
    last: Exception | None = None
    while True:
        try:
            return await _once(dependency, function, rules, until)
        except Exception as error:
            if last is not None and isinstance(error, CircuitOpenError):
                raise last from None
            failures += 1
            wait_s = dependency.pause_before_retry(rules, error, failures, until)
            if wait_s is None:
                raise
            last = error
        await asyncio.sleep(wait_s)


async def _once(dependency: Dependency, function: Function, rules: Rules, until: float) -> Any:
    now = dependency.clock()
    ticket = dependency.admit(now)
    if ticket < 0:
        ticket = -ticket
        await _slot(dependency, ticket, until)
        now = dependency.clock()
    try:
        limit = dependency.try_until(now, until)
        if rules.repeatable and dependency.latencies is not None:
            answer = await _hedged(dependency, function, limit)
        elif limit == inf:
            answer = await function()
        else:
            answer = await _bounded(dependency, function, limit)
    except BaseException as error:
        dependency.raised(ticket, now, error, rules)
        raise
    dependency.answered(ticket, now)
    return answer


async def _bounded(dependency: Dependency, function: Function, until: float) -> Any:
    """One try, ended at its deadline, which it and what it calls can see.

    Its first step runs without a timer: what answers without waiting needs none.
    """
    token = DEADLINE.set(until)
    try:
        work = function()
        try:
            awaited = work.send(None)
        except StopIteration as ended:
            return ended.value
        if until == inf:
            return await _rest(work, awaited)
        return await _timed(dependency, work, awaited, until)
    finally:
        DEADLINE.reset(token)


async def _timed(dependency: Dependency, work: Coroutine[Any, Any, Any], awaited: Any, until: float) -> Any:
    """Go on with a coroutine until its deadline, as within `asyncio.timeout`, for less."""
    task = asyncio.current_task()
    assert task is not None
    before, expired = task.cancelling(), False

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(until - dependency.clock(), expire)
    try:
        return await _rest(work, awaited)
    except asyncio.CancelledError as error:
        if not expired or task.cancelling() > before + 1:
            raise
        raise dependency.late() from error
    finally:
        timer.cancel()
        if expired:
            task.uncancel()


@coroutine
def _rest(work: Coroutine[Any, Any, Any], awaited: Any) -> Generator[Any, Any, Any]:
    """Go on with a coroutine whose first step is done and waits for `awaited`."""
    step: Callable[[Any], Any]
    while True:
        try:
            sent = yield awaited
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # noqa: BLE001 - handed in, as `await` does
            step, handed = work.throw, error
        else:
            step, handed = work.send, sent
        try:
            awaited = step(handed)
        except StopIteration as ended:
            return ended.value


async def _slot(dependency: Dependency, ticket: int, until: float) -> None:
    """Wait for a slot; without one, nothing was called."""
    assert dependency.slots is not None
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()
    with dependency.lock:
        waiter = dependency.slots.wait(Priority.NORMAL, lambda: loop.call_soon_threadsafe(_settle, woken))
    if waiter is None:
        raise dependency.not_made(ticket)
    try:
        async with asyncio.timeout(None if until == inf else until - dependency.clock()):
            await woken
    except BaseException as error:
        with dependency.lock:
            dependency.slots.give_up(waiter)
        refusal = dependency.not_made(ticket)
        if isinstance(error, TimeoutError):
            raise refusal from error
        raise
    if not waiter.granted:
        raise dependency.not_made(ticket)


async def _hedged(dependency: Dependency, function: Function, until: float) -> Any:
    """One try, and a second beside it if the first is slow; the first answer counts, the other is ended."""
    after_s = dependency.hedge_after()
    if after_s is None:
        return await _bounded(dependency, function, until)
    tries = {asyncio.ensure_future(_bounded(dependency, function, until))}
    try:
        done, _ = await asyncio.wait(tries, timeout=after_s)
        if not done and dependency.may_hedge():
            tries.add(asyncio.ensure_future(_bounded(dependency, function, until)))
        rest = tries
        while True:
            done, rest = await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
            good = next((each for each in done if each.exception() is None), None)
            if good is not None or not rest:
                return (good or done.pop()).result()
    finally:
        for each in tries:
            each.cancel()
        await asyncio.gather(*tries, return_exceptions=True)


def _settle(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)

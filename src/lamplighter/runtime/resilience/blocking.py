"""Calls of plain functions through a dependency's decisions: here waits happen, and nothing is decided.

A plain function cannot be interrupted: its deadline bounds when tries begin, waits and pauses, and the
function reads what is left from `remaining()` for its client's own timeout. Hedged calls run in
threads, so that they are given up in time; what was given up goes on in its thread until it ends.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from math import inf
from threading import Event
from time import sleep
from typing import Any

from lamplighter.runtime.resilience.deadline import DEADLINE
from lamplighter.runtime.resilience.dependency import Dependency
from lamplighter.runtime.resilience.errors import CircuitOpenError
from lamplighter.runtime.resilience.judging import Rules
from lamplighter.runtime.resilience.slots import Priority

THREADS = 32
"""Hedged calls of the process that can be under way at once; more wait for a thread."""

Function = Callable[[], Any]


def call(
    dependency: Dependency, function: Function, rules: Rules, *, rest: Callable[[float], object] = sleep
) -> Any:
    """Call a function until it answers, or may not be called again.

    Args:
        dependency: whose breaker, budget, slots and deadline apply.
        function: makes one try.
        rules: which errors count, and whether a second try does no harm.
        rest: waits so many seconds.
    """
    until = dependency.begin(dependency.clock())
    failures = 0
    last: Exception | None = None
    while True:
        try:
            return _once(dependency, function, rules, until)
        except Exception as error:
            if last is not None and isinstance(error, CircuitOpenError):
                raise last from None
            failures += 1
            wait_s = dependency.pause_before_retry(rules, error, failures, until)
            if wait_s is None:
                raise
            last = error
        rest(wait_s)


def _once(dependency: Dependency, function: Function, rules: Rules, until: float) -> Any:
    now = dependency.clock()
    ticket = dependency.admit(now)
    if ticket < 0:
        ticket = -ticket
        _slot(dependency, ticket, until)
        now = dependency.clock()
    try:
        limit = dependency.try_until(now, until)
        if rules.repeatable and dependency.latencies is not None:
            answer = _hedged(dependency, function, limit)
        else:
            answer = _bounded(function, limit)
    except BaseException as error:
        dependency.raised(ticket, now, error, rules)
        raise
    dependency.answered(ticket, now)
    return answer


def _bounded(function: Function, until: float) -> Any:
    if until == inf:
        return function()
    token = DEADLINE.set(until)
    try:
        return function()
    finally:
        DEADLINE.reset(token)


def _slot(dependency: Dependency, ticket: int, until: float) -> None:
    """Wait for a slot; without one, nothing was called."""
    assert dependency.slots is not None
    woken = Event()
    with dependency.lock:
        waiter = dependency.slots.wait(Priority.NORMAL, woken.set)
    if waiter is not None:
        woken.wait(None if until == inf else until - dependency.clock())
        with dependency.lock:
            if waiter.granted:
                return
            dependency.slots.give_up(waiter)
    raise dependency.not_made(ticket)


def _hedged(dependency: Dependency, function: Function, until: float) -> Any:
    """One try, and a second beside it if the first is slow; the first answer counts."""
    after_s = dependency.hedge_after()
    if after_s is None:
        return _bounded(function, until)
    tries = {_go(function, until)}
    done, rest = wait(tries, timeout=min(after_s, until - dependency.clock()))
    if not done and dependency.may_hedge():
        rest = tries = {*tries, _go(function, until)}
    while True:
        if not done:
            left = None if until == inf else max(0.0, until - dependency.clock())
            done, rest = wait(rest, timeout=left, return_when=FIRST_COMPLETED)
            if not done:
                raise dependency.late()
        good = next((each for each in done if each.exception() is None), None)
        if good is not None or not rest:
            return (good or done.pop()).result()
        done = set()


def _go(function: Function, until: float) -> "Future[Any]":
    return _threads().submit(copy_context().run, _bounded, function, until)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="lamp-hedge")

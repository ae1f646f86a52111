"""The program in which decorators are measured: reads `[name, calls]`, writes microseconds a call.

Runs in an environment that has the other libraries, or without them.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from lamplighter.runtime.resilience import BreakerSettings, Dependency, Policy, Settings

SETTINGS = Settings(timeout_s=1.0, deadline_s=2.0, retries=2, breaker=BreakerSettings(), concurrency=8)


def plain(number: int) -> int:
    """Do nothing."""
    return number


async def awaited(number: int) -> int:
    """Do nothing, as a coroutine."""
    return number


async def suspending(number: int) -> int:
    """Give way once, as a call that waits does."""
    await asyncio.sleep(0)
    return number


def wrapped(name: str) -> tuple[Callable[[int], Any], Callable[[int], Any]]:
    """Return the bare function and the protected one."""
    if name in {"plain", "awaited", "suspending"}:
        bare = {"plain": plain, "awaited": awaited, "suspending": suspending}[name]
        return bare, Policy(Dependency(name, SETTINGS))(bare)
    library, _, kind = name.partition("-")
    function: Any = awaited if kind else plain
    return function, _PEERS[library](function)


def _tenacity(function: Any) -> Any:
    each: Any = import_module("tenacity")
    return each.retry(stop=each.stop_after_attempt(3), wait=each.wait_random_exponential(max=2))(function)


def _stamina(function: Any) -> Any:
    return import_module("stamina").retry(on=OSError, attempts=3)(function)


def _backoff(function: Any) -> Any:
    each: Any = import_module("backoff")
    return each.on_exception(each.expo, OSError, max_tries=3)(function)


def _pybreaker(function: Any) -> Any:
    return import_module("pybreaker").CircuitBreaker(fail_max=5)(function)


def _circuitbreaker(function: Any) -> Any:
    return import_module("circuitbreaker").circuit(failure_threshold=5)(function)


def _purgatory(function: Any) -> Any:
    factory: Any = import_module("purgatory").AsyncCircuitBreakerFactory()
    return factory("search")(function)


def _both(function: Any) -> Any:
    return _tenacity(_pybreaker(function))


_PEERS: dict[str, Callable[[Any], Any]] = {
    "tenacity": _tenacity,
    "stamina": _stamina,
    "backoff": _backoff,
    "pybreaker": _pybreaker,
    "circuitbreaker": _circuitbreaker,
    "purgatory": _purgatory,
    "pybreaker+tenacity": _both,
}


def took_us(function: Callable[[int], Any], calls: int, *, waits: bool) -> float:
    """Return the processor time of one call, by this thread."""
    if not waits:
        begin = time.thread_time()
        for each in range(calls):
            function(each)
        return (time.thread_time() - begin) / calls * 1e6

    async def story() -> float:
        begin = time.thread_time()
        for each in range(calls):
            await function(each)
        return (time.thread_time() - begin) / calls * 1e6

    return asyncio.run(story())


def main() -> None:
    """Measure what is asked for until there is no more."""
    for line in sys.stdin:
        name, calls = json.loads(line)
        bare, protected = wrapped(name)
        waits = asyncio.iscoroutinefunction(bare)
        took_us(protected, calls // 10, waits=waits)
        print(took_us(protected, calls, waits=waits) - took_us(bare, calls, waits=waits), flush=True)


if __name__ == "__main__":
    main()

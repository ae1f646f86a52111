"""Virtual time for policies: a clock that tests set, and an event loop whose waits take no time."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from lamplighter.runtime.resilience import Dependency, Settings


class Clock:
    """Seconds that pass only when told to, or while something rests."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now

    def rest(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class _Hurried(selectors.SelectSelector):
    """Never waits; the loop's time jumps instead."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.loop.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time."""

    def __init__(self) -> None:
        selector = _Hurried()
        super().__init__(selector)
        selector.loop = self
        self.passed = 0.0

    def time(self) -> float:
        """Return the virtual seconds."""
        return getattr(self, "passed", 0.0) + 100.0


def virtually(story: Callable[[VirtualLoop], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine in virtual time and return what it returns."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(story(loop))
    finally:
        loop.close()


def dependency(clock: Callable[[], float], draw: float = 0.5, **settings: Any) -> Dependency:
    """Return a dependency of these settings whose chance is settled."""
    return Dependency("search", Settings(**settings), clock=clock, draw=lambda: draw)


class Flaky:
    """A function that fails as often as said, then answers; counts its calls."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.calls = 0
        self._failures = failures
        self._error = error or ConnectionError("gone")

    def __call__(self) -> str:
        """Fail, or answer."""
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error
        return "found"

    def awaited(self) -> Callable[[], Awaitable[str]]:
        """Return the same as a coroutine function."""

        async def ask() -> str:
            return self()

        return ask

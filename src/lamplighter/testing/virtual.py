"""Virtual time: an event loop that never waits: real code with real timeouts runs hours in seconds."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from lamplighter.model.value import Instant

EPOCH = datetime(2030, 1, 7, tzinfo=UTC)
"""Wall time at instant 0: a Monday at midnight, so that freeze windows are easy to reckon."""

T = TypeVar("T")


class _Leaps(selectors.SelectSelector):
    """Waits for nothing: the time asked for has passed at once."""

    def __init__(self, leap: Callable[[float], None]) -> None:
        super().__init__()
        self._leap = leap

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits for something that never comes")
        if timeout > 0:
            self._leap(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, which leaps to whatever is due next. No sockets, no threads."""

    def __init__(self, on_time: Callable[[Instant], None]) -> None:
        """Begin at instant 0; `on_time` is told of each new instant."""
        self._instant: Instant = 0.0
        self._on_time = on_time
        super().__init__(_Leaps(self._leap))

    def time(self) -> Instant:
        """Return the virtual instant."""
        return self._instant

    def _leap(self, seconds: float) -> None:
        self._instant += seconds
        self._on_time(self._instant)


def run(work: Coroutine[Any, Any, T], on_time: Callable[[Instant], None]) -> T:
    """Run a coroutine to its end on virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(on_time)) as runner:
        return runner.run(work)


class VirtualClock:
    """Implements `ports.Clock`: what decides is virtual, what labels can be made to jump."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self.jumped_s = 0.0

    def now(self) -> Instant:
        """Return the virtual instant."""
        return self._now()

    def wall(self) -> str:
        """Return the wall time, as wrong as it was made to be."""
        return (EPOCH + timedelta(seconds=self._now() + self.jumped_s)).isoformat()

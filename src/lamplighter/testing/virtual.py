"""Virtual time: an event loop that never waits: real code with real timeouts runs hours in seconds."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from lamplighter.model.value import Instant

EPOCH = datetime(2030, 1, 7, tzinfo=UTC)
"""Wall time at instant 0: a Monday at midnight, so that freeze windows are easy to reckon."""

OnTime = Callable[[Instant, Callable[[], bool]], Instant]

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

    def __init__(self, on_time: OnTime) -> None:
        """Begin at instant 0; `on_time` is told of each new instant.

        It is also told how to see whether what it does has given the loop something to do: then it stops
        there, and returns the instant that it came to.
        """
        self._instant: Instant = 0.0
        self._on_time = on_time
        super().__init__(_Leaps(self._leap))

    def time(self) -> Instant:
        """Return the virtual instant."""
        return self._instant

    def _write_to_self(self) -> None:
        """Wake nobody: nothing waits."""

    def _leap(self, seconds: float) -> None:
        self._instant = self._on_time(self._instant + seconds, self._called)

    def _called(self) -> bool:
        return bool(self._ready)  # type: ignore[attr-defined]


class VirtualThread(Executor):
    """One thread, in the order of what it is given, each piece of work taking virtual time."""

    def __init__(
        self, at: Callable[[Instant, Callable[[], object]], None], takes_s: Callable[[], float]
    ) -> None:
        """Put work down with `at`, so many seconds after what came before as `takes_s` says."""
        self._at = at
        self._takes_s = takes_s
        self._busy_until: Instant = 0.0

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Do a piece of work in a while, or now if it takes no time and nothing is ahead of it."""
        future: Future[Any] = Future()
        now, takes_s = asyncio.get_running_loop().time(), self._takes_s()

        def do() -> None:
            try:
                future.set_result(work(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - whoever waits gets it, whatever it is
                future.set_exception(error)

        if takes_s <= 0 and self._busy_until <= now:
            do()
        else:
            self._busy_until = max(now, self._busy_until) + takes_s
            self._at(self._busy_until, do)
        return future


def run(work: Coroutine[Any, Any, T], on_time: OnTime) -> T:
    """Run a coroutine to its end on virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(on_time)) as runner:
        return runner.run(work)


def wall_of(since_s: float) -> str:
    """Return the wall time so many seconds after `EPOCH`, a Monday's midnight."""
    return (EPOCH + timedelta(seconds=since_s)).isoformat()


class VirtualClock:
    """Implements `ports.Clock`: what decides is virtual, what labels can be made to jump."""

    def __init__(self, now: Callable[[], Instant], wall_at_s: float = 0.0) -> None:
        """Begin so many seconds after `EPOCH`."""
        self._now = now
        self._wall_at_s = wall_at_s
        self.jumped_s = 0.0
        self._labelled: tuple[float, str] = (-1.0, "")

    def now(self) -> Instant:
        """Return the virtual instant."""
        return self._now()

    def wall(self) -> str:
        """Return the wall time, as wrong as it was made to be."""
        since_s = self._now() + self._wall_at_s + self.jumped_s
        if self._labelled[0] != since_s:
            self._labelled = since_s, wall_of(since_s)
        return self._labelled[1]

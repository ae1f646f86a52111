"""The agenda: virtual time, and what happens in it, in order. Knows nothing of what happens."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from lamplighter.model.value import Instant

Happening = Callable[[], object]


class Agenda:
    """Things to come. Those at the same instant happen in the order in which they were put down."""

    def __init__(self, on_time: Callable[[Instant], None]) -> None:
        """Begin at instant 0; `on_time` is told of each step forward before it is made."""
        self.now: Instant = 0.0
        self._on_time = on_time
        self._items: list[tuple[Instant, int, int | None, Happening]] = []
        self._numbers = count()
        self._era = 0

    def at(self, when: Instant, happen: Happening, *, fault: bool = False) -> None:
        """Put something down; a fault happens only if there still are faults then."""
        era = self._era if fault else None
        heappush(self._items, (max(when, self.now), next(self._numbers), era, happen))

    def advance(self, to: Instant) -> None:
        """Let everything happen that is due until `to`."""
        while self._items and self._items[0][0] <= to:
            at, _, era, happen = heappop(self._items)
            if era is None or era == self._era:
                self._step(at)
                happen()
        self._step(to)

    def drop_faults(self) -> None:
        """Let none of the faults put down so far happen."""
        self._era += 1

    def _step(self, to: Instant) -> None:
        if to > self.now:
            self._on_time(to)
            self.now = to

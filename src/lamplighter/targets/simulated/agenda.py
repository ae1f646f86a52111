"""The agenda: virtual time, and what happens in it, in order. Knows nothing of what happens."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from lamplighter.model.value import Instant

Happening = Callable[[], object]


class Agenda:
    """Things to come. Those at the same instant happen in the order in which they were put down."""

    def __init__(self) -> None:
        """Begin at instant 0."""
        self.now: Instant = 0.0
        self._items: list[tuple[Instant, int, int | None, Happening]] = []
        self._numbers = count()
        self._era = 0

    def at(self, when: Instant, happen: Happening, *, fault: bool = False) -> None:
        """Put something down; a fault happens only if there still are faults then."""
        era = self._era if fault else None
        heappush(self._items, (max(when, self.now), next(self._numbers), era, happen))

    def advance(self, to: Instant, called: Callable[[], bool] | None = None) -> Instant:
        """Let everything happen that is due until `to`, or until something that happens calls somebody."""
        while self._items and self._items[0][0] <= to:
            at, _, era, happen = heappop(self._items)
            if era is None or era == self._era:
                self.now = max(self.now, at)
                happen()
                if called is not None and called():
                    return self.now
        self.now = max(self.now, to)
        return self.now

    def drop_faults(self) -> None:
        """Let none of the faults put down so far happen."""
        self._era += 1

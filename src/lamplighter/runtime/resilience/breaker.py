"""A circuit breaker over a sliding window. Pure: told the time, and what came of each call.

Closed, it counts calls and failures of the last `window_s`. Open, it refuses for `open_s`. Half-open, it lets
a bounded number of probes through: when all of them succeed it closes, when one fails it opens again
(M. Nygard, "Release It!", 2007; the window as in resilience4j's time-based one).
"""

from typing import Literal

SLICES = 10

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Opens when at least `errors` of the calls in the window failed, of at least `calls_min`.

    Args:
        errors: the share of failed calls at which it opens, above 0 and up to 1.
        window_s: how long a call counts.
        calls_min: fewer calls than this in the window decide nothing.
        open_s: how long it refuses. Not longer after failed probes: these are few, and a wait that has grown
            in an outage would be added to it.
        probes: how many calls are let through when that is over, and must all succeed.
    """

    def __init__(
        self,
        errors: float = 0.5,
        window_s: float = 10.0,
        calls_min: int = 10,
        open_s: float = 1.0,
        probes: int = 3,
    ) -> None:
        self._errors = errors
        self._slice_s = window_s / SLICES
        self._calls_min = calls_min
        self._open_s = open_s
        self._probes = probes
        self.state: State = "closed"
        self._era = 0
        self._calls = [0] * SLICES
        self._failures = [0] * SLICES
        self._slice = 0
        self._slice_ends = 0.0
        self._total = 0
        self._failed = 0
        self._opened_until = 0.0
        self._out = 0
        self._good = 0

    def admit(self, now: float) -> int:
        """Return a ticket for one call, to be handed to `succeeded`, `failed` or `forget`; 0: refused."""
        if self.state == "closed":
            return self._era + 1
        if self.state == "open":
            if now < self._opened_until:
                return 0
            self._turn("half-open")
            self._out = self._good = 0
        if self._out + self._good >= self._probes:
            return 0
        self._out += 1
        return self._era + 1

    def refused_for(self, now: float) -> float:
        """Return the seconds until it may let a call through again."""
        return max(0.0, self._opened_until - now) if self.state == "open" else 0.0

    def succeeded(self, ticket: int, now: float) -> None:
        """Count a success. One whose call began in an earlier state says nothing of this one."""
        if ticket != self._era + 1:
            return
        if self.state == "closed":
            if now >= self._slice_ends:
                self._slide(now)
            self._calls[self._slice] += 1
            self._total += 1
            return
        self._out -= 1
        self._good += 1
        if self._good >= self._probes:
            self._turn("closed")
            self._clear()

    def failed(self, ticket: int, now: float) -> None:
        """Count a failure; opens when it was one too many."""
        if ticket != self._era + 1:
            return
        if self.state == "closed":
            if now >= self._slice_ends:
                self._slide(now)
            self._calls[self._slice] += 1
            self._failures[self._slice] += 1
            self._total += 1
            self._failed += 1
            if self._total >= self._calls_min and self._failed >= self._errors * self._total:
                self._open(now)
            return
        self._open(now)

    def forget(self, ticket: int) -> None:
        """Take back a call of which nothing is known: cancelled, or never sent."""
        if ticket == self._era + 1 and self.state == "half-open":
            self._out -= 1

    def _open(self, now: float) -> None:
        self._turn("open")
        self._opened_until = now + self._open_s

    def _turn(self, state: State) -> None:
        self.state = state
        self._era += 1

    def _slide(self, now: float) -> None:
        """Move on to the slice that `now` is in; forget what is older than the window."""
        passed = 1 + int((now - self._slice_ends) / self._slice_s) if self._slice_ends else SLICES
        if passed >= SLICES:
            self._clear()
        else:
            for _ in range(passed):
                self._slice = (self._slice + 1) % SLICES
                self._total -= self._calls[self._slice]
                self._failed -= self._failures[self._slice]
                self._calls[self._slice] = self._failures[self._slice] = 0
        self._slice_ends = (int(now / self._slice_s) + 1) * self._slice_s

    def _clear(self) -> None:
        self._calls = [0] * SLICES
        self._failures = [0] * SLICES
        self._total = self._failed = 0
        self._slice_ends = 0.0

"""How long to wait before another try, and whether there may be one at all. Pure.

The wait is drawn evenly between nothing and a bound that doubles: "full jitter" (M. Brooker, "Exponential
Backoff and Jitter", AWS Architecture Blog, 2015). Whether there may be one is a budget of the dependency, not
of the call: tries beyond the first are a share of the calls (Google, "Site Reliability Engineering", chapter
21, "Handling Overload": ten percent), so an outage cannot multiply the load.
"""

from collections.abc import Callable
from math import exp

SHARE = 0.1
MEMORY_S = 1.0
SPARE_EVERY_S = 10.0
"""A caller of few calls may still retry once in this time, which its share would never allow it."""


def pause(failures: int, base_s: float, most_s: float, draw: Callable[[], float]) -> float:
    """Return the seconds to wait after so many failures (from 1): full jitter.

    Args:
        failures: how many tries have failed, from 1.
        base_s: the bound of the first pause.
        most_s: the bound of all.
        draw: an even number from 0 to 1.
    """
    return draw() * min(most_s, base_s * 2.0 ** min(failures - 1, 60))


class Budget:
    """Extra tries that a dependency's calls have earned: a share of those of the last second or so.

    What was earned fades with `memory_s`, so that a quiet hour does not save up for a storm. At a steady
    rate r at most `share * r * memory_s` can be there at once, and `share * r` comes in a second: within any
    second all tries are at most `1 + 2 * share` of the calls, and `1 + share` in the long run. Below
    `1 / share` calls a second there is one more every `SPARE_EVERY_S`.
    """

    __slots__ = ("_at", "_earned", "_memory_s", "_share", "_spare_at")

    def __init__(self, share: float = SHARE, memory_s: float = MEMORY_S) -> None:
        self._share = share
        self._memory_s = memory_s
        self._earned = 0.0
        self._at = 0.0
        self._spare_at = float("-inf")

    def earn(self, now: float) -> None:
        """Count a call."""
        past = now - self._at
        if past > 0.0:
            self._earned *= exp(-past / self._memory_s)
            self._at = now
        self._earned += self._share

    def spend(self, now: float) -> bool:
        """Take one extra try, if there is one."""
        earned = self._earned * exp(-max(0.0, now - self._at) / self._memory_s)
        if earned >= 1.0:
            self._earned -= self._earned / earned
            return True
        if self._share > 0.0 and now - self._spare_at >= SPARE_EVERY_S and self.quiet(now):
            self._spare_at = now
            return True
        return False

    def quiet(self, now: float) -> bool:
        """Whether the calls are so few that their share could never be a whole try."""
        rate = self._earned * exp(-max(0.0, now - self._at) / self._memory_s) / max(self._share, 1e-9)
        return rate * self._share < 1.0 / 2

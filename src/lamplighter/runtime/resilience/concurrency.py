"""How many requests a server can work on at once, learned from how long they take. Pure.

The gradient controller of Envoy's adaptive concurrency filter: each window compares what requests take now
with what they take when nothing queues, `gradient = (least + buffer) / now`, and the limit becomes
`gradient * limit + sqrt(limit)`. (Envoy documentation, "Adaptive Concurrency"; it goes back to Netflix's
concurrency-limits.) Chosen over additive increase and multiplicative decrease because it needs no latency
goal, and over the gradient of a long average because that average drifts upwards in a long overload.

What requests take when nothing queues is measured in windows in which at most half of the limit was in use,
or else every `refresh_s` by letting few in for a moment.
"""

from math import sqrt

WINDOW_S = 0.1
SAMPLES_MIN = 10
BUFFER = 0.25
GRADIENT_MIN, GRADIENT_MAX = 0.5, 2.0
LIMIT_MIN = 3
REFRESH_S = 30.0
REFRESH_SAMPLES = 20
REFRESH_PART = 0.02
"""A refresh may take this part of the time between two of them, if requests are slow."""

LOWER_PART, HIGHER_PART = 0.1, 0.2
"""How far one window moves the least latency: the lowest of many noisy means would be too low."""


class Gradient:
    """A limit that follows latency.

    Args:
        limit: where it begins, once the least latency is known; until then few are let in.
        limit_max: it never grows beyond.
        refresh_s: at most this long after the least latency was last seen it is measured anew.
    """

    def __init__(self, limit: int = 20, limit_max: int = 1000, refresh_s: float = REFRESH_S) -> None:
        self.limit = LIMIT_MIN
        self.least_s = 0.0
        self._limit_max = limit_max
        self._refresh_s = refresh_s
        self._exact = float(LIMIT_MIN)
        self._sum = 0.0
        self._count = 0
        self._busiest = 0
        self._ends = 0.0
        self._least_at = float("-inf")
        self._before = float(limit)
        self._settles = 0

    @property
    def refreshing(self) -> bool:
        """Whether few are let in now, so that the least latency can be measured."""
        return self._before > 0.0

    def sample(self, took_s: float, in_flight: int, now: float) -> bool:
        """Count a request that was answered; return whether the limit has changed.

        Args:
            took_s: from its admission to its answer.
            in_flight: how many were under way as it ended, itself included.
            now: when it ended.
        """
        if self._settles > 0:
            self._settles -= 1
            self._ends = now + WINDOW_S
            return False
        if self._ends == 0.0:
            self._ends = now + WINDOW_S
        self._sum += took_s
        self._count += 1
        self._busiest = max(self._busiest, in_flight)
        wanted = REFRESH_SAMPLES if self.refreshing else SAMPLES_MIN
        late = self.refreshing and now - self._ends > REFRESH_PART * self._refresh_s
        if (now < self._ends or self._count < wanted) and not late:
            return False
        mean_s, busiest = self._sum / self._count, self._busiest
        self._sum, self._count, self._busiest, self._ends = 0.0, 0, 0, now + WINDOW_S
        before = self.limit
        self._learn(mean_s, busiest, now)
        return self.limit != before

    def _learn(self, mean_s: float, busiest: int, now: float) -> None:
        if self.refreshing:
            self.least_s, self._least_at = mean_s, now
            self._set(self._before)
            self._before = 0.0
        elif mean_s < self.least_s:
            self.least_s += LOWER_PART * (mean_s - self.least_s)
        elif busiest * 2 <= self.limit:
            self.least_s += HIGHER_PART * (mean_s - self.least_s)
            self._least_at = now
        elif now - self._least_at > self._refresh_s:
            self._before = self._exact
            self._settles = self.limit
            self._set(LIMIT_MIN)
            return
        if busiest * 2 > self.limit:
            gradient = self.least_s * (1 + BUFFER) / mean_s
            gradient = min(GRADIENT_MAX, max(GRADIENT_MIN, gradient))
            self._set(gradient * self._exact + sqrt(self._exact))

    def _set(self, limit: float) -> None:
        self._exact = min(float(self._limit_max), max(float(LIMIT_MIN), limit))
        self.limit = int(self._exact)

"""What share of calls took how long, of the last hundreds. Pure."""

SIZE = 256
LEAST = 20
EVERY = 32


class Latencies:
    """The 95th percentile of the last `SIZE` calls, worked out anew every `EVERY` calls."""

    __slots__ = ("_count", "_kept", "p95_s")

    def __init__(self) -> None:
        self._kept = [0.0] * SIZE
        self._count = 0
        self.p95_s: float | None = None

    def add(self, took_s: float) -> None:
        """Count a call that was answered."""
        self._kept[self._count % SIZE] = took_s
        self._count += 1
        if self._count == LEAST or self._count % EVERY == 0:
            known = sorted(self._kept[: min(self._count, SIZE)])
            self.p95_s = known[int(0.95 * (len(known) - 1) + 0.5)] if self._count >= LEAST else None

"""Requests counted up over one tick of a soak. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load import Sample
from benchmarks.load.sample import ENDLESS
from benchmarks.load.tally import nearest_rank


@dataclass(slots=True)
class Tick:
    """What ended within a tick: by kind and fate, the times of whole answers, and the generator's lag."""

    fates: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    failed: int = 0
    cut: int = 0
    lag_p99_s: float = 0.0

    def add(self, sample: Sample) -> None:
        """Count one request."""
        self.fates[f"{sample.kind.value}:{sample.fate.value}"] += 1
        self.failed += sample.fate.failed
        self.cut += sample.fate.value == "cut"
        if sample.kind not in ENDLESS:
            self.took_s.append(sample.took_s)

    @property
    def requests(self) -> int:
        """All that ended."""
        return sum(self.fates.values())

    def p99_s(self) -> float:
        """Nearest-rank p99 of the whole answers."""
        return nearest_rank(sorted(self.took_s), 0.99)

    def line(self) -> dict[str, Any]:
        """What is written down of it."""
        return {
            "fates": dict(self.fates),
            "p50_s": round(nearest_rank(sorted(self.took_s), 0.5), 4),
            "p99_s": round(self.p99_s(), 4),
            "most_s": round(max(self.took_s, default=0.0), 4),
            "lag_p99_s": round(self.lag_p99_s, 4),
        }

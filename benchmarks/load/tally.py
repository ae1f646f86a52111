"""Samples summed up: totals, percentiles, the failures one wants to read, a series for pictures.

The generator keeps one tally of its run; a driver sums up any subset of samples with the same code.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from benchmarks.load.sample import ENDLESS, Fate, Sample

LAG_P99_MAX_S = 0.05
"""A generator that sends later than this at p99 measures itself; the run is marked invalid."""


class Percentiles(msgspec.Struct, frozen=True):
    """Latencies in seconds of `count` requests, nearest rank; all 0 when there are none."""

    count: int = 0
    mean: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    most: float = 0.0


class Second(msgspec.Struct):
    """What became of the requests that were due within one second; `at` is monotonic."""

    at: float
    due: int = 0
    ok: int = 0
    failed: int = 0
    cut: int = 0
    p50_s: float = 0.0
    p99_s: float = 0.0
    most_s: float = 0.0


class Honesty(msgspec.Struct, frozen=True, kw_only=True):
    """How well the generator itself kept up; latencies of an invalid run say nothing of the server.

    Args:
        lag_p50_s, lag_p99_s, lag_most_s: how late requests were sent.
        cpu_s: processor time of the whole generator while it ran.
        cpu_share: of one core.
        cpu_per_request_s: everything included, the sending of results too.
        valid: false when it lagged, ran out of connections or was stopped before it began.
        why: what made it invalid.
    """

    lag_p50_s: float = 0.0
    lag_p99_s: float = 0.0
    lag_most_s: float = 0.0
    cpu_s: float = 0.0
    cpu_share: float = 0.0
    cpu_per_request_s: float = 0.0
    valid: bool = True
    why: str = ""


class Report(msgspec.Struct, kw_only=True, tag="report"):
    """A run, summed up.

    Args:
        totals: kind to fate to how many.
        latency: kind to percentiles, failures included as long as they took.
        failures, cuts: the first of each, in the order they ended.
        reasons: the gateway's reason header to how often it came.
        closes: who closed a WebSocket and the code, as `server:1012`, to how often.
        replicas: replica and process, as `search/1@4711`, to how many answers it gave.
        series: by the second in which requests were due.
    """

    requests: int
    failed: int
    cut: int
    totals: dict[str, dict[str, int]]
    latency: dict[str, Percentiles]
    failures: list[Sample]
    cuts: list[Sample]
    reasons: dict[str, int]
    closes: dict[str, int]
    replicas: dict[str, int]
    series: list[Second]
    generator: Honesty = Honesty()
    started_at: float = 0.0
    seconds: float = 0.0

    def count(self, kind: str | None = None, fate: str | None = None) -> int:
        """How many requests, of this kind and fate if named."""
        kinds = self.totals.values() if kind is None else [self.totals.get(kind, {})]
        return sum(n for fates in kinds for name, n in fates.items() if fate in (None, name))

    def failed_of(self, kind: str) -> int:
        """How many requests of this kind failed."""
        return sum(n for fate, n in self.totals.get(kind, {}).items() if Fate(fate).failed)


class Tally:
    """Adds samples up as they end; some 40 bytes a request, besides the failures it keeps."""

    def __init__(self, failures_max: int = 50) -> None:
        self._failures_max = failures_max
        self._fates: dict[str, Counter[str]] = {}
        self._latency: dict[str, array[float]] = {}
        self._seconds: dict[int, tuple[Second, array[float]]] = {}
        self._failures: list[Sample] = []
        self._cuts: list[Sample] = []
        self._reasons: Counter[str] = Counter()
        self._closes: Counter[str] = Counter()
        self._replicas: Counter[str] = Counter()
        self.requests = self.failed = self.cut = 0

    def add(self, sample: Sample) -> None:
        """Count one request that has ended."""
        self.requests += 1
        kind = sample.kind.value
        self._fates.setdefault(kind, Counter())[sample.fate.value] += 1
        self._latency.setdefault(kind, array("d")).append(sample.latency_s)
        self._note(sample)
        self._place(sample)

    def report(
        self, generator: Honesty | None = None, started_at: float = 0.0, seconds: float = 0.0
    ) -> Report:
        """The sum so far; may be asked for at any time."""
        return Report(
            requests=self.requests,
            failed=self.failed,
            cut=self.cut,
            totals={kind: dict(fates) for kind, fates in self._fates.items()},
            latency={kind: percentiles(values) for kind, values in self._latency.items()},
            failures=list(self._failures),
            cuts=list(self._cuts),
            reasons=dict(self._reasons),
            closes=dict(self._closes),
            replicas=dict(self._replicas),
            series=[_finished(*self._seconds[at]) for at in sorted(self._seconds)],
            generator=generator or Honesty(),
            started_at=started_at,
            seconds=seconds,
        )

    def _note(self, sample: Sample) -> None:
        if sample.fate.failed:
            self.failed += 1
            if len(self._failures) < self._failures_max:
                self._failures.append(sample)
        elif sample.fate is Fate.CUT:
            self.cut += 1
            if len(self._cuts) < self._failures_max:
                self._cuts.append(sample)
        if sample.reason:
            self._reasons[sample.reason] += 1
        if sample.closed_by:
            self._closes[f"{sample.closed_by}:{sample.close_code}"] += 1
        if sample.replica or sample.pid:
            self._replicas[f"{sample.replica}@{sample.pid}"] += 1

    def _place(self, sample: Sample) -> None:
        at = int(sample.scheduled_at)
        if at not in self._seconds:
            self._seconds[at] = (Second(at=at), array("d"))
        second, latencies = self._seconds[at]
        second.due += 1
        second.ok += sample.fate is Fate.OK
        second.failed += sample.fate.failed
        second.cut += sample.fate is Fate.CUT
        latencies.append(sample.latency_s)


def summarise(samples: Iterable[Sample], failures_max: int = 50) -> Report:
    """The report of any samples, for example those of one kind or of the minute after a fault."""
    tally = Tally(failures_max)
    for sample in samples:
        tally.add(sample)
    return tally.report()


def percentiles(values: Sequence[float]) -> Percentiles:
    """Mean, nearest-rank percentiles and the greatest of the values, which may stand in any order."""
    if not values:
        return Percentiles()
    ranked = sorted(values)
    return Percentiles(
        count=len(ranked),
        mean=sum(ranked) / len(ranked),
        p50=nearest_rank(ranked, 0.5),
        p90=nearest_rank(ranked, 0.9),
        p95=nearest_rank(ranked, 0.95),
        p99=nearest_rank(ranked, 0.99),
        p999=nearest_rank(ranked, 0.999),
        most=ranked[-1],
    )


def nearest_rank(ranked: Sequence[float], share: float) -> float:
    """The smallest of the sorted values that at least `share` of them do not exceed; 0 for none."""
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else 0.0


def honesty(lags: Sequence[float], cpu_s: float, wall_s: float, shortage: str = "") -> Honesty:
    """Judge the generator by how late it sent; `shortage` names what it ran out of, if anything."""
    lag = percentiles(lags)
    why = shortage
    if lag.p99 > LAG_P99_MAX_S:
        why = f"sent {lag.p99 * 1000:.0f} ms late at p99; at most {LAG_P99_MAX_S * 1000:.0f} ms is honest"
    return Honesty(
        lag_p50_s=lag.p50,
        lag_p99_s=lag.p99,
        lag_most_s=lag.most,
        cpu_s=cpu_s,
        cpu_share=cpu_s / wall_s if wall_s else 0.0,
        cpu_per_request_s=cpu_s / len(lags) if lags else 0.0,
        valid=not why,
        why=why,
    )


def first_served(samples: Iterable[Sample], after: float, known: frozenset[int]) -> Sample | None:
    """The earliest answer, of those that ended after the moment `after`, by a process not in `known`.

    Its end, `scheduled_at + took_s`, is when a replacement or a new replica was first seen in rotation.
    Streams are passed over: their headers come long before they end.
    """
    fresh = [
        sample
        for sample in samples
        if sample.pid and sample.pid not in known and sample.kind not in ENDLESS and sample.status < 500
    ]
    ended = [sample for sample in fresh if sample.scheduled_at + sample.took_s > after]
    return min(ended, key=lambda sample: sample.scheduled_at + sample.took_s, default=None)


def _finished(second: Second, latencies: Sequence[float]) -> Second:
    ranked = sorted(latencies)
    return msgspec.structs.replace(
        second, p50_s=nearest_rank(ranked, 0.5), p99_s=nearest_rank(ranked, 0.99), most_s=ranked[-1]
    )

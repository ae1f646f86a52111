"""Samples summed up."""

from typing import Any

import pytest
from benchmarks.load.sample import Fate, Sample
from benchmarks.load.tally import first_served, honesty, percentiles, summarise
from benchmarks.load.traffic import Kind


def sample(n: int = 0, at: float = 0.0, took: float = 0.1, fate: Fate = Fate.OK, **more: Any) -> Sample:
    """A request that was due at a moment and took its time."""
    return Sample(
        n=n, kind=Kind.GET, scheduled_at=at, late_s=0, latency_s=took, took_s=took, fate=fate, **more
    )


def test_percentiles_are_nearest_rank() -> None:
    """Of a hundred values the 99th is the p99, the 50th the median."""
    found = percentiles([float(value) for value in range(100, 0, -1)])
    assert (50, 95, 99, 100, 100) == (found.p50, found.p95, found.p99, found.p999, found.most)


def test_no_values_have_no_percentiles() -> None:
    """An empty run is all zeros with a count of 0, no error."""
    assert 0 == percentiles([]).count


def test_totals_are_by_kind_and_fate() -> None:
    """Failures and cuts are counted apart, and each fate under its kind."""
    report = summarise([sample(), sample(fate=Fate.SLOW), sample(fate=Fate.CUT), sample(fate=Fate.REJECTED)])
    assert (4, 1, 1) == (report.requests, report.failed, report.cut)
    assert {"get": {"ok": 1, "slow": 1, "cut": 1, "rejected": 1}} == report.totals
    assert (1, 4, 1) == (report.count("get", "cut"), report.count(), report.failed_of("get"))


def test_first_failures_are_listed_up_to_the_limit() -> None:
    """The report lists the failures that came first, and no more than it may."""
    report = summarise([sample(n, fate=Fate.SLOW) for n in range(60)], failures_max=50)
    assert (60, list(range(50))) == (report.failed, [failure.n for failure in report.failures])


def test_series_is_by_the_second_requests_were_due() -> None:
    """A request that was due in one second and failed in another belongs to the first."""
    report = summarise([sample(at=3.9, took=2.5, fate=Fate.SLOW), sample(at=5.0)])
    assert [(3, 1, 1), (5, 1, 0)] == [(second.at, second.due, second.failed) for second in report.series]


def test_generator_late_at_p99_is_not_valid() -> None:
    """Above 50 ms of lag at p99 the run is invalid and says why."""
    found = honesty([0.0] * 98 + [0.06, 0.06], cpu_s=1, wall_s=10)
    assert (False, "sent 60 ms late at p99; at most 50 ms is honest") == (found.valid, found.why)


def test_rare_lag_leaves_a_run_valid() -> None:
    """One late send in a thousand is reported and forgiven."""
    found = honesty([0.0] * 999 + [0.2], cpu_s=1, wall_s=10)
    assert (True, 0.2, 0.001) == (found.valid, found.lag_most_s, found.cpu_per_request_s)


def test_shortage_makes_a_run_invalid() -> None:
    """A generator that ran out of something is invalid however punctual it was."""
    assert not honesty([0.0], cpu_s=0, wall_s=1, shortage="out of connections").valid


def test_first_answer_of_a_new_process_marks_the_repair() -> None:
    """The replacement was in rotation when its first answer came, not when that request was due."""
    samples = [
        sample(0, at=10.0, pid=1),
        sample(1, at=10.6, pid=9, took=0.2),
        sample(2, at=10.5, pid=9, took=0.5),
    ]
    found = first_served(samples, after=10.0, known=frozenset({1}))
    assert found is not None
    assert pytest.approx(10.8) == found.scheduled_at + found.took_s


def test_no_new_process_is_no_repair() -> None:
    """Without an answer by an unknown process there is nothing to show."""
    assert first_served([sample(pid=1), sample(pid=0)], after=0, known=frozenset({1})) is None

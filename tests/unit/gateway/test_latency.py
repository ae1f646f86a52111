"""Quantiles from cumulative buckets."""

import pytest

from lamplighter.targets.local.gateway.bootstrap import LATENCY_BUCKETS_MS
from lamplighter.targets.local.gateway.statistics import Latency


def timed(*answers_ms: float) -> Latency:
    """A histogram of these."""
    return Latency(
        (*(sum(a <= bound for a in answers_ms) for bound in LATENCY_BUCKETS_MS), len(answers_ms)),
    )


def test_no_answers_have_no_quantile() -> None:
    """None is not zero."""
    assert None is Latency().quantile_ms(0.99)


def test_quantile_lies_within_its_bucket() -> None:
    """Ninety of hundred at 4 ms, ten at 450 ms: the median is in 2..5, the 99th in 400..500."""
    latency = timed(*[4] * 90, *[450] * 10)
    assert 2 < (latency.quantile_ms(0.5) or 0) <= 5
    assert 400 < (latency.quantile_ms(0.99) or 0) <= 500


def test_beyond_the_last_bucket_is_its_bound() -> None:
    """What took longer than can be told is given as the longest that can."""
    assert LATENCY_BUCKETS_MS[-1] == timed(1e9).quantile_ms(0.5)


def test_difference_holds_what_came_between() -> None:
    """Old slow answers do not weigh on the new quick ones."""
    before = timed(*[900] * 50)
    assert timed(*[4] * 10).counts == timed(*[900] * 50, *[4] * 10).since(before).counts


def test_restarted_gateway_counts_from_zero() -> None:
    """Fewer answers than before mean a new gateway: all of its answers are new."""
    assert timed(4) == timed(4).since(timed(4, 4, 4))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_extremes_are_within_the_buckets(share: float) -> None:
    """The least and the greatest are bounded by the buckets that hold answers."""
    assert 20 <= (timed(25, 25).quantile_ms(share) or 0) <= 30 or share == 0.0

"""When requests are due."""

from itertools import pairwise

import pytest
from benchmarks.load.profile import Stage, arrivals, duration_s, parse_stages


def test_constant_arrivals_are_evenly_spaced() -> None:
    """At a constant 4 requests a second one is due every quarter of a second, the first after one."""
    assert [0.25, 0.5, 0.75] == list(arrivals([Stage(1, 4)], seed=1, spacing="constant"))


def test_same_seed_gives_same_poisson_arrivals() -> None:
    """Poisson arrivals come from the seed and nothing else."""
    stages = [Stage(5, 20), Stage(5, 20, 80)]
    assert list(arrivals(stages, seed=7)) == list(arrivals(stages, seed=7))


def test_other_seed_gives_other_arrivals() -> None:
    """Two seeds give two different schedules."""
    assert list(arrivals([Stage(5, 20)], seed=7)) != list(arrivals([Stage(5, 20)], seed=8))


def test_poisson_gaps_are_exponential() -> None:
    """The variance of the gaps is the square of their mean, as exponential gaps have it."""
    due = list(arrivals([Stage(200, 50)], seed=3))
    gaps = [later - earlier for earlier, later in pairwise(due)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert pytest.approx(0.02, rel=0.05) == mean
    assert pytest.approx(mean**2, rel=0.1) == variance


def test_ramp_rises_with_its_rate() -> None:
    """A ramp from nothing to 100/s puts a quarter of its requests into its first half."""
    due = list(arrivals([Stage(10, 0, 100)], seed=1, spacing="constant"))
    assert 499 == len(due)
    assert 125 == sum(at <= 5 for at in due)


def test_falling_ramp_ends_with_its_stage() -> None:
    """A ramp down to nothing stays within its own time and order."""
    due = list(arrivals([Stage(10, 100, 0)], seed=1, spacing="constant"))
    assert due == sorted(due)
    assert due[-1] < 10


def test_step_changes_the_rate_at_its_moment() -> None:
    """A step from 10/s to 50/s is seen in the seconds before and after it."""
    due = list(arrivals([Stage(2, 10), Stage(2, 50)], seed=1, spacing="constant"))
    assert [10, 50] == [sum(1 < at <= 2 for at in due), sum(3 - 1e-9 < at <= 4 - 1e-9 for at in due)]


def test_silent_stage_sends_nothing() -> None:
    """A stage of rate 0 is a pause."""
    due = list(arrivals([Stage(1, 5), Stage(10, 0), Stage(1, 5)], seed=1, spacing="constant"))
    assert [] == [at for at in due if 1.0001 < at < 11]
    assert 9 == len(due)


def test_stages_are_read_from_text() -> None:
    """The command line's form gives the stages it names."""
    assert (Stage(10, 50), Stage(20, 50, 250)) == parse_stages("10:50,20:50-250")
    assert 30 == duration_s(parse_stages("10:50,20:50-250"))


@pytest.mark.parametrize("text", ["", "10", "10:x", "0:5", "5:-1", "a:b-c"])
def test_bad_stage_is_named(text: str) -> None:
    """A stage in another form is refused, with the form it should have."""
    with pytest.raises(ValueError, match="SECONDS:RATE"):
        parse_stages(text)

"""Stories drawn from seeds: whatever goes wrong, nothing happens that must not, and all comes to rest."""

import pytest

from lamplighter.testing.simulation import simulate
from lamplighter.testing.story import story

SEEDS = range(1, 13)


@pytest.mark.parametrize("seed", SEEDS)
def test_story_of_a_seed_is_sound(seed: int) -> None:
    """No checker finds a violation while faults are on, and all is at rest in time once they are off."""
    report = simulate(story(seed), seed=seed)
    assert report.sound, report.text()


def test_same_seed_same_run() -> None:
    """A run can be had again: the same seed gives the same events at the same instants."""
    first, again = (simulate(story(5), seed=5) for _ in range(2))
    assert (first.trace, first.passes) == (again.trace, again.passes)


def test_another_seed_another_run() -> None:
    """Chance matters: the same story in a world of another seed goes another way."""
    first, other = (simulate(story(5), seed=seed) for seed in (5, 6))
    assert first.trace != other.trace

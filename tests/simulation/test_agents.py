"""Stories of agents under faults: what was accepted is handled once and in order, whatever happens."""

import pytest

from lamplighter.model.errors import LampError
from lamplighter.testing.agent_stories import Story


@pytest.mark.parametrize("first", range(1, 201, 20))
def test_stories_hold(first: int) -> None:
    """Shards that move, power that goes, links that are cut and clocks that jump break no promise."""
    for seed in range(first, first + 20):
        Story(seed).run()


def test_without_the_sync_the_checker_tells() -> None:
    """On disks that do not sync, acknowledged work is lost, and the checker sees it in nearly every story."""
    told = 0
    for seed in range(1, 9):
        try:
            Story(seed, honest=False).run()
        except (AssertionError, LampError):
            told += 1
    assert told >= 6

"""A longer campaign of seeds, in all cores; the one that runs before a landing, not before each commit."""

import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from lamplighter.testing.simulation import simulate
from lamplighter.testing.story import story

SEEDS = range(1000, 1200)


@pytest.mark.heavy
@pytest.mark.timeout(1200)
def test_no_seed_of_the_campaign_breaks_a_promise() -> None:
    """Two hundred stories with faults: no checker finds anything, and each system comes to rest."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        unsound = [text for text in pool.map(violation, SEEDS, chunksize=4) if text]
    assert [] == unsound


def violation(seed: int) -> str:
    """Run one seed; return what was found, empty if nothing was."""
    report = simulate(story(seed), seed=seed)
    return "" if report.sound else report.text()

"""Losses of power at any step: what was synced is there, a frame is there whole or not at all."""

import pytest

from lamplighter.testing.powerloss import lives


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_nothing_acknowledged_is_lost(first: int) -> None:
    """Six lives of a store each, ended by losses of power and disk errors, leave exactly what was synced."""
    assert {} == {seed: found for seed in range(first, first + 50) if (found := lives(seed))}


def test_checker_notices_a_sync_that_does_nothing() -> None:
    """With a disk that only pretends to sync, every seed is caught: refused, or found lost by the checker."""
    caught = []
    for seed in range(20):
        try:
            caught.append(bool(lives(seed, honest=False)))
        except Exception:  # noqa: BLE001 - whichever way it shows
            caught.append(True)
    assert [True] * 20 == caught

"""Short stories are decided as they were before, down to what is remembered; or the change was read."""

import difflib

import pytest
from tests.simulation.telling import COMMAND, SEEDS, place, told


@pytest.mark.parametrize("seed", SEEDS)
def test_story_is_decided_as_it_was(seed: int) -> None:
    """Whoever changes a decision, or what rests on it, sees in words where, and keeps the new words."""
    kept, found = place(seed).read_text(encoding="utf-8").splitlines(), told(seed).splitlines()
    shown = "\n".join([*difflib.unified_diff(kept, found, "kept", "now", n=1, lineterm="")][:40])
    assert kept == found, f"if this is meant, run `{COMMAND}`, read the difference and commit it:\n{shown}"

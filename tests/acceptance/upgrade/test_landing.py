"""The previous landing can be had from a whole history, and its absence is said."""

import subprocess
from pathlib import Path

import pytest
from tests.acceptance.upgrade import landing


def test_a_commit_that_is_not_in_the_history_is_named() -> None:
    """A shallow clone, or an archive, skips the upgrade with the commit that it lacks."""
    why = landing.absence("0" * 40)
    assert ("0" * 40 in why, "history" in why) == (True, True)


def test_the_previous_landing_is_behind_us() -> None:
    """What is upgraded from is an ancestor of what is here, and is named in full."""
    if why := landing.absence():
        pytest.skip(why)
    here = Path(__file__).parent
    ran = subprocess.run(
        ["git", "-C", here, "merge-base", "--is-ancestor", landing.commit(), "HEAD"], check=False
    )
    assert (0, 40, landing.commit()) == (
        ran.returncode,
        len(landing.commit()),
        landing.full(landing.commit()),
    )

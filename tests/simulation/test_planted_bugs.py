"""Bugs planted in what decides are told by checkers, in stories that were not made for them.

`python -m benchmarks planted` looks for them in hours of many seeds; here each meets a story that is known
to show it, or, where that has changed, one of a few others.
"""

from contextlib import ExitStack

import pytest
from benchmarks.planted import known_seeds
from benchmarks.planted.bugs import BUGS, Bug
from benchmarks.planted.planting import ChangedTextError, mutants, plant, told

OTHERS = range(1, 13)
"""Seeds that are tried where the known one shows nothing any more."""
SHORT_S = 300.0
KNOWN = known_seeds()


@pytest.mark.parametrize("bug", [each for each in BUGS if each.name in KNOWN], ids=lambda each: each.name)
def test_bug_is_told_by_a_checker(bug: Bug) -> None:
    """A story shows the bug to a checker, and is sound without it; what only breaks something is not told."""
    if not plantable(bug):
        pytest.skip("what it changes reads otherwise now; see the test of all bugs")
    for seed, length_s in [KNOWN[bug.name], *((each, SHORT_S) for each in OTHERS)]:
        with ExitStack() as planted:
            plant(bug, planted)
            checkers = told(seed, length_s)
        if checkers and not told(seed, length_s):
            return
    pytest.fail(f"no checker tells of {bug.name}: {bug.sentence}")


def plantable(bug: Bug) -> bool:
    """Return whether what a bug changes is there exactly once."""
    try:
        return bool(list(mutants(bug)))
    except ChangedTextError:
        return False


def test_bugs_follow_the_source() -> None:
    """A few may wait until what they change reads as it does now; not many, and never so few are left."""
    behind = [each.name for each in BUGS if not plantable(each)]
    assert len(behind) <= 5, f"what they change is not there any more: {', '.join(behind)}"
    assert len(BUGS) - len(behind) >= 30


def test_names_are_given_once() -> None:
    """Each bug has a name of its own, and every known seed belongs to one."""
    names = [each.name for each in BUGS]
    assert sorted(set(names)) == sorted(names)
    assert set() == KNOWN.keys() - set(names)

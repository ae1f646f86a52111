"""The edits by which the replay benchmark shows that an edited controller is noticed."""

from pathlib import Path

import pytest
from benchmarks.local.replaying import EDITS, edited
from benchmarks.local.stand import StandError

import lamplighter


@pytest.mark.parametrize("name", EDITS)
def test_edit_changes_one_expression_of_what_is_there(name: str) -> None:
    """Each edit still finds what it is to change, and changes one line."""
    file, find, put = EDITS[name]
    text = (Path(lamplighter.__file__).parent / file).read_text()
    after = edited(text, find, put)
    compile(after, file, "exec")
    assert 1 == sum(a != b for a, b in zip(text.splitlines(), after.splitlines(), strict=True))


def test_edit_that_finds_nothing_says_so() -> None:
    """A module that was rewritten makes the benchmark fail, not pass."""
    _, find, put = EDITS["a constant"]
    with pytest.raises(StandError, match="UP_AT"):
        edited("OTHER = 1\n", find, put)

"""What a planted bug is: a change of what decides, in words and as text."""

from typing import NamedTuple


class Change(NamedTuple):
    """A piece of a module's text, there exactly once, and what is there instead."""

    module: str
    before: str
    after: str


class Bug(NamedTuple):
    """One bug: its name, what goes wrong, and the changes that make it."""

    name: str
    sentence: str
    changes: tuple[Change, ...]


def bug(name: str, sentence: str, *changes: tuple[str, str, str]) -> Bug:
    """Return a bug of these changes, each a module below `lamplighter`, what it says, and what instead."""
    return Bug(name, sentence, tuple(Change(f"lamplighter.{at}", old, new) for at, old, new in changes))

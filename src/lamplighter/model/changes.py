"""Changes: where two tuples of values with ids differ, told by identity.

A snapshot of a large fleet is compared several times a pass, by whoever does something about what changed.
With objects that stay the same where nothing has, the first comparison costs a scan, and the others nothing.
"""

import functools
from collections.abc import Sequence
from itertools import compress
from operator import attrgetter, eq, is_not, ne
from typing import Any, NamedTuple

from lamplighter.model.value import Value

LARGE = 4096
"""From so many values on, columns are remembered: before, after and again a pass later."""

_ID = attrgetter("id")
field = functools.cache(attrgetter)
"""What reads one field of a value."""


class _Compared(NamedTuple):
    """Two tuples, and where they differ."""

    old: Sequence[Value]
    new: Sequence[Value]
    places: list[int] | None


def changed_places(old: tuple[Any, ...], new: tuple[Any, ...]) -> list[int] | None:
    """Return where two tuples hold different objects; None if they have not the same ids in the same places.

    Args:
        old: values that have an `id`.
        new: the same, later.
    """
    known = _NEWEST[0] if _NEWEST else None
    if known is None or known.old is not old or known.new is not new:
        known = _Compared(old, new, _places(old, new))
        _NEWEST[:] = [known]
    return known.places


def note_places(old: tuple[Any, ...], new: tuple[Any, ...], places: list[int]) -> None:
    """Say where two tuples differ, for whoever asks; they have the same ids in the same places."""
    _NEWEST[:] = [_Compared(old, new, places)]


def differing(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return the keys of `new` under which it holds another object than `old`, or `old` none."""
    if old is new:
        return []
    if len(old) == len(new) and all(map(eq, old, new)):
        return list(compress(new, map(is_not, old.values(), new.values())))
    return list(compress(new, map(is_not, map(old.get, new), new.values())))


_NEWEST: list[_Compared] = []
"""The last comparison; it holds both tuples, so that no others can be taken for them."""


def _places(old: tuple[Any, ...], new: tuple[Any, ...]) -> list[int] | None:
    if old is new:
        return []
    if len(old) != len(new):
        return None
    places = list(compress(range(len(new)), map(is_not, old, new)))
    before, after = at(old, places), at(new, places)
    return None if any(map(ne, map(_ID, before), map(_ID, after))) else places


class Columns:
    """The fields of a tuple of values, each as a list, made when it is first asked for."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        """Make none yet."""
        self.values = values
        self._made: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> list[Any]:
        """Return one field of all values, in their order; not to be changed."""
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = list(map(field(name), self.values))
        return made


def columns(values: tuple[Any, ...]) -> Columns:
    """Return the columns of a tuple; those of the last two large ones are there already."""
    for known in tuple(_COLUMNS):
        if known.values is values:
            return known
    made = Columns(values)
    if len(values) >= LARGE:
        _COLUMNS[:] = [made, *_COLUMNS[:1]]
    return made


_COLUMNS: list[Columns] = []
"""Of a snapshot and the one before; each holds its tuple, so that no other can be taken for it."""


def at(values: tuple[Any, ...], places: list[int]) -> tuple[Any, ...]:
    """Return the values at these places."""
    return values if len(places) == len(values) else tuple(map(values.__getitem__, places))

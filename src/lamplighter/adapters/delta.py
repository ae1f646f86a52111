"""Deltas: what changed from one value to the next, as plain data that can be stored and applied again.

Works on any values of the model. Exact: applying the delta of two values to the encoding of the first
gives the encoding of the second. Costs a comparison for what stayed the same and space for what changed.

An operation is a list that starts with its kind:
    [0, value]                  the value itself
    [1, {field: op}]            some fields of a value, or keys of a dict
    [2, {key: op}, [gone]]      the same, and keys that are gone
    [3, n, [values]]            a tuple whose first n elements were dropped and to which values were added
    [4, {index: op}]            some elements of a tuple of the same length
    [5, [entry]]                a tuple in a new order; an entry is the index of an old element,
                                [index, op] for a changed one, or [-1, value] for a new one
"""

import functools
from typing import Any, Final

import msgspec

from lamplighter.model.value import Value

NOTHING: Final[list[Any]] = []
"""The delta of two equal values."""

_SET, _FIELDS, _KEYS, _SHIFT, _SOME, _ORDER = range(6)


def delta(old: Any, new: Any) -> list[Any]:
    """Return what leads from `old` to `new`; `NOTHING` if they are equal."""
    if old is new or old == new:
        return NOTHING
    if isinstance(new, Value) and type(old) is type(new):
        return [_FIELDS, _changed_fields(old, new)]
    if isinstance(new, dict) and isinstance(old, dict):
        return _keys(old, new)
    if isinstance(new, tuple) and isinstance(old, tuple) and old and new:
        return _elements(old, new)
    return [_SET, new]


def apply(old: Any, operation: list[Any]) -> Any:
    """Return the encoding (dicts, lists and scalars) that `operation` leads to from `old`'s encoding."""
    if not operation:
        return old
    kind, *rest = operation
    if kind == _SET:
        return rest[0]
    if kind in (_FIELDS, _KEYS):
        gone = set(rest[1]) if kind == _KEYS else ()
        kept = {key: value for key, value in old.items() if key not in gone}
        return kept | {key: apply(old.get(key), each) for key, each in rest[0].items()}
    if kind == _SHIFT:
        return old[rest[0] :] + rest[1]
    if kind == _SOME:
        result = list(old)
        for index, each in rest[0].items():
            result[int(index)] = apply(old[int(index)], each)
        return result
    return [_entry(old, each) for each in rest[0]]


def _changed_fields(old: Value, new: Value) -> dict[str, Any]:
    usual = _defaults(type(old))
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in new.__struct_fields__)
    return {
        name: [_SET, now] if was == usual.get(name, msgspec.NODEFAULT) else delta(was, now)
        for name, was, now in pairs
        if was is not now and was != now
    }


@functools.cache
def _defaults(kind: type[Value]) -> dict[str, Any]:
    """Return the defaults of a value's fields: these are left out of encodings, so nothing to build on."""
    return {
        each.name: each.default if each.default is not msgspec.NODEFAULT else each.default_factory()
        for each in msgspec.structs.fields(kind)
        if not each.required
    }


def _keys(old: dict[str, Any], new: dict[str, Any]) -> list[Any]:
    changed = {key: op for key, now in new.items() if (op := _key(old, key, now))}
    gone = [key for key in old if key not in new]
    return [_KEYS, changed, gone] if gone else [_FIELDS, changed]


def _key(old: dict[str, Any], key: str, now: Any) -> list[Any]:
    return delta(old[key], now) if key in old else [_SET, now]


def _elements(old: tuple[Any, ...], new: tuple[Any, ...]) -> list[Any]:
    shifted = _shift(old, new)
    if shifted is not None:
        return [_SHIFT, shifted, list(new[len(old) - shifted :])]
    if len(old) == len(new) and _ids(old) == _ids(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [_SOME, {str(i): op for i, (was, now) in pairs if (op := delta(was, now))}]
    if _ids(old) and _ids(new):
        places = {name: place for place, name in enumerate(_ids(old))}
        return [_ORDER, [_placed(old, places.get(each.id, -1), each) for each in new]]
    return [_SET, new]


def _shift(old: tuple[Any, ...], new: tuple[Any, ...]) -> int | None:
    """Return how many elements were dropped in front if the rest of `old` begins `new`, else None."""
    for dropped, each in enumerate(old):
        if each == new[0]:
            return dropped if old[dropped:] == new[: len(old) - dropped] else None
    return None


def _ids(values: tuple[Any, ...]) -> list[str]:
    """Return the ids of values that have one, none twice; else nothing."""
    if not all(isinstance(each, Value) and "id" in each.__struct_fields__ for each in values):
        return []
    names = [each.id for each in values]
    return names if len(set(names)) == len(names) else []


def _placed(old: tuple[Any, ...], place: int, now: Any) -> Any:
    if place < 0:
        return [-1, now]
    operation = delta(old[place], now)
    return [place, operation] if operation else place


def _entry(old: list[Any], entry: Any) -> Any:
    if isinstance(entry, int):
        return old[entry]
    place, rest = entry
    return rest if place < 0 else apply(old[place], rest)

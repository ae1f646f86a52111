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
    [6, {field: [places, values]}]
                                some fields of a tuple of many values, column by column; no places: all
    [8, {field: [keys, ops]}]   some fields of the values of a large dict, field by field; no keys: of all;
                                what is not a list stands for itself
    [7, [run], op]              a tuple made of runs of old elements, [from, to], and of new ones, [values],
                                and what changed in it then

What is the same object on both sides is not looked into, so a delta costs what changed: the loop keeps
the objects of what has not.
"""

import functools
from collections.abc import Callable, Container
from itertools import compress
from operator import attrgetter, is_not, ne
from typing import Any, Final

import msgspec

from lamplighter.model.changes import at, changed_places, columns, differing
from lamplighter.model.value import Value

NOTHING: Final[list[Any]] = []
"""The delta of two equal values."""

_SET, _FIELDS, _KEYS, _SHIFT, _SOME, _ORDER, _COLUMNS, _RUNS, _TABLE = range(9)

MANY = 32
"""From so many elements on, a tuple of values that have ids is compared by columns."""


def delta(old: Any, new: Any) -> list[Any]:
    """Return what leads from `old` to `new`; `NOTHING` if they are equal."""
    if old is new:
        return NOTHING
    if isinstance(new, Value) and type(old) is type(new):
        changed = _changed_fields(old, new)
        return [_FIELDS, changed] if changed else NOTHING
    if isinstance(new, dict) and isinstance(old, dict):
        return _keys(old, new)
    if old == new:
        return NOTHING
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
    if kind == _COLUMNS:
        return _with_columns(old, rest[0])
    if kind == _TABLE:
        return _with_table(old, rest[0])
    if kind == _RUNS:
        return apply([each for run in rest[0] for each in _run(old, run)], rest[1])
    return [_entry(old, each) for each in rest[0]]


def narrowed(operation: list[Any], left_out: Container[str]) -> list[Any]:
    """Return an operation on a value that leaves some of its fields as they are."""
    if not operation or operation[0] != _FIELDS:
        return operation
    return [_FIELDS, {name: each for name, each in operation[1].items() if name not in left_out}]


def _with_columns(old: list[Any], columns: dict[str, Any]) -> list[Any]:
    """Return the encoding of a tuple with some fields of its elements set; what it came from is used up."""
    for name, (places, values) in columns.items():
        for place, value in zip(range(len(old)) if places is None else places, values, strict=True):
            old[place][name] = value
    return old


def _with_table(old: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """Return the encoding of a dict of values with some fields of its values changed; `old` is used up."""
    for name, (keys, operations) in table.items():
        for key, operation in zip(sorted(old) if keys is None else keys, operations, strict=True):
            old[key][name] = (
                apply(old[key].get(name), operation) if isinstance(operation, list) else operation
            )
    return old


def _run(old: list[Any], run: list[Any]) -> list[Any]:
    return old[run[0] : run[1]] if len(run) > 1 else run[0]


def _changed_fields(old: Value, new: Value) -> dict[str, Any]:
    names, fields = _form(type(old))
    before, after = fields(old), fields(new)
    found = {}
    for name, was, now in zip(names, before, after, strict=True):
        if was is now:
            continue
        if was == _defaults(type(old)).get(name, msgspec.NODEFAULT):
            if was != now:
                found[name] = [_SET, now]
        elif operation := delta(was, now):
            found[name] = operation
    return found


@functools.cache
def _form(kind: type[Value]) -> tuple[tuple[str, ...], Callable[[Value], tuple[Any, ...]]]:
    """Return the names of a value's fields, and what reads them all."""
    names = kind.__struct_fields__
    if len(names) == 1:
        return names, lambda value: (getattr(value, names[0]),)
    return names, attrgetter(*names)


@functools.cache
def _defaults(kind: type[Value]) -> dict[str, Any]:
    """Return the defaults of a value's fields: these are left out of encodings, so nothing to build on."""
    return {
        each.name: each.default if each.default is not msgspec.NODEFAULT else each.default_factory()
        for each in msgspec.structs.fields(kind)
        if not each.required
    }


def _keys(old: dict[str, Any], new: dict[str, Any]) -> list[Any]:
    keys = differing(old, new)
    if len(keys) >= MANY and len(old) == len(new) and (table := _table(old, new, keys)) is not None:
        return table
    changed: dict[str, Any] = {}
    for key in keys:
        if operation := delta(old[key], new[key]) if key in old else [_SET, new[key]]:
            changed[key] = operation
    gone = (
        [] if len(old) <= len(new) and old.keys() <= new.keys() else [each for each in old if each not in new]
    )
    if gone:
        return [_KEYS, changed, gone]
    return [_FIELDS, changed] if changed else NOTHING


def _table(old: dict[str, Any], new: dict[str, Any], keys: list[str]) -> list[Any] | None:
    """Return what changed in many values of one kind, field by field; None if they are not of one kind."""
    order = sorted(keys)
    before, after = list(map(old.get, order)), list(map(new.get, order))
    kinds = {*map(type, before), *map(type, after)}
    kind = next(iter(kinds))
    if len(kinds) > 1 or not issubclass(kind, Value):
        return None
    table: dict[str, Any] = {}
    for name in kind.__struct_fields__:
        field = attrgetter(name)
        was, now = list(map(field, before)), list(map(field, after))
        if was == now:
            continue
        differ = list(map(ne, was, now))
        if len(keys) == len(new) and all(differ):
            table[name] = [None, _cells(was, now, kind, name)]
        else:
            cells = _cells(list(compress(was, differ)), list(compress(now, differ)), kind, name)
            table[name] = [list(compress(order, differ)), cells]
    return [_TABLE, table] if table else NOTHING


def _cells(was: list[Any], now: list[Any], kind: type[Value], name: str) -> list[Any]:
    """Return what leads from each value of a field to the next: itself, if it is plain, else an operation."""
    if not {*map(type, now)} & _DEEP:
        return now
    usual = _defaults(kind).get(name, msgspec.NODEFAULT)
    return [[_SET, new] if old == usual else delta(old, new) for old, new in zip(was, now, strict=True)]


_DEEP: Final = frozenset({dict, tuple, list})
"""What is encoded as a list or is large: a plain value is told from an operation by not being a list."""


def _elements(old: tuple[Any, ...], new: tuple[Any, ...]) -> list[Any]:
    if isinstance(new[0], Value) and (runs := _runs(old, new)):
        return [_RUNS, runs, NOTHING]
    if isinstance(new[0], Value) and len(new) >= MANY and type(old[0]) is type(new[0]) and _has_id(new[0]):
        changed = changed_places(old, new)
        if changed is not None:
            return _columns(old, new, changed)
    shifted = _shift(old, new)
    if shifted is not None:
        return [_SHIFT, shifted, list(new[len(old) - shifted :])]
    before, after = _ids(old), _ids(new)
    if before and before == after:
        pairs = enumerate(zip(old, new, strict=True))
        return [_SOME, {str(i): op for i, (was, now) in pairs if (op := delta(was, now))}]
    if before and after:
        places = {name: place for place, name in enumerate(before)}
        if len(new) >= MANY and type(old[0]) is type(new[0]):
            return _moved(old, new, list(map(places.get, after)))
        return [_ORDER, [_placed(old, places.get(each.id, -1), each) for each in new]]
    return [_SET, new]


def _has_id(value: Value) -> bool:
    return "id" in value.__struct_fields__


def _runs(old: tuple[Any, ...], new: tuple[Any, ...]) -> list[Any]:
    """Return how `new` is made of elements of `old`, by identity; nothing if none of them is."""
    if _has_id(new[0]):
        return []
    if followed := _followed(old, new):
        return followed
    places = {id(each): place for place, each in enumerate(old)}
    runs = _joined([places.get(id(each)) for each in new], new)
    return runs if sum(len(each) > 1 for each in runs) else []


def _followed(old: tuple[Any, ...], new: tuple[Any, ...]) -> list[Any]:
    """Return the runs of `new` if it is `old` less a few at either end, and some more; else nothing."""
    begin = 0 if old[0] is new[0] else 1
    kept = 0
    for was, now in zip(old[begin:], new, strict=False):
        if was is not now:
            break
        kept += 1
    more, left = new[kept:], {*map(id, old[begin + kept :])}
    if not kept or any(id(each) in left for each in more):
        return []
    return [[begin, begin + kept], [list(more)]] if more else [[begin, begin + kept]]


def _joined(places: list[int | None], new: tuple[Any, ...]) -> list[Any]:
    """Return elements at these places (None: new ones) as runs."""
    runs: list[Any] = []
    run: list[Any] = []
    following: int | None = -1
    for place, each in zip(places, new, strict=True):
        if place is not None and place == following:
            run[1] = following = place + 1
        elif place is not None:
            following = place + 1
            run = [place, following]
            runs.append(run)
        elif following is None:
            run[0].append(each)
        else:
            following, run = None, [[each]]
            runs.append(run)
    return runs


def _moved(old: tuple[Any, ...], new: tuple[Any, ...], places: list[int | None]) -> list[Any]:
    """Return what leads to a tuple of many values of which some came, went or moved."""
    stayed = tuple(each if place is None else old[place] for place, each in zip(places, new, strict=True))
    differ = list(compress(range(len(new)), map(is_not, stayed, new)))
    return [_RUNS, _joined(places, new), _columns(stayed, new, differ)]


def _columns(old: tuple[Any, ...], new: tuple[Any, ...], places: list[int]) -> list[Any]:
    """Return what changed from one tuple of values to one of the same ids, field by field."""
    before, after = at(old, places), at(new, places)
    old_ones, new_ones = columns(before), columns(after)
    changed: dict[str, Any] = {}
    for name in new[0].__struct_fields__:
        was, now = old_ones[name], new_ones[name]
        if was == now:
            continue
        differ = list(map(ne, was, now))
        if sum(differ) * 2 > len(new):
            changed[name] = [None, columns(new)[name]]
        else:
            changed[name] = [list(compress(places, differ)), list(compress(now, differ))]
    return [_COLUMNS, changed] if changed else NOTHING


def _shift(old: tuple[Any, ...], new: tuple[Any, ...]) -> int | None:
    """Return how many elements were dropped in front if the rest of `old` begins `new`, else None."""
    for dropped, each in enumerate(old):
        if each == new[0]:
            return dropped if old[dropped:] == new[: len(old) - dropped] else None
    return None


def _ids(values: tuple[Any, ...]) -> list[str]:
    """Return the ids of values that have one, none twice; else nothing."""
    kinds = set(map(type, values))
    if not all(issubclass(kind, Value) and "id" in kind.__struct_fields__ for kind in kinds):
        return []
    names = list(map(attrgetter("id"), values))
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

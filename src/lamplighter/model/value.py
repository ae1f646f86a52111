"""The one base of every value in the model: immutable, keyword-only, encodable.

A msgspec Struct behaves as a frozen dataclass (slots, equality, `replace`), and also gives tagged
unions, fast decoding and checking of what comes from disk or the wire. Knows nothing of any value.
"""

import functools
import hashlib
from enum import Enum
from typing import Any, ClassVar, dataclass_transform

import msgspec

Instant = float
"""Seconds on a system's time line: monotonic, never set back, continued across restarts."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An immutable value. Unknown fields are ignored when read, so that an older reader copes.

    Made of what was there before it, a value is never part of a cycle, so the garbage collector need not
    look at it: with 100,000 replicas its rounds would cost more than a pass.

    `LATER` names fields that a later version added: at its default such a field is no part of a digest,
    so that what an earlier version has recorded keeps the digest that it had.
    """

    LATER: ClassVar[tuple[str, ...]] = ()


def encode(value: Any) -> bytes:
    """Encode a value (or a list or dict of values) as canonical JSON: sorted keys, no spaces."""
    return msgspec.json.encode(value, order="deterministic")


def digest(value: Any, *, length: int = 12) -> str:
    """Return the first `length` hex digits of the BLAKE2b digest of a value; equal values have equal ones.

    Not of the stored form: whether a field at its default is left out of that, and whether 30 is written
    30 or 30.0, depends on where a value came from (a spec, a default, the wire). The last few values that
    were asked about are remembered: the system in force is asked about many times a pass.
    """
    known = _DIGESTED.get(id(value))
    if known is None or known[0] is not value:
        known = (value, hashlib.blake2b(encode(whole(value, floats=True)), digest_size=32).hexdigest())
        if isinstance(value, Value):
            if len(_DIGESTED) >= DIGESTED_MAX:
                _DIGESTED.pop(next(iter(_DIGESTED)))
            _DIGESTED[id(value)] = known
    return known[1][:length]


DIGESTED_MAX = 8
_DIGESTED: dict[int, tuple[Value, str]] = {}
"""By identity; each holds its value, so that no other can have its place while it stands here."""


def whole(value: Any, *, floats: bool = False) -> Any:
    """Return a value as plain data with every field, also those at their defaults.

    Args:
        value: a value, or a list, tuple or dict of values.
        floats: as digests have it: all numbers floats, and no later fields at their defaults.
    """
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if kind is int:
        return float(value) if floats else value
    if isinstance(value, msgspec.Struct):
        tag, names, later = _form(kind)
        fields = {
            name: each if type(each := getattr(value, name)) in _PLAIN else whole(each, floats=floats)
            for name in names
        }
        for name, default in later.items() if floats else ():
            if getattr(value, name) == default:
                del fields[name]
        return {**tag, **fields}
    if isinstance(value, dict):
        return {str(key): whole(each, floats=floats) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [each if type(each) in _PLAIN else whole(each, floats=floats) for each in value]
    return value.value if isinstance(value, Enum) else value


_PLAIN = frozenset({str, float, bool, type(None)})


@functools.cache
def _form(kind: type[msgspec.Struct]) -> tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]:
    """Return a kind's tag as a field, its other fields, and the later ones with their defaults."""
    config = kind.__struct_config__
    later = getattr(kind, "LATER", ())
    defaults = {each.name: each.default for each in msgspec.structs.fields(kind) if each.name in later}
    return ({config.tag_field: config.tag} if config.tag_field else {}), kind.__struct_fields__, defaults

"""The one base of every value in the model: immutable, keyword-only, encodable.

A msgspec Struct behaves as a frozen dataclass (slots, equality, `replace`), and also gives tagged
unions, fast decoding and checking of what comes from disk or the wire. Knows nothing of any value.
"""

import hashlib
from enum import Enum
from typing import Any, dataclass_transform

import msgspec

Instant = float
"""Seconds on a system's time line: monotonic, never set back, continued across restarts."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An immutable value. Unknown fields are ignored when read, so that an older reader copes."""


def encode(value: Any) -> bytes:
    """Encode a value (or a list or dict of values) as canonical JSON: sorted keys, no spaces."""
    return msgspec.json.encode(value, order="deterministic")


def digest(value: Any, *, length: int = 12) -> str:
    """Return the first `length` hex digits of the BLAKE2b digest of a value; equal values have equal ones.

    Not of the stored form: whether a field at its default is left out of that, and whether 30 is written
    30 or 30.0, depends on where a value came from (a spec, a default, the wire).
    """
    return hashlib.blake2b(encode(whole(value, floats=True)), digest_size=32).hexdigest()[:length]


def whole(value: Any, *, floats: bool = False) -> Any:
    """Return a value as plain data with every field, also those at their defaults.

    Args:
        value: a value, or a list, tuple or dict of values.
        floats: make all numbers floats.
    """
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        fields = {name: whole(getattr(value, name), floats=floats) for name in value.__struct_fields__}
        return {config.tag_field: config.tag, **fields} if config.tag_field else fields
    if isinstance(value, dict):
        return {str(key): whole(each, floats=floats) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [whole(each, floats=floats) for each in value]
    if isinstance(value, Enum):
        return value.value
    return float(value) if floats and type(value) is int else value

"""The one base of every value in the model: immutable, keyword-only, encodable.

A msgspec Struct behaves as a frozen dataclass (slots, equality, `replace`), and also gives tagged
unions, fast decoding and checking of what comes from disk or the wire. Knows nothing of any value.
"""

import hashlib
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
    """Return the first `length` hex digits of the BLAKE2b digest of the canonical encoding."""
    return hashlib.blake2b(encode(value), digest_size=32).hexdigest()[:length]

"""Frames: a sequence of values as bytes, each as its difference from the one before, compressed.

The first frame of a sequence holds its value whole. Each later one is deflated with the frame before as
dictionary, since passes resemble each other. `FrameWriter` and `FrameReader` walk a sequence in step.
"""

import zlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import msgspec

from lamplighter.adapters.delta import NOTHING, apply, delta, narrowed
from lamplighter.model.value import Value, encode

WINDOW_BITS = 12
"""4 KiB: frames of a quiet pass are a few hundred bytes, and a small window is quick to set up."""
LEVEL = 6
LARGE_BYTES = 2**16
"""From so much on a frame is deflated fast: a tenth larger, in a fifth of the time."""

V = TypeVar("V", bound=Value)


class FrameWriter:
    """Writes one sequence. Nothing is taken for written until `keep` says so."""

    def __init__(self) -> None:
        self._last: tuple[Value, bytes] | None = None
        self._next: tuple[Value, bytes] | None = None

    def frame(self, value: Value, *, whole: bool, deflater: "Deflater") -> Future[bytes]:
        """Return the frame of the next value, which may take a while; empty if it equals the one before."""
        if whole or self._last is None:
            raw = encode(value)
            self._next = (value, b"")
            return deflater.deflate(raw)
        before, dictionary = self._last
        operation = delta(before, value)
        if operation is NOTHING:
            self._next = self._last
            return _done(b"")
        raw = encode(operation)
        self._next = (value, raw)
        return deflater.deflate(raw, dictionary)

    def keep(self) -> None:
        """Take the last frame for written; the next one follows on it."""
        self._last = self._next


class Deflater:
    """Compresses frames: large ones in a thread of its own, for zlib lets others run meanwhile."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._thread = ThreadPoolExecutor(1, "deflate")

    def deflate(self, raw: bytes, dictionary: bytes = b"") -> Future[bytes]:
        """Compress `raw`, or begin to."""
        if len(raw) >= LARGE_BYTES:
            return self._thread.submit(deflated, raw, dictionary)
        return _done(deflated(raw, dictionary))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()


def _done(frame: bytes) -> Future[bytes]:
    future = Future[bytes]()
    future.set_result(frame)
    return future


class FrameReader(Generic[V]):
    """Reads one sequence back, from a whole frame on; `instead` stands for fields not asked for."""

    def __init__(self, kind: type[V], instead: Mapping[str, object] | None = None) -> None:
        self._kind = kind
        self._instead = instead or {}
        self._state: Any = None
        self._dictionary = b""
        self._value: V | None = None

    def read(self, frame: bytes | None, *, whole: bool) -> None:
        """Take the next frame. One that was deleted (None) leaves the rest unknown up to a whole one."""
        if frame is None or (self._state is None and not whole):
            self._state = self._value = None
        elif whole:
            self._state = msgspec.json.decode(inflated(frame)) | self._instead
            self._dictionary, self._value = b"", None
        elif frame:
            raw = inflated(frame, self._dictionary)
            operation = msgspec.json.decode(raw)
            if self._instead:
                operation = narrowed(operation, self._instead)
            self._state = apply(self._state, operation)
            self._dictionary, self._value = raw, None

    def value(self) -> V | None:
        """Return the value as it stands; None where it was deleted."""
        if self._value is None and self._state is not None:
            self._value = msgspec.json.decode(encode(self._state), type=self._kind)
        return self._value


def deflated(raw: bytes, dictionary: bytes = b"") -> bytes:
    """Return `raw` compressed."""
    size = WINDOW_BITS if dictionary or len(raw) < 2**WINDOW_BITS else zlib.MAX_WBITS
    if len(raw) >= LARGE_BYTES:
        size = zlib.MAX_WBITS
    level = 1 if len(raw) >= LARGE_BYTES else LEVEL
    deflater = zlib.compressobj(level, zlib.DEFLATED, -size, 8, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return deflater.compress(raw) + deflater.flush()


def inflated(frame: bytes, dictionary: bytes = b"") -> bytes:
    """Return what `deflated` was given. Raises zlib.error if the frame or its dictionary is damaged."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS, zdict=dictionary)
    return inflater.decompress(frame) + inflater.flush()

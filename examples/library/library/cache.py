"""The index on disk: built once for each state of text and code, then loaded by every copy.

A file is written whole under another name and moved into place, so that a reader never sees half of it;
what is damaged is built anew. Any trouble with the disk only costs the time to build.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from library.index import Index, build
from library.passages import Passage, gather, sources
from library.settings import code_digest

__all__ = ["digest", "load_or_build"]

_LOG = logging.getLogger("library")
_LOCK_WAIT_S = 30.0  # several times what a build takes; after that a copy builds for itself
_KEPT = 4  # files: this release's, the one before, and as many again for another interpreter


def load_or_build(folder: Path | None) -> tuple[Index, bool]:
    """The index, and whether it came from the cache.

    Args:
        folder: where built indexes are kept, made if need be; None builds without keeping.
    """
    if folder is None:
        return build(gather()), False
    path = folder / f"{digest()}.index"
    try:
        _make_private(folder)
        return _held(path) or _build_once(path)
    except OSError as trouble:
        _LOG.warning("the cache in %s cannot be used, building without it: %s", folder, trouble)
        return build(gather()), False


def digest() -> str:
    """Names exactly this index, in 16 hex digits: interpreter, the text it reads, and this code."""
    content = hashlib.blake2b(f"{sys.version} {sys.byteorder} {code_digest()}".encode(), digest_size=8)
    for path in sources():
        content.update(path.read_bytes())
    return content.hexdigest()


def _make_private(folder: Path) -> None:
    """Others must not be able to put an index there.

    Raises:
        PermissionError: the folder belongs to somebody else, or they may write to it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} can be written by others; give it mode 700")


def _held(path: Path) -> tuple[Index, bool] | None:
    index = _load(path)
    return (index, True) if index else None


def _build_once(path: Path) -> tuple[Index, bool]:
    """Build and keep, unless another copy that started at the same time has just done it."""
    with _lock(path.with_suffix(".lock")):
        if held := _held(path):
            return held
        index = build(gather())
        _save(index, path)
        _prune(path.parent)
    return index, False


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock, or go on without it after a while; the system frees it when its holder dies."""
    with path.open("w") as file:
        patience = time.monotonic() + _LOCK_WAIT_S
        while time.monotonic() < patience:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.02)
        yield


def _save(index: Index, path: Path) -> None:
    """Head line of JSON (sizes and checksum of what follows), passages, terms, and the arrays."""
    passages = [[p.kind, p.title, p.module, p.text, p.where] for p in index.passages]
    parts = [json.dumps(passages).encode(), json.dumps(list(index.terms)).encode()]
    parts += [index.starts.tobytes(), index.places.tobytes(), index.impacts.tobytes()]
    rest, sizes = b"".join(parts), [len(part) for part in parts]
    head = json.dumps({"sizes": sizes, "check": _check(sizes, rest)}).encode()
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        try:
            file.write(head + b"\n" + rest)
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _load(path: Path) -> Index | None:
    """The index in a file; None if there is none or it is not what was written."""
    try:
        first, _, rest = path.read_bytes().partition(b"\n")
        head = json.loads(first)
        sizes = head["sizes"]
        if _check(sizes, rest) != head["check"]:
            return None
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    return _unpacked(memoryview(rest), sizes)


def _check(sizes: list[int], rest: bytes) -> str:
    return hashlib.blake2b(json.dumps(sizes).encode() + rest, digest_size=16).hexdigest()


def _unpacked(rest: memoryview, sizes: list[int]) -> Index:
    parts: list[memoryview] = []
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]
    texts, names = json.loads(bytes(parts[0])), json.loads(bytes(parts[1]))
    intern = sys.intern
    passages = [Passage(intern(k), title, intern(m), text, where) for k, title, m, text, where in texts]
    starts, places, impacts = array("I"), array("I"), array("f")
    starts.frombytes(parts[2])
    places.frombytes(parts[3])
    impacts.frombytes(parts[4])
    return Index(passages, {term: n for n, term in enumerate(names)}, starts, places, impacts)


def _prune(folder: Path) -> None:
    held = sorted(folder.glob("*.index"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in held[_KEPT:]:
        path.unlink(missing_ok=True)
        path.with_suffix(".lock").unlink(missing_ok=True)

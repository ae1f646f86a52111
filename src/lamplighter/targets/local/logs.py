"""What replicas wrote, read from their files: the newest lines, then what is added."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from lamplighter.ports import LogLine

LOOK_S = 0.25
"""Between two looks for new lines, while someone follows."""
STREAM = "output"
"""Output and errors go to one file, so that their order is kept."""
_TAIL_BYTES = 1 << 20
_READ_BYTES = 1 << 18


async def lines(
    folder: Path, workload: str, mask: Callable[[str], str], *, follow: bool, tail: int
) -> AsyncIterator[LogLine]:
    """Yield the last `tail` lines of each replica of a workload, then new ones if `follow`.

    Args:
        folder: holds a file per replica.
        workload: whose replicas; or one replica's id, or `gateway` or `supervisor`.
        mask: what each line is shown as.
        follow: go on until closed, with replicas that start later too.
        tail: lines of each, 0 or more.
    """
    places: dict[Path, int] = {}
    for path in _files(folder, workload):
        places[path] = path.stat().st_size
        for text in _tail(path, tail):
            yield LogLine(replica=path.stem, stream=STREAM, text=mask(text))
    while follow:
        await asyncio.sleep(LOOK_S)
        for path in _files(folder, workload):
            texts, places[path] = _added(path, places.get(path, 0))
            for text in texts:
                yield LogLine(replica=path.stem, stream=STREAM, text=mask(text))


def _files(folder: Path, workload: str) -> list[Path]:
    named = [path for path in folder.glob("*.log") if workload in (path.stem, path.stem.rpartition("-")[0])]
    return sorted(named, key=lambda path: path.stat().st_mtime_ns)


def _tail(path: Path, count: int) -> list[str]:
    """Return the last lines, of the part cut off before too if this file is short."""
    before = path.with_name(f"{path.name}.1")
    text = _end(path)
    if text.count(b"\n") < count and before.exists():
        text = _end(before) + text
    return _texts(text)[-count:] if count else []


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read()


def _added(path: Path, place: int) -> tuple[list[str], int]:
    """Return whole lines after `place`, and the place after them; a file that was cut starts anew."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(place if place <= size else 0)
        start = file.tell()
        text = file.read(_READ_BYTES)
    end = text.rfind(b"\n") + 1
    if not end and len(text) < _READ_BYTES:
        return [], start
    whole = text[:end] if end else text
    return _texts(whole), start + len(whole)


def _texts(content: bytes) -> list[str]:
    return content.decode(errors="replace").splitlines()

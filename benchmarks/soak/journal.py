"""What a soak leaves on disk as it goes, so that one that breaks off still reports: lines of JSON."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TICKS, FAULTS, FAILURES, READS = "ticks.jsonl", "faults.jsonl", "failures.jsonl", "reads.jsonl"
PLAN = "run.json"

Line = dict[str, Any]


class Journal:
    """Writes the lines of one run; `at` is seconds after the load began."""

    def __init__(self, folder: Path) -> None:
        """Begin anew in a folder: what an earlier run left there goes."""
        self.folder = folder
        self.began_at = time.monotonic()
        for each in (TICKS, FAULTS, FAILURES, READS, PLAN):
            (folder / each).unlink(missing_ok=True)

    def add(self, file: str, line: Line) -> None:
        """Append one line, on disk when this returns as far as another process is concerned."""
        with (self.folder / file).open("a", encoding="utf-8") as out:
            out.write(json.dumps({"at": self.at(), **line}, default=str) + "\n")

    def at(self, moment: float | None = None) -> float:
        """Return a monotonic moment (now, if none) as seconds after the load began."""
        return round((time.monotonic() if moment is None else moment) - self.began_at, 3)

    def plan(self, what: Line) -> None:
        """Write what does not change during the run."""
        (self.folder / PLAN).write_text(json.dumps(what, indent=1, default=str) + "\n", encoding="utf-8")


def lines(folder: Path, file: str) -> Iterator[Line]:
    """Yield what a run wrote; a last line that was cut short is passed over."""
    path = folder / file
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as read:
        for line in read:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def plan(folder: Path) -> Line:
    """Return what a run said of itself; empty if there was none."""
    path = folder / PLAN
    found: Line = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found

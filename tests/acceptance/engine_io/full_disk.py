"""Run on a small file system of its own: fills it, goes on recording, and prints what came of it as JSON.

`python -m tests.acceptance.engine_io.full_disk FOLDER` (FOLDER is a tmpfs of a few MiB).
"""

import contextlib
import json
import os
import sys
from pathlib import Path

from tests.unit.engine_io.worlds import generated, toy_step

from lamplighter.adapters.clock import VirtualClock
from lamplighter.adapters.ledger import SqliteLedger, anchors
from lamplighter.adapters.recordings import Limits, SqliteRecordings
from lamplighter.engine.canonical import canonical
from lamplighter.engine.replay import replay
from lamplighter.model.errors import HeldError
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result

ENTRIES_MAX = 20_000


def fill(path: Path) -> None:
    """Take every byte that is left."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with contextlib.suppress(OSError):
        while True:
            os.write(handle, b"x" * 4096)
    os.close(handle)


def free(folder: Path) -> int:
    """The bytes that are left."""
    return os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize


def ledger_until_held(ledger: SqliteLedger) -> tuple[int, str]:
    """Append for as long as the ledger says that it is writable, then on until it refuses."""
    appended = 0
    while ledger.writable() and appended < ENTRIES_MAX:
        ledger.append("decision", f"a-{appended}", {"why": "w" * 300})
        appended += 1
    try:
        for _ in range(ENTRIES_MAX):
            ledger.append("decision", "beyond", {"why": "w" * 300})
    except HeldError as error:
        return appended, error.code
    return appended, ""


def record(recordings: SqliteRecordings, passes: list[Inputs]) -> None:
    """Record passes, each following on the one before."""
    latest = recordings.latest()
    history = latest.history if latest and latest.history else History()
    for inputs in passes:
        after, result = toy_step(history, inputs)
        after, result = canonical(after), canonical(result)
        recordings.write(inputs, result, before=history, after=after)
        history = after


def main(folder: Path) -> dict[str, object]:
    """Fill the disk under both stores, use them, free it again."""
    clock = VirtualClock(1.0)
    ledger = SqliteLedger.open(folder / "ledger.sqlite", clock)
    recordings = SqliteRecordings(folder / "recording.sqlite", limits=Limits(group_passes=50))
    passes = [canonical(each) for each in generated(3, 6000)]
    record(recordings, passes[:200])
    ledger.append("decision", "before", {})
    ledger.anchor(folder / "anchors")
    fill(folder / "ballast")
    found: dict[str, object] = {"free": free(folder)}
    found["appended"], found["held"] = ledger_until_held(ledger)
    found["writable_when_held"] = ledger.writable()
    record(recordings, passes[200:])
    found["recorded"] = recordings.newest
    found["still_full"] = free(folder)
    reader = SqliteRecordings(folder / "recording.sqlite", read_only=True)
    again = list(replay(reader, toy_step))
    found["kept"] = [again[0].number > 1, again[-1].number, all(each.same for each in again)]
    (folder / "ballast").unlink()
    ledger.database._tried_at = 0.0  # as if some seconds had passed
    found["writable_again"] = ledger.writable()
    ledger.append("decision", "after", {})
    check = ledger.verify(anchors(folder / "anchors"))
    found["damage"] = check.damage.message if check.damage else None
    return found


if __name__ == "__main__":
    assert Result() == Result()
    print(json.dumps(main(Path(sys.argv[1]))))  # noqa: T201

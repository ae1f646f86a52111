"""What replicas write, kept within bounds: files that the replicas hold open, cut when they grow.

Replicas write to their files themselves, so that nothing is lost or blocked while no supervisor lives.
They append, so that a file cut to nothing is simply written on from its start.
"""

import contextlib
import os
from pathlib import Path

LOG_BYTES_MAX = 8 << 20
"""A log larger than this is cut; its newest part is kept beside it under `.1`, of the same size at most."""
OLD_LOGS_MAX = 40
"""Logs kept of replicas that are gone."""
_COPY_BYTES = 1 << 18


def open_log(path: Path) -> int:
    """Open a log for a child to append to; for this user only."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def cut_large(folder: Path) -> None:
    """Cut every log of a folder that has outgrown LOG_BYTES_MAX."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".log") and entry.stat().st_size > LOG_BYTES_MAX:
                _cut(Path(entry.path))


def drop_old(folder: Path, live: set[str]) -> None:
    """Delete the oldest logs of replicas that are not `live`, beyond OLD_LOGS_MAX."""
    with contextlib.suppress(OSError):
        logs = [path for path in folder.glob("*.log") if path.stem not in live]
        for path in sorted(logs, key=lambda each: each.stat().st_mtime_ns, reverse=True)[OLD_LOGS_MAX:]:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.1").unlink(missing_ok=True)


def _cut(path: Path) -> None:
    """Copy the newest part aside, then empty the file; on a full disk only the latter."""
    beside = path.with_name(f"{path.name}.1")
    with path.open("r+b") as file:
        try:
            file.seek(-LOG_BYTES_MAX, os.SEEK_END)
            with beside.open("wb") as kept:
                for _ in range(0, LOG_BYTES_MAX, _COPY_BYTES):  # as much and no more: it may be growing
                    kept.write(file.read(_COPY_BYTES))
            beside.chmod(0o600)
        except OSError:
            beside.unlink(missing_ok=True)
        file.truncate(0)

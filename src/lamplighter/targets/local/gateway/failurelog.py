"""The log of requests that the gateway could not bring to a good end, held to a size."""

import contextlib
from pathlib import Path

from . import admin
from .bootstrap import FAILURES_LOG

__all__ = ["trim"]


def trim(folder: Path, bytes_max: int = 4 << 20, deadline_s: float = 1.0) -> bool:
    """Begin a new file when the log is longer than it may be; one older file is kept (`….1`).

    Envoy writes at most 20 lines of about 350 bytes a second, so once an hour is often enough to
    stay below 30 MB in the worst storm.

    Args:
        folder: the gateway's folder.
        bytes_max: length at which a new file is begun.
        deadline_s: for the gateway to take up the new file.

    Returns:
        Whether a new file was begun.

    Raises:
        GatewayUnavailableError: the gateway did not answer; it still writes to the older file, and
            begins a new one with its next start at the latest.
    """
    log = folder / FAILURES_LOG
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > bytes_max:
            log.replace(log.with_name(f"{FAILURES_LOG}.1"))
            with admin.session(folder, deadline_s) as asked:
                asked.post("/reopen_logs")
            return True
    return False

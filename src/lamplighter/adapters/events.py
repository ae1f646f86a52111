"""The log of a process: one JSON line an event, in a file that is rotated and never grows past its bound."""

import contextlib
import logging
import os
import traceback
from pathlib import Path

import msgspec

from lamplighter.ports import Clock

FILE_BYTES = 2**20
FILES = 3


class EventLog:
    """Writes events to `path`, the older ones standing in `path.1` and so on.

    Never raises: that an event cannot be logged is no reason to end.
    """

    def __init__(self, path: Path, clock: Clock, *, file_bytes: int = FILE_BYTES, files: int = FILES) -> None:
        """Append to the file at `path`; its folder is made if need be.

        Args:
            path: the newest file.
            clock: stamps the lines.
            file_bytes: a file that has reached this size is put aside.
            files: how many to keep, the newest included.
        """
        self._path = path
        self._clock = clock
        self._file_bytes = file_bytes
        self._files = files
        self._lost = 0

    def __call__(self, event: str, /, **fields: object) -> None:
        """Write one event: a kebab-case noun and its fields. `exc_info` may hold an exception."""
        error = fields.pop("exc_info", None)
        if isinstance(error, BaseException):
            fields["trace"] = "".join(traceback.format_exception(error))
        if self._lost:
            fields["lost_before"] = self._lost
        line = {"wall": self._clock.wall(), "at": round(self._clock.now(), 3), "event": event} | fields
        try:
            self._write(msgspec.json.encode(line, enc_hook=str) + b"\n")
            self._lost = 0
        except OSError:
            self._lost += 1

    def _write(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(handle).st_size + len(line) > self._file_bytes:
                self._rotate()
            os.write(handle, line)
        finally:
            os.close(handle)

    def _rotate(self) -> None:
        for number in range(self._files - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)


class LibraryLog(logging.Handler):
    """Passes on what libraries log (the HTTP server, the event loop) as events of this process."""

    def __init__(self, log: EventLog, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event."""
        error = record.exc_info[1] if record.exc_info else None
        self._log("library-message", logger=record.name, message=record.getMessage(), exc_info=error)

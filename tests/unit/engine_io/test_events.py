"""The log of a process stays within its bound and never fails the process."""

import logging
from pathlib import Path

import msgspec

from lamplighter.adapters.clock import VirtualClock
from lamplighter.adapters.events import EventLog, LibraryLog


def lines(path: Path) -> list[dict[str, object]]:
    """The events in a file."""
    return [msgspec.json.decode(each) for each in path.read_bytes().splitlines()]


def test_an_event_is_one_line(tmp_path: Path, clock: VirtualClock) -> None:
    """Event, time and fields stand in one JSON line; an exception brings its trace."""
    log = EventLog(tmp_path / "logs" / "a.log", clock)
    log("lease-lost", pid=7, path=tmp_path)
    log("pass-failed", exc_info=ValueError("no"))
    first, second = lines(tmp_path / "logs" / "a.log")
    assert ("lease-lost", 7, 100.0, str(tmp_path)) == (
        first["event"],
        first["pid"],
        first["at"],
        first["path"],
    )
    assert "ValueError: no" in str(second["trace"])


def test_files_are_rotated_within_their_bound(tmp_path: Path, clock: VirtualClock) -> None:
    """Three files of the size that was set, the newest events in the first."""
    log = EventLog(tmp_path / "a.log", clock, file_bytes=1000)
    for number in range(100):
        log("event", number=number)
    files = sorted(tmp_path.iterdir())
    assert ["a.log", "a.log.1", "a.log.2"] == [each.name for each in files]
    assert all(each.stat().st_size <= 1100 for each in files)
    newest = [event["number"] for each in reversed(files) for event in lines(each)]
    assert 99 == newest[-1]
    assert newest == sorted(newest, key=int)  # type: ignore[call-overload]


def test_what_cannot_be_logged_is_counted(tmp_path: Path, clock: VirtualClock) -> None:
    """A log that cannot be written fails nobody; the next line says how many were lost."""
    folder = tmp_path / "logs"
    folder.write_text("in the way")
    log = EventLog(folder / "a.log", clock)
    log("lost")
    folder.unlink()
    log("kept")
    assert [1] == [each["lost_before"] for each in lines(folder / "a.log")]


def test_what_libraries_log_is_an_event(tmp_path: Path, clock: VirtualClock) -> None:
    """A warning of a library comes with its name."""
    handler = LibraryLog(EventLog(tmp_path / "a.log", clock))
    handler.handle(logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, "too %s", ("many",), None))
    assert [("uvicorn.error", "too many")] == [
        (each["logger"], each["message"]) for each in lines(tmp_path / "a.log")
    ]

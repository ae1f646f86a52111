"""Clocks: the system's time line, and one that stands still until it is told to move.

Time that decides is monotonic. It goes on over a restart of the maintainer (the same boot: the same offset,
so the time in between has passed) and over a reboot (from where the recording ends; how long the machine
was off is not known to any clock that can be trusted). Wall time only labels.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from lamplighter.model.value import Instant, Value, encode

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
REBOOT_GAP_S = 1.0
"""A reboot counts as this much time: more than nothing, so that what comes after is later."""
NOTE = "clock"


class Notes(Protocol):
    """Where the offset is kept: the recording."""

    def note(self, name: str, value: str) -> None:
        """Keep a text."""
        ...

    def noted(self, name: str) -> str:
        """Return a text that was kept, or an empty one."""
        ...


class _Continuity(Value):
    boot: str
    offset: float


class SystemClock:
    """The system's time line: CLOCK_MONOTONIC plus a constant offset for as long as the machine is up."""

    def __init__(self, offset: float = 0.0) -> None:
        self._offset = offset

    def now(self) -> Instant:
        """Return seconds on the system's time line."""
        return time.monotonic() + self._offset

    def wall(self) -> str:
        """Return the wall time as ISO 8601 with its offset."""
        return datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")

    def at(self, monotonic: float) -> Instant:
        """Return the instant of a CLOCK_MONOTONIC reading that any process of this boot made."""
        return monotonic + self._offset


class VirtualClock:
    """Time that moves only when told. Wall time starts at the turn of 2000 and moves along."""

    def __init__(self, now: Instant = 0.0) -> None:
        self._now = now

    def now(self) -> Instant:
        """Return seconds on the time line."""
        return self._now

    def wall(self) -> str:
        """Return a wall time that goes with `now`."""
        return datetime.fromtimestamp(946_684_800 + self._now, UTC).isoformat(timespec="milliseconds")

    def advance(self, seconds: float) -> None:
        """Let time pass; never backwards."""
        assert seconds >= 0, "time does not go back"
        self._now += seconds


def continued(notes: Notes, last: Instant) -> SystemClock:
    """Return the clock that continues the time line of a recording, and note how.

    Args:
        notes: the recording's notes.
        last: the instant of its newest pass, 0 if it is new. The clock never starts before it.
    """
    boot = BOOT_ID.read_text().strip()
    noted = notes.noted(NOTE)
    known = msgspec.json.decode(noted, type=_Continuity) if noted else None
    offset = known.offset if known and known.boot == boot else 0.0
    if time.monotonic() + offset < last:
        offset = last + REBOOT_GAP_S - time.monotonic()
    if known is None or known.boot != boot or known.offset != offset:
        notes.note(NOTE, encode(_Continuity(boot=boot, offset=offset)).decode())
    return SystemClock(offset)

"""Freeze: whether a wall time lies in one of the system's weekly windows.

Nothing else is ever decided from wall time.
"""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lamplighter.model.system import Freeze, System

WEEK_MIN = 7 * 24 * 60


def frozen(system: System, wall: str) -> Freeze | None:
    """Return the freeze window that `wall` lies in, or None.

    A wall time that cannot be told (empty, or without an offset) lies in every window: what must not
    happen in one is held until the time is known.

    Args:
        system: its windows and its time zone.
        wall: ISO 8601 with an offset.
    """
    if not system.freeze:
        return None
    minute = week_minute(wall, system.timezone)
    if minute is None:
        return system.freeze[0]
    return next((each for each in system.freeze if _within(each, minute)), None)


def week_minute(wall: str, timezone: str) -> int | None:
    """Return the minute since Monday 00:00 local time, or None if it cannot be told."""
    try:
        at = datetime.fromisoformat(wall)
        local = at.astimezone(ZoneInfo(timezone)) if at.tzinfo else None
    except (ValueError, ZoneInfoNotFoundError):
        return None
    return None if local is None else (local.weekday() * 24 + local.hour) * 60 + local.minute


def _within(window: Freeze, minute: int) -> bool:
    length = (window.end_min - window.start_min) % WEEK_MIN or WEEK_MIN
    return (minute - window.start_min) % WEEK_MIN < length

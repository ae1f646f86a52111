"""Times of the week and of the day as a spec writes them: schedules, freeze windows, time zones."""

import re

from lamplighter.model.system import Freeze
from lamplighter.spec.units import Misfit

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# crontab(5): name, least, most, names of the values from the least on
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _WEEKDAYS),
)
_PART = r"(\*|[0-9]{1,2}|[a-zA-Z]{3})(?:-([0-9]{1,2}|[a-zA-Z]{3}))?(?:/([0-9]{1,2}))?"
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def schedule(text: str) -> str:
    """Return a cron schedule of five fields (crontab(5)), spaces made single.

    Raises:
        Misfit: not five fields, a value out of its range, or a day that never comes (31 February).
    """
    if text.strip() in _NICKNAMES:
        raise Misfit(f'write "{_NICKNAMES[text.strip()]}"')
    fields = text.split()
    if len(fields) != len(_FIELDS):
        message = f"a schedule has five fields, this has {len(fields)}"
        raise Misfit("minute, hour, day, month, weekday, as in 0 2 * * *", message=message)
    values = [_values(field, *kind) for field, kind in zip(fields, _FIELDS, strict=True)]
    days, months = values[2], values[3]
    if fields[4] == "*" and all(min(days) > _DAYS_OF_MONTH[month - 1] for month in months):
        raise Misfit("a day that the month has", message="this day never comes")
    return " ".join(fields)


def _values(field: str, name: str, least: int, most: int, names: tuple[str, ...]) -> set[int]:
    """Return the values that one field of a schedule stands for."""
    found: set[int] = set()
    for part in field.split(","):
        match = re.fullmatch(_PART, part)
        if not match:
            raise Misfit(f"{least}-{most}, *, a-b, */n or a list of them", message=f"{part!r} is no {name}")
        first = least if match[1] == "*" else _value(match[1], name, (least, most), names)
        last = _value(match[2], name, (least, most), names) if match[2] else first
        if match[1] == "*" or (match[3] and not match[2]):
            last = most
        stride = int(match[3] or 1)
        if stride == 0 or last < first or (match[1] == "*" and match[2]):
            raise Misfit(f"{least}-{most}, from low to high", message=f"{part!r} is no {name}")
        found.update(range(first, last + 1, stride))
    return found


def _value(text: str, name: str, bounds: tuple[int, int], names: tuple[str, ...]) -> int:
    least, most = bounds
    if text.lower() in names:
        return names.index(text.lower()) + least
    if text.isdecimal() and least <= int(text) <= most:
        return int(text)
    raise Misfit(f"{least} to {most}", message=f"{text!r} is no {name}")


_FREEZE = r"([A-Z][a-z]{2}) ([0-9]{2}):([0-9]{2}) - ([A-Z][a-z]{2}) ([0-9]{2}):([0-9]{2})"


def freeze(text: str) -> Freeze:
    """Return a weekly window: `Fri 18:00 - Mon 08:00`, in the system's time zone, over the week's end too."""
    found = re.fullmatch(_FREEZE, " ".join(text.split()))
    if not found:
        raise Misfit('two times of the week: "Fri 18:00 - Mon 08:00"')
    start, end = _minute(*found.groups()[:3]), _minute(*found.groups()[3:])
    if start == end:
        raise Misfit("two different times", message="the window is empty: it ends when it starts")
    return Freeze(start_min=start, end_min=end, text=found[0])


def _minute(day: str, hour: str, minute: str) -> int:
    """Return minutes since Monday 00:00."""
    if day not in DAYS:
        raise Misfit(f"one of {', '.join(DAYS)}", message=f"{day!r} is no day of the week")
    if int(hour) > 23 or int(minute) > 59:  # noqa: PLR2004 - a day's hours and an hour's minutes
        raise Misfit("00:00 to 23:59", message=f"{hour}:{minute} is no time of day")
    return DAYS.index(day) * 1440 + int(hour) * 60 + int(minute)


def freeze_text(window: Freeze) -> str:
    """Return the window as the spec writes it."""

    def moment(minutes: int) -> str:
        return f"{DAYS[minutes // 1440 % 7]} {minutes // 60 % 24:02}:{minutes % 60:02}"

    return f"{moment(window.start_min)} - {moment(window.end_min)}"


def timezone(text: str) -> str:
    """Return the name of an IANA time zone, if the time zone data on this machine or in tzdata has it."""
    if text == "UTC":
        return text
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - most specs say UTC

    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Misfit(_zone_mend(text)) from None
    return text


def _zone_mend(text: str) -> str:
    from zoneinfo import available_timezones  # noqa: PLC0415

    from lamplighter.spec.faults import closest  # noqa: PLC0415

    zones = sorted(available_timezones())
    first = text[:1].lower()
    city = text.rpartition("/")[2].lower().replace(" ", "_")
    same_city = [each for each in zones if each.lower().endswith("/" + city)]
    near = closest(text, same_city or [each for each in zones if each[0].lower() == first])
    near = near or (same_city[0] if same_city else "")
    return f'did you mean "{near}"?' if near else "a name such as Europe/Berlin or UTC"

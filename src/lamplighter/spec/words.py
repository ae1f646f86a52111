"""The scalars of a spec: names, numbers, quantities, paths, references. One constant or function each."""

import re
from collections.abc import Callable

from lamplighter.spec import calendar, jsonpath, units
from lamplighter.spec.faults import closest
from lamplighter.spec.shapes import Written
from lamplighter.spec.tree import CoreType
from lamplighter.spec.units import Misfit

ANY: frozenset[CoreType] = frozenset({"str", "int", "float", "bool"})
_NUMERIC: frozenset[CoreType] = frozenset({"int", "float"})

Mend = Callable[[str], str]


def text(code: str, expected: str, pattern: str, mend: Mend, *, most: int = 300) -> Written:
    """Return the shape of text that matches `pattern` as a whole, at most `most` characters long."""

    def take(written: str) -> str:
        if len(written) > most:
            raise Misfit(f"{most} characters are the most")
        if not re.fullmatch(pattern, written):
            raise Misfit(mend(written))
        return written

    return Written(code, expected, take, {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": most})


def _dashed(written: str) -> str:
    near = re.sub(r"[^a-z0-9]+", "-", written.lower()).strip("-").lstrip("0123456789-")[:40].rstrip("-")
    return (
        f'write "{near}"'
        if near and near != written
        else "lower-case letters, digits and dashes, a letter first"
    )


def _underscored(written: str) -> str:
    near = re.sub(r"[^a-z0-9_]+", "_", written.lower()).strip("_")[:63]
    fits = near and near != written and near[0].isalpha()
    return f'write "{near}"' if fits else "lower-case letters, digits and underscores"


NAME_PATTERN = r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?"
NAME = text("bad-name", "a name such as search or lab-a", NAME_PATTERN, _dashed, most=40)
LABEL = text("bad-name", "a name such as model_key", r"[a-z][a-z0-9_-]{0,62}", _underscored, most=63)
SECRET = text("bad-name", "a name such as model_key", r"[a-z][a-z0-9_]{0,62}", _underscored, most=63)
"""Without dashes: in capitals it is the variable that the secret arrives in."""
VARIABLE_PATTERN = r"(?!PORT$|LAMP_)[A-Za-z_][A-Za-z0-9_]*"


def _variable_mend(written: str) -> str:
    if written == "PORT" or written.startswith("LAMP_"):
        raise Misfit(
            "choose another name",
            code="reserved-variable",
            message="PORT and LAMP_... are set by Lamplighter",
        )
    return "letters, digits and underscores, no digit first"


VARIABLE = text("bad-variable", "the name of an environment variable", VARIABLE_PATTERN, _variable_mend)
QUANTILE = text(
    "bad-quantile",
    "a quantile such as p50, p99 or p999",
    r"p[0-9]{2,4}",
    lambda _: "p50, p90, p95, p99 or p999",
)


def _reserved(written: str) -> str:
    if written == "gateway":
        raise Misfit("choose another name", code="reserved-name", message='"gateway" is the system\'s own')
    return _dashed(written)


WORKLOAD = text("bad-name", "a name such as search", rf"(?!gateway$){NAME_PATTERN}", _reserved, most=40)


def _value(written: str) -> str:
    return written


VALUE = Written(
    "bad-value", "a value", _value, {"type": ["string", "number", "boolean"], "maxLength": 32_768}, types=ANY
)
"""An environment variable's value: taken as it is written, nothing in it is expanded."""


def whole(least: int, most: int, expected: str = "") -> Written:
    """Return the shape of a whole number from `least` to `most`."""
    expected = expected or f"a whole number from {least} to {most}"

    def take(written: str) -> int:
        if not re.fullmatch(r"[-+]?[0-9]{1,18}", written):
            raise Misfit("digits only")
        if not least <= int(written) <= most:
            raise Misfit(f"{least} to {most}", code="out-of-range", message=f"{written} is out of range")
        return int(written)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Written("bad-number", expected, take, schema, types=frozenset({"int"}))


def number(least: float, most: float, expected: str = "") -> Written:
    """Return the shape of a number above `least` (or `least`, if that is 0) and up to `most`."""
    expected = expected or f"a number up to {most:g}"

    def take(written: str) -> float:
        milli = re.fullmatch(r"([0-9]{1,9})m", written)
        if milli:
            raise Misfit(f"write {int(milli[1]) / 1000:g}")
        value = units.number(written)
        if not least <= value <= most:
            raise Misfit(f"{least:g} to {most:g}", code="out-of-range", message=f"{written} is out of range")
        return value

    schema = {"type": "number", "minimum": least, "maximum": most}
    return Written("bad-number", expected, take, schema, show=units.number_text, types=_NUMERIC)


def _flag(written: str) -> bool:
    if written.lower() in ("true", "false"):
        return written.lower() == "true"
    yes = written.lower() in ("yes", "on", "y", "1")
    raise Misfit("write true" if yes else "write false" if written.lower() in ("no", "off", "n", "0") else "")


FLAG = Written("bad-flag", "true or false", _flag, {"type": "boolean"}, types=frozenset({"bool"}))


def choice(*options: str) -> Written:
    """Return the shape of one of some words."""
    listed = ", ".join(options)

    def take(written: str) -> str:
        if written in options:
            return written
        near = closest(written, options)
        raise Misfit(f'did you mean "{near}"?' if near else f"one of {listed}")

    return Written(
        "bad-choice", f"one of {listed}" if len(options) > 1 else listed, take, {"enum": list(options)}
    )


DURATION_PATTERN = r"^[0-9]{1,15}(\.[0-9]{1,9})? ?(us|ms|s|m|h|d|w)$"


def duration(least_s: float = 0.0, most_s: float = units.DURATION_MAX_S) -> Written:
    """Return the shape of a duration, in seconds, within bounds."""

    def take(written: str) -> float:
        seconds = units.duration(written)
        if not least_s <= seconds <= most_s:
            bounds = f"{units.duration_text(least_s)} to {units.duration_text(most_s)}"
            raise Misfit(bounds, code="out-of-range", message=f"{written} is out of range")
        return seconds

    schema = {"type": "string", "pattern": DURATION_PATTERN}
    expected = "a duration such as 300ms, 30s or 2m"
    return Written("bad-duration", expected, take, schema, show=units.duration_text, types=frozenset({"str"}))


SIZE = Written(
    "bad-size",
    "a size such as 512Mi or 1G",
    units.size,
    {"type": "string", "pattern": r"^[0-9]{1,16}(\.[0-9]{1,9})? ?(B|[kKMGT]i?B?)$"},
    show=units.size_text,
)
PERCENT_PATTERN = r"^[0-9]{1,3}(\.[0-9]{1,12})? ?%$"


def percentage(*, zero: bool = False) -> Written:
    """Return the shape of a percentage; `zero`: 0% is allowed."""

    def take(written: str) -> float:
        share = units.percentage(written)
        if share == 0 and not zero:
            raise Misfit("more than 0%", code="out-of-range", message="0% is out of range")
        return share

    schema = {"type": "string", "pattern": PERCENT_PATTERN}
    return Written("bad-percentage", "a percentage such as 25%", take, schema, show=units.percentage_text)


MONEY = Written(
    "bad-money",
    "a sum such as 500 USD/month",
    units.money,
    {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})? USD/(hour|day|week|month)$"},
    show=units.money_text,
)
SCHEDULE = Written(
    "bad-schedule",
    'a cron schedule such as "0 2 * * *"',
    calendar.schedule,
    {"type": "string", "pattern": r"^\s*[^\s]+(\s+[^\s]+){4}\s*$"},
)
FREEZE = Written(
    "bad-freeze",
    'a weekly window such as "Fri 18:00 - Mon 08:00"',
    calendar.freeze,
    {"type": "string"},
    show=calendar.freeze_text,
)
TIMEZONE = Written(
    "unknown-timezone", "an IANA time zone such as Europe/Berlin", calendar.timezone, {"type": "string"}
)
JSON_PATH = Written(
    "bad-json-path",
    "a JSON path such as $.answers[0]",
    jsonpath.checked,
    {"type": "string", "pattern": jsonpath.PATTERN},
)


def _version(written: str) -> int:
    if written != "1":
        raise Misfit("version: 1", message="this Lamplighter reads version 1 of the spec")
    return 1


VERSION = Written("unsupported-version", "version 1", _version, {"const": 1}, types=frozenset({"int"}))


def _goal(written: str) -> tuple[str, float]:
    if "%" in written:
        return "percentage", units.percentage(written)
    last = written[-1:]
    return ("duration", units.duration(written)) if last.isalpha() else ("number", units.number(written))


GOAL: Written = Written(
    "bad-goal",
    "a goal such as 8, 300ms or 70%",
    _goal,
    {
        "anyOf": [
            {"type": "number", "minimum": 0},
            {"type": "string", "pattern": f"{DURATION_PATTERN}|{PERCENT_PATTERN}"},
        ]
    },
    types=_NUMERIC | {"str"},
)

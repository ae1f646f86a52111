"""Quantities as people write them, and back: durations, sizes, percentages, money.

Pure text to number. A function named after a quantity raises `Misfit` where the text is none, with
what to write instead; the one ending in `_text` gives the shortest text that reads back as the same.
"""

import re

from lamplighter.model.system import Money


class Misfit(ValueError):  # noqa: N818 - not an error yet: the reader adds code and place
    """The text is not what was expected. Carries a mend, and a message and code if they are special."""

    def __init__(self, mend: str = "", *, message: str = "", code: str = "") -> None:
        super().__init__(message or mend)
        self.mend = mend
        self.message = message
        self.code = code


_NUMBER = r"[-+]?(?:[0-9]{1,15}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][-+]?[0-9]{1,2})?"


def number(text: str) -> float:
    """Return a number written in decimal, with or without an exponent."""
    if not re.fullmatch(_NUMBER, text):
        raise Misfit("a number such as 1 or 0.5")
    return float(text)


def number_text(value: float) -> float:
    """Return the number as the spec writes it: whole ones without a fraction."""
    return int(value) if float(value).is_integer() else value


_DURATION = r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?(us|ms|s|m|h|d|w)"
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONG_UNITS = {"sec": "s", "min": "m", "hour": "h", "hr": "h", "day": "d", "week": "w", "month": "d"}
DURATION_MAX_S = 3_153_600_000.0  # a hundred years: longer is a slip, and overflows calendars


def duration(text: str) -> float:
    """Return seconds: `300ms`, `30s`, `2m`, `4h`, `30d`, `2w`. A microsecond is the finest."""
    found = re.fullmatch(_DURATION, text)
    if not found:
        raise Misfit(_duration_mend(text))
    number, unit = found.groups()
    seconds = round(float(number) * _SECONDS[unit], 6)  # to the microsecond: then it prints back exactly
    if seconds > DURATION_MAX_S:
        raise Misfit("a hundred years is the most")
    return seconds


def _duration_mend(text: str) -> str:
    number = re.match(r"[0-9]+(?:\.[0-9]+)?", text)
    if number and number[0] == text:
        return f"say the unit: {text}s is seconds, {text}m minutes, {text}h hours"
    word = re.fullmatch(r"([0-9]+) ?([a-zA-Z]+?)s?", text)
    if word and word[2].lower() in _LONG_UNITS and word[2].lower() != "month":
        return f'write "{word[1]}{_LONG_UNITS[word[2].lower()]}"'
    return "one number and one unit of us, ms, s, m, h, d, w"


def duration_text(seconds: float) -> str:
    """Return the duration in the largest unit that holds it without a fraction."""
    for unit in ("w", "d", "h", "m", "s"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{int(seconds // _SECONDS[unit])}{unit}"
    text = f"{round(seconds * 1000)}ms"
    return text if duration(text) == seconds else f"{seconds:.6f}".rstrip("0") + "s"


_SIZE = r"([0-9]{1,16}(?:\.[0-9]{1,9})?) ?(B|[kKMGT]i?B?)"
_BYTES = {"k": 1, "m": 2, "g": 3, "t": 4}
SIZE_MAX = 2**50


def size(text: str) -> int:
    """Return bytes: `512Mi` (1024 each), `1G` (1000 each), `4096B`."""
    found = re.fullmatch(_SIZE, text)
    if not found:
        raise Misfit(_size_mend(text))
    number, unit = found.groups()
    base = 1024 if "i" in unit else 1000
    count = round(float(number) * float(base) ** _BYTES.get(unit[0].lower(), 0))
    if count > SIZE_MAX:
        raise Misfit("1024Ti is the most")
    return count


def _size_mend(text: str) -> str:
    if re.fullmatch(r"[0-9]+", text):
        return f"say the unit: {text}Mi is mebibytes, {text}Gi gibibytes, {text}B bytes"
    number = re.match(r"[0-9.]+", text)
    return (
        f'write "{number[0]}Mi"'
        if number and text[number.end() :] in ("m", "mb", "mi", "MiB ")
        else ("one number and one unit of Ki, Mi, Gi, Ti (1024 each) or K, M, G, T (1000 each)")
    )


def size_text(count: int) -> str:
    """Return the size in the largest binary or decimal unit that holds it without a fraction."""
    for unit in ("Ti", "T", "Gi", "G", "Mi", "M", "Ki", "K"):
        each = (1024 if "i" in unit else 1000) ** _BYTES[unit[0].lower()]
        if count and count % each == 0:
            return f"{count // each}{unit}"
    return f"{count}B"


_PERCENTAGE = r"([0-9]{1,3}(?:\.[0-9]{1,12})?) ?%"


def percentage(text: str) -> float:
    """Return a share between 0 and 1: `25%`, `99.9%`."""
    found = re.fullmatch(_PERCENTAGE, text)
    if not found:
        raise Misfit(_percentage_mend(text))
    share = float(f"{found[1]}e-2")
    if share > 1:
        raise Misfit("100% is the most")
    return share


def _percentage_mend(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,12})?", text):
        return "a number and a percent sign"
    share = float(text)
    return f'write "{share * 100:g}%"' if 0 < share < 1 else f'write "{text}%"'


def percentage_text(share: float) -> str:
    """Return the share as a percentage, exactly."""
    from decimal import Decimal  # noqa: PLC0415 - only printing needs it

    number = f"{Decimal(repr(share)) * 100:f}"
    return (number.rstrip("0").rstrip(".") if "." in number else number) + "%"


_MONEY = r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ([A-Z]{3})/(hour|day|week|month)"
_LOOSE_MONEY = r"(?P<sign>[$€£¥]?) ?(?P<sum>[0-9][0-9.,_]*) ?(?P<currency>[A-Za-z$€£¥]{0,3})(?P<rest>.*)"


def money(text: str) -> Money:
    """Return a limit on spending: `500 USD/month`. US dollars only: prices come in them."""
    found = re.fullmatch(_MONEY, text)
    if found and found[2] == "USD":
        return Money(usd=float(found[1]), per=found[3])  # type: ignore[arg-type]
    loose = re.fullmatch(_LOOSE_MONEY, text)
    if loose is None:
        raise Misfit("a sum, USD, and per what: 500 USD/month")
    currency = found[2] if found else loose["sign"] or loose["currency"].upper()
    if currency not in ("", "$", "USD"):
        message = f"prices are known in US dollars only, not in {currency}"
        raise Misfit("convert it, and write 500 USD/month", message=message, code="unsupported-currency")
    number = loose["sum"].replace(",", "").replace("_", "").rstrip(".")
    per = next((each for each in ("hour", "day", "week") if each in loose["rest"]), "month")
    raise Misfit(f'write "{number} USD/{per}"')


def money_text(limit: Money) -> str:
    """Return the limit as the spec writes it."""
    number = f"{limit.usd:.6f}".rstrip("0").rstrip(".")
    return f"{number} USD/{limit.per}"

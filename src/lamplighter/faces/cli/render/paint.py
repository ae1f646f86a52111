"""Colours and columns for terminals; plain text where there is no terminal or NO_COLOR is set."""

import os
import sys
from collections.abc import Iterable, Sequence

_CODES = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33", "blue": "34"}


def paint(text: str, style: str) -> str:
    """Return `text` in a style (dim, bold, red, green, yellow, blue), if the output shows colours."""
    if not coloured():
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def coloured() -> bool:
    """Return whether the output is a terminal that shows colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def columns(rows: Iterable[Sequence[str]], *, indent: int = 2) -> list[str]:
    """Return rows as lines with aligned columns; the last column is not padded."""
    table = [list(each) for each in rows]
    if not table:
        return []
    count = max(len(each) for each in table)
    widths = [
        max((len(row[index]) for row in table if index < len(row)), default=0) for index in range(count)
    ]
    return [
        (" " * indent + "  ".join(cell.ljust(widths[index]) for index, cell in enumerate(row))).rstrip()
        for row in table
    ]


def seconds(value: float | None) -> str:
    """Return a duration for people: 850 ms, 3.2 s, 4 min, 2 h, 3 d; `?` where unknown."""
    if value is None:
        return "?"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if value >= 2 * size:
            return f"{value / size:.0f} {unit}"
    return f"{value:.1f} s"


def size(value: int | None) -> str:
    """Return bytes for people: 512 MiB; `?` where unknown."""
    if value is None:
        return "?"
    if value >= 2**30:
        return f"{value / 2**30:.1f} GiB"
    return f"{value / 2**20:.0f} MiB"


def known(value: float | None, form: str = "") -> str:
    """Return a number, or `?` where it is unknown."""
    return "?" if value is None else format(value, form)

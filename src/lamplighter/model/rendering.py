"""How a fault looks to a person: place, code, the line with a caret, and the mend. Text only."""

from collections.abc import Iterable

from lamplighter.model.errors import Fault

WIDTH_MAX = 100
"""Columns of the source line that are shown; a longer line is cut around the fault."""


def render_fault(fault: Fault, *, warning: bool = False) -> str:
    """Return a fault as a person reads it.

    Args:
        fault: what is wrong. Only its own excerpt is shown, never the file's line: it may be without
            one because a secret stands there.
        warning: say that it stops nothing.
    """
    pointed = _pointed(fault, fault.excerpt) if fault.excerpt.strip() else [f"   {fault.message}"]
    lines = [_head(fault, warning=warning), *pointed]
    help_text = f"lamp help {fault.code}"
    mend = f"   mend: {fault.mend}" if fault.mend else "  "
    lines.append(f"{mend:<50}  {help_text}" if fault.mend else f"   {help_text}")
    return "\n".join(lines)


def render_faults(faults: Iterable[Fault], *, warning: bool = False) -> str:
    """Return faults one below the other, an empty line between two."""
    return "\n\n".join(render_fault(each, warning=warning) for each in faults)


def _head(fault: Fault, *, warning: bool) -> str:
    place = f"{fault.file}:{fault.line}:{fault.column}" if fault.line else fault.file
    return "  ".join(part for part in (place, "warning" if warning else "", fault.code) if part)


def _pointed(fault: Fault, excerpt: str) -> list[str]:
    """Return the source line, and below it carets and the message."""
    excerpt = excerpt.rstrip("\n\r").replace("\t", " ")
    column = min(fault.column, len(excerpt) + 1) - 1
    cut = max(0, min(column - WIDTH_MAX // 2, len(excerpt) - WIDTH_MAX))
    shown = excerpt[cut : cut + WIDTH_MAX]
    width = max(1, min(fault.width, len(shown) - (column - cut)))
    gutter = f"{fault.line:>5} | "
    blank = " " * (len(gutter) - 2) + "| "
    return [gutter + shown, blank + " " * (column - cut) + "^" * width + " " + fault.message]

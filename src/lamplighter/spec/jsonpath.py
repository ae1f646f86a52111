"""The part of JSON Path (RFC 9535) that checks use: names and indexes, one value at the end."""

import re
from typing import Any

from lamplighter.spec.units import Misfit

PATTERN = r"^\$(\.[A-Za-z_][A-Za-z0-9_-]*|\[[0-9]{1,6}\]|\['[^'\\]{1,100}'\])*$"
_WHOLE = PATTERN
_STEP = r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]+)\]|\['([^']+)'\]"


def checked(text: str) -> str:
    """Return the path. Raises Misfit where it is none, or uses what is not supported (`..`, `*`, filters)."""
    if len(text) > 1000 or not re.fullmatch(_WHOLE, text):  # noqa: PLR2004 - longer than any answer is deep
        mend = "$ for the whole, then .name, ['a name'] or [0]; no .., *, filters or slices"
        near = text if text.startswith((".", "[")) else f".{text}"
        raise Misfit(f'write "${near}"' if re.fullmatch(_WHOLE, f"${near}") else mend)
    return text


def steps(path: str) -> tuple[str | int, ...]:
    """Return the names and indexes of a path in order; none for `$`."""
    found = re.findall(_STEP, checked(path))
    return tuple(int(index) if index else name or quoted for name, index, quoted in found)


def find(document: Any, path: str) -> Any:
    """Return the value at `path` in a decoded JSON document.

    Raises:
        LookupError: there is none. A null that is there is returned as None.
    """
    for step in steps(path):
        if isinstance(step, int) != isinstance(document, list) or not isinstance(document, (dict, list)):
            raise LookupError(f"{path} is not there")
        try:
            document = document[step]  # type: ignore[index]
        except LookupError:
            raise LookupError(f"{path} is not there") from None
    return document

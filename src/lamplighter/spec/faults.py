"""Collecting faults: every one that a spec has, each once, in the order of the file.

Also the one place where text of the file enters a message or an excerpt, and so where anything that
looks like the value of a secret is blotted out.
"""

import re
from collections.abc import Iterable

from lamplighter.model.errors import Fault, SpecError
from lamplighter.spec.tree import Place

FAULTS_MAX = 100
"""After so many faults the rest is only counted: nobody reads more, and suggestions cost time."""
QUOTE_MAX = 40
CANDIDATES_MAX = 200
KNOWN_FORM_MIN = 7
"""The shortest secret of a known form has more characters; most words have fewer."""

# Values of entries whose name speaks of a secret (`API_KEY: x`, `token=x`), but not lists, mappings,
# aliases, nor the bare words `key`, `secret(s)` and `model_key: {`, which are the spec's own.
_NAMED_VALUE = (
    r"(?i)([\w-]*(?:[_-]|\b)(?:api[_-]?key|key|token|secret|passw(?:or)?d|credentials?|dsn)[\"']?\s*[:=]\s*)"
    r"(?![\s{\[&*|>])([^,}\]\s][^,}\]]*)"
)
_OWN_KEYS = r"(?i)(?:^|[\s{,\"'])(?:key|secrets?)[\"']?\s*[:=]\s*$"
# Well-known forms: OpenAI and Stripe style keys, GitHub, AWS, Slack, JWT, passwords in URLs.
_KNOWN_FORM = (
    r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bAKIA[A-Z0-9]{12,}"
    r"|\bxox[a-z]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{16,}[.\w-]*|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)


def blot(text: str) -> str:
    """Return the text with what looks like a secret's value replaced by asterisks of the same width."""
    text = _without_known(text)
    return re.sub(_NAMED_VALUE, _blot_named, text) if ":" in text or "=" in text else text


def _without_known(text: str) -> str:
    if len(text) < KNOWN_FORM_MIN:
        return text
    return re.sub(_KNOWN_FORM, lambda found: "*" * len(found[0]), text)


def _blot_named(found: re.Match[str]) -> str:
    return found[0] if re.search(_OWN_KEYS, found[1]) else found[1] + "*" * len(found[2])


def quoted(text: str) -> str:
    """Return the text as a message may quote it: on one line, shortened, without secrets."""
    text = blot(" ".join(text.split()) if len(text) < 4 * QUOTE_MAX else text[: 4 * QUOTE_MAX])
    text = "".join(each if each.isprintable() else "?" for each in text)
    return f'"{text[: QUOTE_MAX - 1]}…"' if len(text) > QUOTE_MAX else f'"{text}"'


def closest(name: str, candidates: Iterable[str]) -> str:
    """Return the candidate that `name` was probably meant to be, or an empty string."""
    from difflib import get_close_matches  # noqa: PLC0415 - only needed once something is wrong

    known = [each for each, _ in zip(candidates, range(CANDIDATES_MAX), strict=False)]
    folded = {each.lower().replace("_", "-"): each for each in reversed(known)}
    near = get_close_matches(name[:64].lower().replace("_", "-"), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else ""


class Faults:
    """Faults found so far. The same fault at the same place is kept once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str], Fault] = {}
        self._more = 0

    def __len__(self) -> int:
        return len(self._found)

    @property
    def full(self) -> bool:
        """Return whether no further fault is kept, so that no one need look for suggestions."""
        return len(self._found) >= FAULTS_MAX

    def add(self, code: str, place: Place, message: str, mend: str = "") -> None:
        """Keep a fault. `message` says what was expected; `mend` what to write instead."""
        key = (place.file, place.line, place.column, code)
        if key in self._found:
            return
        if self.full:
            self._more += 1
            return
        self._found[key] = Fault(
            code=code,
            message=_without_known(message),
            mend=_without_known(mend),
            file=place.file,
            line=place.line,
            column=place.column,
            width=max(1, place.width),
            excerpt=blot(place.excerpt),
        )

    def found(self) -> tuple[Fault, ...]:
        """Return all faults in the order of the file."""
        faults = sorted(self._found.values(), key=lambda each: (each.file, each.line, each.column))
        if self._more:
            more = Fault(code="too-many-faults", message=f"{self._more} more faults are not shown")
            faults.append(more)
        return tuple(faults)

    def raise_any(self) -> None:
        """Raise SpecError with all faults, if there are any."""
        if self._found:
            raise SpecError(self.found())

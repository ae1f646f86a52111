"""What the environment says about this copy of the service, read once at the start."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GREETINGS", "Settings", "code_digest"]

GREETINGS = {
    "en": "Ask the library",
    "de": "Frag die Bibliothek",
    "fr": "Interrogez la bibliothèque",
    "es": "Pregunta a la biblioteca",
    "cy": "Gofyn i'r llyfrgell",
}
_WAIT_MS_MAX = 60_000


@dataclass(frozen=True, slots=True)
class Settings:
    """One copy's settings.

    Args:
        lang: language of the greeting, a key of `GREETINGS`.
        banner: shown on the page and in every answer; the greeting unless set.
        release: what this copy was started from; the digest of its own code unless set.
        think_ms: shortest and longest wait for the shelf, in milliseconds; a question's wait is fixed.
        start_s: the start takes at least this long, in seconds; stands for a bigger index.
        cache: folder that keeps built indexes; None builds at every start.
    """

    lang: str
    banner: str
    release: str
    think_ms: tuple[int, int]
    start_s: float
    cache: Path | None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Take the settings from environment variables.

        Raises:
            ValueError: a variable does not say what it may say; the message names both.
        """
        lang = environ.get("LIBRARY_LANG") or "en"
        if lang not in GREETINGS:
            raise ValueError(f"LIBRARY_LANG is {lang!r}; it can be one of {', '.join(GREETINGS)}")
        cache = environ.get("LIBRARY_CACHE")
        return cls(
            lang=lang,
            banner=environ.get("LIBRARY_BANNER") or GREETINGS[lang],
            release=environ.get("LAMP_RELEASE") or code_digest(),
            think_ms=_waits(environ.get("LIBRARY_THINK_MS") or "0"),
            start_s=_seconds("LIBRARY_START_S", environ.get("LIBRARY_START_S") or "0"),
            cache=Path(cache).expanduser() if cache else None,
        )

    def wait_s(self, question: str) -> float:
        """How long the shelf takes for a question, in seconds: the same each time it is asked."""
        shortest, longest = self.think_ms
        if shortest == longest:
            return shortest / 1000
        draw = int.from_bytes(hashlib.blake2b(question.encode(), digest_size=4).digest(), "big") / 2**32
        return (shortest + draw * (longest - shortest)) / 1000


def code_digest() -> str:
    """Names this package's own code, in 12 hex digits: another release, another name."""
    content = hashlib.blake2b(digest_size=6)
    for path in sorted(Path(__file__).parent.glob("*.*")):
        if path.suffix in {".py", ".html"}:
            content.update(path.name.encode() + b"\0" + path.read_bytes())
    return content.hexdigest()


def _waits(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    if low.isdecimal() and (high.isdecimal() or not dash):
        shortest, longest = int(low), int(high or low)
        if shortest <= longest <= _WAIT_MS_MAX:
            return shortest, longest
    raise ValueError(
        f"LIBRARY_THINK_MS is {text!r}; it can be milliseconds (40) or a range (20-500), up to {_WAIT_MS_MAX}"
    )


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _WAIT_MS_MAX / 1000:
        raise ValueError(f"{name} is {text!r}; it can be seconds, from 0 to {_WAIT_MS_MAX // 1000}")
    return value

"""Notes: the one thing here that changes something, kept in memory and lost with the process."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from library.web import Refused

__all__ = ["Notes", "note_text"]

_TEXT_CHARS_MAX, _KEY_CHARS_MAX = 10_000, 200
_EXPECTED = f'a JSON object {{"text": "..."}} with 1 to {_TEXT_CHARS_MAX} characters'


@dataclass(slots=True)
class Notes:
    """The newest notes, by id; the oldest is let go when there are too many."""

    kept_max: int = 1000
    _kept: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def store(self, text: str, key: str | None) -> tuple[str, bool]:
        """Keep a note; returns its id and whether it was new.

        Args:
            text: the note.
            key: the caller's Idempotency-Key. The id follows from it, so a repeat gets the same id
                even from another process.

        Raises:
            Refused: 422, the key came with another text before; 400, the key is too long.
        """
        note = secrets.token_hex(8) if key is None else _id_of(key)
        if (held := self._kept.get(note)) is not None:
            if held != text:
                raise Refused(422, "this Idempotency-Key came with another note", "a key of its own per note")
            return note, False
        self._kept[note] = text
        if len(self._kept) > self.kept_max:
            self._kept.popitem(last=False)
        return note, True

    def read(self, note: str) -> str:
        """The text of a note.

        Raises:
            Refused: 404, this process has no such note.
        """
        if note not in self._kept:
            raise Refused(404, "no such note here", "an id that POST /notes has answered")
        return self._kept[note]


def _id_of(key: str) -> str:
    if not 1 <= len(key) <= _KEY_CHARS_MAX:
        raise Refused(400, "the Idempotency-Key is too long or empty", f"1 to {_KEY_CHARS_MAX} characters")
    return hashlib.blake2b(key.encode(), digest_size=8).hexdigest()


def note_text(body: bytes) -> str:
    """The note in a request's body.

    Raises:
        Refused: 400, the body is not what `POST /notes` takes.
    """
    try:
        value = json.loads(body)
        text = value["text"] if isinstance(value, dict) else None
    except (ValueError, KeyError, RecursionError):
        text = None
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= _TEXT_CHARS_MAX:
        raise Refused(400, "the body is no note", _EXPECTED)
    return text.strip()

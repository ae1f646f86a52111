"""What a recording holds that is nobody else's business, taken out of a value without changing its shape.

Values of environment variables, commands, the questions that checks ask, and where secrets and sites are give
way to marks, of which only can be told whether two stand for the same; persons to "a person"; paths of files,
in any other text, to "(path)". Names of services, routes, releases and every number stay, since decisions are
made from them. Pure.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from lamplighter.model.value import Value

PERSON = "a person"
PATH = "(path)"
_PATH = re.compile(r"(?<![\w.:/])~?(?:/[\w.@+-]+){2,}/?")
"""An absolute path of at least two parts: one part alone may be a route."""
_PERSONS = ("by", "ordered_by", "stopped_by")
_ROUTES = ("path", "route", "prefix")

_MARKED = ("context", "address", "get", "json", "matches")

V = TypeVar("V", bound=Value)


def private_free(value: V, names: Mapping[str, str], key: bytes) -> V:
    """Return a value without what is private.

    Args:
        value: any value of the model.
        names: ids and digests, and what stands in their places: those that private parts went into.
        key: what marks are made with, at most 64 bytes; to be forgotten, or short values could be guessed.
    """
    return msgspec.convert(_Free(names, key).of(msgspec.to_builtins(value), ""), type=type(value))


class _Free:
    """Walks plain data."""

    def __init__(self, names: Mapping[str, str], key: bytes) -> None:
        self._names = names
        self._key = key

    def of(self, value: Any, name: str) -> Any:
        """Return what stands under a name, free of what is private."""
        if isinstance(value, str):
            return self._text(value, name)
        if isinstance(value, list | tuple):
            return [self.of(each, name) for each in value]
        if not isinstance(value, dict):
            return value
        if name == "env":
            return {variable: self._mark(each) for variable, each in value.items()}
        return {self._names.get(each, each): self._field(value, each) for each in value}

    def _field(self, holder: dict[str, Any], name: str) -> Any:
        where = name == "key" and "source" in holder
        how = name == "value" and holder.get("kind") == "command"
        return self._mark(holder[name]) if where or how else self.of(holder[name], name)

    def _text(self, value: str, name: str) -> str:
        if name in _PERSONS:
            return PERSON if value else ""
        if name in _ROUTES:
            return value
        if name in _MARKED:
            return self._mark(value)
        return self._names.get(value) or _PATH.sub(PATH, value)

    def _mark(self, value: str) -> str:
        """Return what stands for a value that was written; nothing for none."""
        digest = hashlib.blake2b(value.encode(), key=self._key, digest_size=4)
        return f"({digest.hexdigest()})" if value else ""

"""What a recording holds that is nobody else's business, taken out of a value without changing its shape.

Blanked: values of environment variables, commands, the questions that checks ask, where secrets and sites
are, and who asked. In any other text, paths of files. Names of services, routes, releases and every number
stay, since decisions are made from them. Pure.
"""

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

V = TypeVar("V", bound=Value)


def private_free(value: V, names: Mapping[str, str]) -> V:
    """Return a value without what is private.

    Args:
        value: any value of the model.
        names: ids and digests, and what stands in their places: those that private parts went into.
    """
    return msgspec.convert(_freed(msgspec.to_builtins(value), "", names), type=type(value))


def _freed(value: Any, key: str, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _text(value, key, names)
    if isinstance(value, list | tuple):
        return [_freed(each, key, names) for each in value]
    if not isinstance(value, dict):
        return value
    return {names.get(name, name): _field(value, name, each, names) for name, each in value.items()}


def _field(holder: dict[str, Any], name: str, value: Any, names: Mapping[str, str]) -> Any:
    if name == "env":
        return dict.fromkeys(value, "")
    if name == "checks":
        return []
    where = name == "key" and "source" in holder
    how = name == "value" and holder.get("kind") == "command"
    return "" if where or how or name in ("context", "address") else _freed(value, name, names)


def _text(value: str, key: str, names: Mapping[str, str]) -> str:
    if key in _PERSONS:
        return PERSON if value else ""
    if key in _ROUTES:
        return value
    return names.get(value) or _PATH.sub(PATH, value)

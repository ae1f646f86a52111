"""The tree of a spec file: scalars, sequences and mappings, each with its place.

Made by `compose`, read by the shapes. Knows YAML's types (of YAML 1.2's core schema) and nothing of
what a spec may say.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

CoreType = Literal["null", "bool", "int", "float", "str"]

# YAML 1.2.2, section 10.3.2 (core schema), tag resolution. Leading letters decide which can match.
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})
_NUMERIC_START = frozenset("-+.0123456789")
_INT = r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_SPECIAL = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"


class Place(NamedTuple):
    """Where something stands: line and column count from 1, `width` in characters of that line."""

    file: str
    line: int
    column: int
    width: int
    excerpt: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Node:
    """One node. `label` is what to blame when something is missing in it: its key, or itself.

    `weight` counts the nodes in it, with every alias followed: what reading it will cost.
    """

    __slots__ = ("label", "place", "weight")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.label = place
        self.weight = 1


class Scalar(Node):
    """A piece of text. `plain`: written without quotes."""

    __slots__ = ("plain", "text")

    def __init__(self, text: str, place: Place, *, plain: bool) -> None:
        super().__init__(place)
        self.text = text
        self.plain = plain

    @property
    def type(self) -> CoreType:
        """Return the type that YAML 1.2 gives it; what is quoted is always text."""
        return core_type(self.text) if self.plain else "str"


class Sequence(Node):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, items: list[Node], place: Place) -> None:
        super().__init__(place)
        self.items = items


class Entry(NamedTuple):
    """One entry of a mapping: where its key stands, and its value."""

    key: Place
    node: Node


class Mapping(Node):
    """Keys in the order of the file, none twice."""

    __slots__ = ("entries",)

    def __init__(self, entries: dict[str, Entry], place: Place) -> None:
        super().__init__(place)
        self.entries = entries

    def get(self, key: str) -> Node | None:
        """Return the value under `key`, or None."""
        entry = self.entries.get(key)
        return entry.node if entry else None


def core_type(text: str) -> CoreType:
    """Return the type of an unquoted scalar in YAML 1.2: `yes`, `on` and `12:30` are text."""
    if text in _NULL:
        return "null"
    if text in _BOOL:
        return "bool"
    if text[0] not in _NUMERIC_START:
        return "str"
    if re.fullmatch(_INT, text):
        return "int"
    return "float" if re.fullmatch(_FLOAT, text) or re.fullmatch(_SPECIAL, text) else "str"


def is_null(node: Node) -> bool:
    """Return whether nothing is written here (`key:` alone, `~` or `null`)."""
    return isinstance(node, Scalar) and node.type == "null"


def locate(node: Node | None, *path: str | int) -> Node | None:
    """Follow keys and indexes from `node`; None where the path leads nowhere."""
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


def merge(base: Node | None, over: Node) -> Node:
    """Lay `over` on `base`: mappings key by key, anything else replaces; null takes a key away.

    The rule is that of JSON Merge Patch (RFC 7396). Every node keeps the place where it was written.
    """
    if not isinstance(over, Mapping):
        return over
    entries = dict(base.entries) if isinstance(base, Mapping) else {}
    for key, (place, node) in over.entries.items():
        if is_null(node):
            entries.pop(key, None)
            continue
        below = entries.get(key)
        entries[key] = Entry(place, merge(below.node if below else None, node))
    merged = Mapping(entries, over.place)
    merged.label = over.label
    return merged


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Place]]:
    """Yield the dotted path and the place of every entry and item below `node`."""
    if isinstance(node, Mapping):
        for key, entry in node.entries.items():
            below = f"{path}.{key}" if path else key
            yield below, entry.key
            yield from walk(entry.node, below)
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield f"{path}[{index}]", item.place
            yield from walk(item, f"{path}[{index}]")

"""What is private, field by field: what gives way to a mark, to a word, or stays."""

import hashlib
from collections.abc import Mapping

import pytest

from lamplighter.engine.private import PATH, PERSON, _Free

KEY = b"key"
NONE: Mapping[str, str] = {}


def mark(value: str) -> str:
    """Return the mark of a value."""
    return f"({hashlib.blake2b(value.encode(), key=KEY, digest_size=4).hexdigest()})"


@pytest.mark.parametrize(
    ("holder", "left"),
    [
        ({"env": {"KEY": "v", "EMPTY": ""}}, {"env": {"KEY": mark("v"), "EMPTY": ""}}),
        ({"kind": "command", "value": "serve"}, {"kind": "command", "value": mark("serve")}),
        ({"kind": "app", "value": "a:b"}, {"kind": "app", "value": "a:b"}),
        ({"value": "a:b"}, {"value": "a:b"}),
        ({"source": "file", "key": "place"}, {"source": "file", "key": mark("place")}),
        ({"key": "place"}, {"key": "place"}),
        ({"context": "c"}, {"context": mark("c")}),
        ({"address": "c"}, {"address": mark("c")}),
        (
            {"get": "c", "json": "d", "matches": "e"},
            {"get": mark("c"), "json": mark("d"), "matches": mark("e")},
        ),
        ({"by": "ann"}, {"by": PERSON}),
        ({"ordered_by": "ann"}, {"ordered_by": PERSON}),
        ({"stopped_by": "ann"}, {"stopped_by": PERSON}),
        ({"by": ""}, {"by": ""}),
        (
            {"path": "/a/b", "route": "/c/d", "prefix": "/e/f"},
            {"path": "/a/b", "route": "/c/d", "prefix": "/e/f"},
        ),
        ({"detail": "in /a/b now"}, {"detail": f"in {PATH} now"}),
        ({"detail": "in /a now"}, {"detail": "in /a now"}),
        ({"acts": 3, "ready": None, "on": True}, {"acts": 3, "ready": None, "on": True}),
        ({"reasons": ["/a/b", "c"]}, {"reasons": [PATH, "c"]}),
        ({"pairs": (("/a/b", 1),)}, {"pairs": [[PATH, 1]]}),
    ],
)
def test_field(holder: dict[str, object], left: dict[str, object]) -> None:
    """By its name, and by what stands beside it."""
    assert left == _Free(NONE, KEY).of(holder, "")


def test_names_that_private_parts_went_into_are_others_everywhere() -> None:
    """As values and as keys, at any depth; a mark has no second name."""
    names = {"a-1": "a-2", "b": "c"}
    held = {"a-1": {"action": "a-1", "basis": "b", "detail": "a-1 failed"}, "of": ["b"]}
    left = {"a-2": {"action": "a-2", "basis": "c", "detail": "a-1 failed"}, "of": ["c"]}
    assert left == _Free(names, KEY).of(held, "")

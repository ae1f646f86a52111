"""The part of JSON Path that checks use."""

import pytest

from lamplighter.spec.jsonpath import find, steps
from lamplighter.spec.units import Misfit

DOCUMENT = {"answers": [{"text": "zip", "a b": None}], "n": 0}


@pytest.mark.parametrize(
    ("path", "value"),
    [("$", DOCUMENT), ("$.n", 0), ("$.answers[0].text", "zip"), ("$.answers[0]['a b']", None), ("$['n']", 0)],
)
def test_what_is_there(path: str, value: object) -> None:
    """A path leads to one value, null included."""
    assert value == find(DOCUMENT, path)


@pytest.mark.parametrize("path", ["$.m", "$.answers[1]", "$.answers.text", "$.n[0]", "$[0]", "$.n.x"])
def test_what_is_not_there(path: str) -> None:
    """A path that leads nowhere says so."""
    with pytest.raises(LookupError):
        find(DOCUMENT, path)


@pytest.mark.parametrize(
    "path", ["", "answers", "$..a", "$.a[*]", "$.a[?(@.x)]", "$.a[1:2]", "$.a[-1]", "$ .a"]
)
def test_what_is_not_understood(path: str) -> None:
    """Wildcards, slices and filters are refused, not guessed at."""
    with pytest.raises(Misfit):
        steps(path)

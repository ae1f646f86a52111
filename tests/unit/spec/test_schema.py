"""The JSON Schema and the reference: made from the parser's own description, and true."""

import json
from pathlib import Path

import jsonschema
import pytest
from benchmarks.specs.writer import touched
from hypothesis import given, settings
from hypothesis import strategies as st

from lamplighter.spec import parse
from lamplighter.spec.__main__ import written
from lamplighter.spec.compose import compose
from lamplighter.spec.schema import paths, schema
from lamplighter.spec.tree import Mapping, Node, Scalar, Sequence

from .specs import LIBRARY, sound

VALIDATOR = jsonschema.Draft202012Validator(schema())
REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
TYPES = {
    "int": int,
    "float": float,
    "bool": lambda text: text.lower() == "true",
    "null": lambda _: None,
    "str": str,
}


def plain(node: Node) -> object:
    """Return a tree as an editor sees it: lists, dicts and YAML 1.2's scalars."""
    if isinstance(node, Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(each) for each in node.items]
    assert isinstance(node, Scalar)
    return TYPES[node.type](node.text)


def test_the_schema_is_a_schema() -> None:
    """It is valid under the metaschema of draft 2020-12."""
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", sorted(written()))
def test_the_written_files_are_true(name: str) -> None:
    """What is in docs/reference is what the description says now; `python -m lamplighter.spec` renews it."""
    assert written()[name] == (REFERENCE / name).read_text(encoding="utf-8")


def test_the_library_is_valid() -> None:
    """A spec that parses is valid for editors."""
    assert [] == list(VALIDATOR.iter_errors(plain(compose(LIBRARY, "lamp.yaml"))))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_what_parses_is_valid(seed: int) -> None:
    """Generated sound specs parse, and every one of them is valid under the schema."""
    data = sound(seed).data
    parse(json.dumps(data))
    assert [] == [each.message for each in VALIDATOR.iter_errors(data)]


@pytest.mark.parametrize(
    "wrong", [{"replicas": {"min": "2"}}, {"drain": 30}, {"drian": "3s"}, {"app": "m:a", "image": "x"}]
)
def test_what_is_plainly_wrong_is_not_valid(wrong: dict[str, object]) -> None:
    """An editor marks slips of type, unit and spelling."""
    service = {"app": "m:a", **wrong} if "image" not in wrong else wrong
    assert list(VALIDATOR.iter_errors({"system": "x", "services": {"w": service}}))


def test_the_generator_meets_every_field() -> None:
    """A few hundred specs exercise every field that the schema knows."""
    met = set().union(*(touched(sound(seed).data) for seed in range(300)))
    assert set() == paths() - met


def test_every_field_says_what_it_is() -> None:
    """No key is without its sentence."""
    text = written()["spec.md"]
    assert [] == [
        line for line in text.splitlines() if line.startswith("| `") and line.rstrip().endswith("|  |")
    ]

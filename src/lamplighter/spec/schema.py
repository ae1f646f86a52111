"""The spec's JSON Schema, for editors: made from the one description of the fields."""

from typing import Any

from lamplighter.spec.fields import SYSTEM

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a whole spec.

    Everything that parses is valid under it. Not everything valid parses: what one part says of
    another (names, routes, needs) is beyond a schema.
    """
    return {
        "$schema": DIALECT,
        "$id": "urn:lamplighter:spec:1",
        "title": "Lamplighter: lamp.yaml",
        "description": "What is wanted of a system. lamp check says more than this schema can.",
        **SYSTEM.schema(),
    }


def paths(part: dict[str, Any] | None = None, above: str = "") -> set[str]:
    """Return the dotted path of every field known; `*` stands for a name, `[]` for an item."""
    part = schema() if part is None else part
    found: set[str] = set()
    for key, each in part.get("properties", {}).items():
        found |= {f"{above}{key}", *paths(each, f"{above}{key}.")}
    if isinstance(named := part.get("additionalProperties"), dict):
        found |= paths(named, f"{above}*.")
    if "items" in part:
        found |= paths(part["items"], f"{above.removesuffix('.')}[].")
    for each in part.get("anyOf", ()):
        found |= paths(each, above)
    return found

"""Values: equal ones have equal digests, wherever they came from."""

import msgspec
import pytest

from lamplighter.model.actions import Scale
from lamplighter.model.system import System
from lamplighter.model.value import digest, encode, whole
from lamplighter.spec import parse

SPEC = """version: 1
system: shop
timezone: UTC
services:
  web: {command: serve, replicas: {min: 1, max: 2}, scale: {on: in_flight, goal: 8}, drain: 30s, route: /}
"""


def test_digest_survives_a_trip_through_json() -> None:
    """A system fresh from a spec and the same one read back from the wire have one digest."""
    fresh = parse(SPEC)
    assert digest(fresh) == digest(msgspec.json.decode(encode(fresh), type=System))


def test_defaults_written_out_are_defaults() -> None:
    """A spec that writes a default has the digest of one that leaves it out."""
    assert digest(parse(SPEC)) == digest(parse(SPEC.replace("timezone: UTC\n", "")))


@pytest.mark.parametrize("other", [{"replicas": 3}, {"starts": ("web-1",)}, {"workload": "api"}])
def test_different_values_have_different_digests(other: dict[str, object]) -> None:
    """Each field counts."""
    scale = Scale(workload="web", release="r", replicas=2)
    assert digest(scale) != digest(msgspec.structs.replace(scale, **other))


def test_whole_has_every_field_and_the_tag() -> None:
    """Plain data for programs has keys for defaults too, and numbers as they are."""
    plain = whole(Scale(workload="web", release="r", replicas=2))
    assert ("scale", 2, []) == (plain["type"], plain["replicas"], plain["stops"])

"""A system prints back as a spec that reads the same."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from lamplighter.spec import dump, parse

from .specs import LIBRARY, service, sound


def test_the_library_prints_back() -> None:
    """Every part of the language survives printing."""
    assert parse(LIBRARY) == parse(dump(parse(LIBRARY)))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32))
def test_any_system_prints_back(seed: int) -> None:
    """Printing and reading gives the system that was printed."""
    system = parse(json.dumps(sound(seed).data))
    assert system == parse(dump(system))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_a_system_at_its_site_prints_back(seed: int) -> None:
    """So does a system as seen at one site, which is what recordings hold."""
    system = parse(json.dumps(sound(seed).data))
    here = system.at(system.default_site)
    assert here == parse(dump(here)).at(system.default_site)


def test_defaults_are_not_printed() -> None:
    """A small system prints as a small spec."""
    assert "version: 1\nsystem: x\nservices:\n  web:\n    app: main:app\n    drain: 5s\n" == dump(
        parse(service("drain: 5s"))
    )


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn"]), max_size=40))
def test_any_text_survives_in_an_environment_variable(text: str) -> None:
    """Quotes, colons, hashes, and words that YAML has its own ideas about."""
    system = parse(service("env: {A: x}"))
    printed = dump(system).replace("A: x", f"A: {json.dumps(text, ensure_ascii=False)}")
    again = parse(printed)
    assert {"A": text} == parse(dump(again)).services["web"].env

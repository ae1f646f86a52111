"""The text itself: YAML without surprises, within bounds."""

import time

import pytest

from lamplighter.spec import parse

from .specs import faults, placed, service


def env(rest: str) -> dict[str, str]:
    """Return the environment of a service."""
    return parse(service(f"env: {rest}")).services["web"].env


@pytest.mark.parametrize(
    "word", ["yes", "no", "on", "off", "12:30", "0o17", "1_000", "2024-01-01", "0x1F", "1e3", "~x"]
)
def test_text_stays_text(word: str) -> None:
    """What YAML 1.1 turns into flags, times and numbers arrives as it is written."""
    assert {"A": word} == env(f"{{A: {word}}}")


def test_on_is_a_key() -> None:
    """`on:` is a word, not true."""
    assert "rate" == parse(service("scale: {on: rate, goal: 5}")).services["web"].scale.on


def test_nothing_is_expanded() -> None:
    """A dollar sign is a dollar sign."""
    assert {"A": "${HOME}/x", "B": "$$"} == env('{A: "${HOME}/x", B: $$}')


def test_anchors_aliases_and_merge_keys() -> None:
    """A part can be written once and used twice; the nearer key wins."""
    text = "  a: &a {app: m:app, drain: 5s, route: /a}\n  b: {<<: *a, drain: 7s, route: /b}\n"
    services = parse(f"system: x\nservices:\n{text}").services
    assert (5.0, 7.0, "m:app") == (services["a"].drain_s, services["b"].drain_s, services["b"].run.value)


def test_a_byte_order_mark_is_no_part_of_the_spec() -> None:
    """Editors that put one first do no harm."""
    assert "x" == parse("\ufeffsystem: x".encode()).name
    assert "x" == parse("\ufeffsystem: x").name


def test_windows_line_ends() -> None:
    """Carriage returns change neither meaning nor places."""
    assert [("bad-name", 2, 9)] == placed("version: 1\r\nsystem: X\r\n")


def test_a_path_in_braces_needs_no_quotes() -> None:
    """`json: $.answers[0]` in braces is not YAML, and is read all the same, with places as written."""
    text = service("checks: [{get: /, expect: {json: $.a[0], status: 9}}]")
    assert [("out-of-range", 5, 54)] == placed(text)


BOMBS = {
    "brackets": "[" * 100_000,
    "braces": "{a: " * 100_000,
    "dashes": "- " * 100_000,
    "laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "\n".join(
        f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]" for p, n in zip("abcdefghij", "bcdefghijk", strict=True)
    ),
    "merges": "a: &a {x: 1}\n"
    + "\n".join(
        f"{n}: &{n} {{<<: [*{p}, *{p}, *{p}]}}" for p, n in zip("abcdefghij", "bcdefghijk", strict=True)
    ),
    "long word": "system: " + "x_" * 500_000,
    "many keys": "\n".join(f"k{n}: 1" for n in range(100_000)),
    "long line": "{" + "a: b, " * 100_000,
    "quotes": "'" * 900_000,
    "self": "a: &a {b: *a}",
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_what_is_too_much_is_refused_soon(name: str) -> None:
    """A file made to exhaust its reader gives a fault in well under two seconds of processor time."""
    started = time.process_time()
    assert faults(BOMBS[name])
    assert 2.0 > time.process_time() - started


@pytest.mark.parametrize("name", ["laughs", "long word", "many keys", "quotes"])
def test_what_is_too_much_is_called_so(name: str) -> None:
    """Aliases count with all that they stand for."""
    assert ["too-large"] == [each.code for each in faults(BOMBS[name])]


def test_many_faults_are_cut_off() -> None:
    """After a hundred faults the rest is counted."""
    found = faults("system: x\n" + "\n".join(f"k{n}: 1" for n in range(300)))
    assert (101, "too-many-faults", "200 more faults are not shown") == (
        len(found),
        found[-1].code,
        found[-1].message,
    )

"""Mutations of sound specs: of their characters, of their structure, of their meaning.

A mutation of meaning names the fault that must be found; the others only must not lead to anything but
a plan or a clear fault.
"""

import copy
from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.specs.writer import Draft, text_of

Mutant = tuple[str | bytes, str]
"""A text, and the code of the fault that must be found in it (empty: any, or none)."""

ODD = "\t\x00\x07\x1b\x85\u2028\ufeff\ud800é漢🙂'\"`[]{}()<>:,;#&*!|%@-?~=.$\\/ \n\r0aZ"


def mutated(name: str, made: Draft, chance: Random) -> Mutant:
    """Return the mutation of that name of a spec."""
    return MUTATORS[name](made, chance)


# --- characters


def _characters(made: Draft, chance: Random) -> Mutant:
    text = text_of(made.data, chance)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at = chance.randrange(len(text))
        kind = chance.choice(("insert", "delete", "replace", "repeat"))
        odd = chance.choice(ODD)
        middle = {"insert": odd + text[at], "delete": "", "replace": odd, "repeat": text[at] * 3}[kind]
        text = text[:at] + middle + text[at + 1 :]
    return text, ""


def _bytes(made: Draft, chance: Random) -> Mutant:
    content = bytearray(text_of(made.data, chance).encode("utf-8"))
    content[chance.randrange(len(content))] = chance.choice((0xFF, 0xC3, 0x80, 0xED))
    return bytes(content), "not-utf8"


def _lines(made: Draft, chance: Random) -> Mutant:
    lines = text_of(made.data, chance).splitlines()
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    kind = chance.choice(("drop", "twice", "swap", "deeper", "shallower", "tab", "cut", "split"))
    if kind == "swap":
        lines[at], lines[other] = lines[other], lines[at]
    changed = {
        "drop": [],
        "twice": [lines[at], lines[at]],
        "deeper": ["  " + lines[at]],
        "shallower": [lines[at].removeprefix("  ")],
        "tab": ["\t" + lines[at].lstrip()],
        "split": [lines[at], "---"],
    }.get(kind, [lines[at]])
    whole = [*lines[:at], *changed, *([] if kind == "cut" else lines[at + 1 :])]
    return "\n".join(whole) + chance.choice(("\n", "")), ""


def _bombs(made: Draft, chance: Random) -> Mutant:
    text = text_of(made.data, chance)
    size = chance.choice((50, 5_000, 60_000))
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    forms = {
        "flow": "x: " + "[" * size,
        "block": "- " * size + "x",
        "braces": "{a: " * size,
        "aliases": "\n".join(["a0: &a0 [x, y]", *rows]),
        "merges": "\n".join(
            ["b0: &b0 {k: 1}", *(f"b{n}: &b{n} {{<<: [*b{n - 1}, *b{n - 1}]}}" for n in range(1, 30))]
        ),
        "self": "x: &x [*x, {y: *x}]",
        "long": "x: " + "y" * 20 * size,
        "keys": "\n".join(f"k{n}: 1" for n in range(size)),
        "quote": "x: '" + "'" * size,
        "digits": f"gateway: {{port: {'9' * size}}}",
        "dashes": "-" * size,
    }
    bomb = forms[chance.choice(sorted(forms))]
    return chance.choice((bomb, f"{text}\n{bomb}", f"{bomb}\n{text}")), ""


# --- structure


def _holders(data: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) below the root."""
    if not isinstance(data, (dict, list)):
        return []
    keys = list(data) if isinstance(data, dict) else list(range(len(data)))
    return [(data, key) for key in keys] + [pair for key in keys for pair in _holders(data[key])]


def _structure(made: Draft, chance: Random) -> Mutant:
    data = copy.deepcopy(made.data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        holder, key = chance.choice(_holders(data) or [(data, "system")])
        _bend(data, holder, key, chance)
    return text_of(data, chance), ""


def _bend(data: Any, holder: Any, key: Any, chance: Random) -> None:
    """Change one entry: drop it, rename it, wrap it, put something else there, or a copy of another part."""
    kind = chance.choice(("drop", "rename", "wrap", "other", "graft", "null"))
    if kind == "drop":
        del holder[key]
    elif kind == "rename" and isinstance(holder, dict):
        name = str(key)
        at = chance.randrange(len(name))
        holder[name[:at] + chance.choice("_aZ -") + name[at + 1 :]] = holder.pop(key)
    elif kind == "wrap":
        holder[key] = chance.choice(([holder[key]], {"min": holder[key]}))
    elif kind == "graft":
        donor, part = chance.choice(_holders(data))
        holder[key] = copy.deepcopy(donor[part])
    else:
        strange: list[Any] = [
            None,
            [],
            {},
            0,
            -1,
            1e308,
            2**70,
            True,
            "",
            " ",
            "yes",
            "12:30",
            "0x1F",
            ".nan",
            "5",
            "%",
            "$HOME",
        ]
        holder[key] = None if kind == "null" else chance.choice(strange)


# --- meaning: each changes one thing, and names the fault that must be found


def _first(data: Any, made: Draft) -> Any:
    service = data["services"][made.services[0]]
    service.pop("at", None)
    return service


def _service(key: str, value: Any) -> Callable[[Any, Draft], None]:
    def change(data: Any, made: Draft) -> None:
        _first(data, made)[key] = value

    return change


def _root(key: str, value: Any) -> Callable[[Any, Draft], None]:
    def change(data: Any, _made: Draft) -> None:
        data[key] = value

    return change


def _two_ways(data: Any, made: Draft) -> None:
    service = _first(data, made)
    service["command" if "app" in service else "app"] = "main:app"


def _no_way(data: Any, made: Draft) -> None:
    for key in ("app", "command", "image"):
        _first(data, made).pop(key, None)


def _cycle(data: Any, made: Draft) -> None:
    _first(data, made)["needs"] = [made.services[-1]]
    data["services"][made.services[-1]]["needs"] = [made.services[0]]


def _route_twice(data: Any, made: Draft) -> None:
    _first(data, made)["route"] = "/same"
    data["services"]["second"] = {"app": "m:app", "route": "/same/"}


def _in_override(data: Any, made: Draft) -> None:
    service = _first(data, made)
    service["replicas"] = {"min": 1, "max": 3}
    service["at"] = {made.sites[0]: {"replicas": {"min": 9}}}


MEANINGS: dict[str, tuple[Callable[[Any, Draft], None], str]] = {
    "unknown need": (_service("needs", ["modle"]), "unknown-workload"),
    "unknown secret": (_service("secrets", ["nobody_knows"]), "unknown-secret"),
    "unknown site": (_service("site", "nowhere"), "unknown-site"),
    "override at no site": (_service("at", {"nowhere": {}}), "unknown-site"),
    "override breaks range": (_in_override, "min-above-max"),
    "two ways to run": (_two_ways, "two-ways-to-run"),
    "no way to run": (_no_way, "no-way-to-run"),
    "cycle": (_cycle, "needs-cycle"),
    "route twice": (_route_twice, "duplicate-route"),
    "range upside down": (_service("replicas", {"min": 5, "max": 2}), "min-above-max"),
    "steps fall": (_service("rollout", {"steps": ["50%", "20%", "100%"]}), "steps-not-ascending"),
    "steps end early": (_service("rollout", {"steps": ["5%", "50%"]}), "steps-end"),
    "goal in wrong unit": (_service("scale", {"on": "latency", "goal": 8}), "goal-unit"),
    "bare duration": (_service("drain", 30), "bad-duration"),
    "strange duration": (_service("drain", "30 parsecs"), "bad-duration"),
    "bare size": (_service("resources", {"memory": 512}), "bad-size"),
    "share without sign": (_service("objective", {"availability": 0.999}), "bad-percentage"),
    "quoted number": (_service("rollout", {"surge": "1"}), "bad-number"),
    "yes for a flag": (_service("resilience", {"hedge": "yes"}), "bad-flag"),
    "file for a module": (_service("env", {"PORT": 1}), "reserved-variable"),
    "way out of folder": (_service("folder", "../other"), "bad-folder"),
    "wild JSON path": (_service("checks", [{"get": "/", "expect": {"json": "$..x"}}]), "bad-json-path"),
    "open regular expression": (
        _service("checks", [{"get": "/", "expect": {"matches": "("}}]),
        "bad-pattern",
    ),
    "path without slash": (_service("route", "search"), "bad-path"),
    "unknown key": (_service("replica", 3), "unknown-key"),
    "empty value": (_service("health", None), "missing-value"),
    "list for a mapping": (_service("replicas", [1, 2]), "wrong-type"),
    "item twice": (_service("needs", ["twice", "twice"]), "duplicate-item"),
    "port out of range": (_root("gateway", {"port": 80_800}), "out-of-range"),
    "no such zone": (_root("timezone", "Europe/Berln"), "unknown-timezone"),
    "euros": (_root("budget", "500 EUR/month"), "unsupported-currency"),
    "no period": (_root("budget", "500 USD"), "bad-money"),
    "empty window": (_root("freeze", ["Fri 18:00 - Fri 18:00"]), "bad-freeze"),
    "four fields": (_root("jobs", {"j": {"command": "x", "schedule": "0 2 * *"}}), "bad-schedule"),
    "day that never comes": (
        _root("jobs", {"j": {"command": "x", "schedule": "0 0 31 2 *"}}),
        "bad-schedule",
    ),
    "newer version": (_root("version", 2), "unsupported-version"),
    "no default site": (_root("sites", {"a": {}, "b": {}}), ""),
    "deleted before archived": (
        _root("stores", {"s": {"kind": "object", "lifecycle": {"archive": "9d", "delete": "3d"}}}),
        "deleted-first",
    ),
    "copies kept too short": (
        _root("stores", {"s": {"kind": "object", "backup": {"every": "9d", "keep": "3d"}}}),
        "kept-too-short",
    ),
}


def _meaning(made: Draft, chance: Random) -> Mutant:
    change, code = MEANINGS[chance.choice(sorted(MEANINGS))]
    data = copy.deepcopy(made.data)
    change(data, made)
    return text_of(data, chance), code


MUTATORS: dict[str, Callable[[Draft, Random], Mutant]] = {
    "bombs": _bombs,
    "bytes": _bytes,
    "characters": _characters,
    "lines": _lines,
    "meaning": _meaning,
    "structure": _structure,
}

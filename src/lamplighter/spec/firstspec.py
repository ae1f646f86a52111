"""Writing a first spec from a guess: commented, sound, and saying what was seen and why. Pure."""

import re

from lamplighter.spec.prototype import Guess, Way

OTHERS_MAX = 4
WIDTH = 96

_FOOT = """
# More that can be said, all of it optional: docs/reference/spec.md
# budget: 500 USD/month
# freeze: ["Fri 18:00 - Mon 08:00"]        # no new release over the weekend
# guards: {actions: 120, window: 10m, at_risk: 50%}
"""


def first_spec(guess: Guess) -> str:
    """Return the text of a first lamp.yaml. It passes `lamp check` whatever the prototype is."""
    lines = ["# Written by lamp init, from what it saw in this folder:", *_seen(guess), "#"]
    lines += ["# lamp check   says whether this is sound", "# lamp plan    shows what lamp up would do", ""]
    lines += ["version: 1", f"system: {_plain(guess.name)}", ""]
    lines += _services(guess) if guess.ways else [] if guess.agents else _empty()
    lines += ["", *_pool(guess)] if guess.ways and guess.agents else _pool(guess) if guess.agents else []
    if guess.secrets and (guess.ways or guess.agents):
        lines += ["", *_secrets(guess)]
    return "\n".join(lines) + "\n" + _FOOT


def saw(guess: Guess) -> tuple[str, ...]:
    """Return what was seen, a line each, for a person: places, what they are, and what was taken."""
    ways = [f"{each.where}: {each.why}" for each in guess.ways[: OTHERS_MAX + 1]]
    agents = [f"{each.where}: {each.why}" for each in guess.agents[: OTHERS_MAX + 1]]
    health = [f"{guess.health.where}: a health page, {guess.health.name}"] if guess.health else []
    secrets = [f"{each.where}: {each.name} looks like a secret" for each in guess.secrets]
    return (*ways, *agents, *health, *secrets, *guess.saw)


def _seen(guess: Guess) -> list[str]:
    found = [_comment(each) for each in saw(guess)]
    return [f"#   {each}" for each in found] or ["#   nothing that it knows"]


def _comment(text: str) -> str:
    """Return text that can stand in a comment: one line, printable."""
    one = "".join(each if each.isprintable() else "?" for each in text)
    return one if len(one) <= WIDTH else one[: WIDTH - 1] + "…"


def _plain(text: str) -> str:
    """Return text as a YAML scalar, in double quotes unless it is plainly safe without."""
    safe = re.fullmatch(r"[A-Za-z_./][\w./@+ =$:-]*[\w./$]|[A-Za-z_.]", text) and not re.search(
        r":(\s|$)| #|  ", text
    )
    if safe and text.lower() not in ("true", "false", "null", "yes", "no", "on", "off"):
        return text
    escaped = "".join(
        each if each.isprintable() and each not in '"\\' else f"\\U{ord(each):08x}" for each in text
    )
    return f'"{escaped}"'


def _services(guess: Guess) -> list[str]:
    way = guess.ways[0]
    lines = ["services:", "  web:", f"    # {_comment(f'{way.why}, seen in {way.where}')}"]
    lines += [f"    # {_comment(each)}" for each in way.notes]
    lines += [f"    {way.key}: {_plain(way.text)}"]
    lines += [f"    # or: {_comment(f'{each.key}: {each.text}   ({each.where})')}" for each in _others(guess)]
    lines += _surroundings(guess, way)
    lines += _numbers(way)
    lines += _health(guess, way)
    return [
        *lines,
        "    route: /                               # the path on the gateway, http://127.0.0.1:8080",
    ]


def _pool(guess: Guess) -> list[str]:
    """Return a pool with every module of agents that was seen."""
    first = guess.agents[0]
    modules = ", ".join(_plain(each.text) for each in guess.agents)
    lines = ["agents:", "  swarm:", "    # what talks to each other lives in one pool; reached by"]
    lines += ["    # POST /agents/KIND/ID on the gateway, http://127.0.0.1:8080"]
    lines += [f"    agent: {modules if len(guess.agents) == 1 else f'[{modules}]'}"]
    lines += _surroundings(guess, first)
    return [*lines, "    replicas: {min: 2, max: 4}"]


def _others(guess: Guess) -> tuple[Way, ...]:
    return guess.ways[1 : OTHERS_MAX + 1]


def _surroundings(guess: Guess, way: Way) -> list[str]:
    lines = [f"    folder: {_plain(way.folder)}"] if way.folder != "." else []
    if guess.lock:
        version = f', version: "{guess.python}"' if guess.python else ""
        lines.append(f"    python: {{requirements: {guess.lock}{version}}}")
    else:
        lines.append(
            "    # python: {requirements: requirements.txt}   # a lock file makes releases repeatable"
        )
    if way.python_path:
        lines.append(f"    env: {{PYTHONPATH: {_plain(way.python_path)}}}")
    if guess.variables:
        names = ", ".join(guess.variables[:8])
        lines.append(f"    # {_comment(f'it also reads {names}: set what it needs under env:')}")
    if guess.secrets:
        lines.append(f"    secrets: [{', '.join(sorted(_named(guess)))}]")
    return lines


def _numbers(way: Way) -> list[str]:
    if way.single:
        return ["    replicas: 1"]
    return [
        "    # two, so that one can die without a gap; four under load. Write 1 if it keeps state in memory.",
        "    replicas: {min: 2, max: 4}",
        "    scale: {on: in_flight, goal: 8}        # requests that one replica handles at a time",
    ]


def _health(guess: Guess, way: Way) -> list[str]:
    if way.health:
        return [f"    health: {{path: {way.health}}}"]
    if guess.health:
        place = _comment(f"seen in {guess.health.where}; it must answer 200")
        return [f"    # {place}", f"    health: {{path: {_plain(guess.health.name)}}}"]
    return [
        "    # no health page was seen. Add one that answers 200 once the service can do its work:",
        "    # health: {path: /healthz}",
    ]


def _secret(variable: str) -> str:
    """Return the secret's name: its variable in lower case, from its first letter on."""
    return variable.lower().lstrip("_0123456789")[:63] or "secret"


def _named(guess: Guess) -> dict[str, str]:
    """Return the variable of each secret, by the secret's name; the first of one name is kept."""
    return {_secret(each.name): each.name for each in reversed(guess.secrets)}


def _secrets(guess: Guess) -> list[str]:
    lines = ["# read from these variables of the shell that runs lamp up, never written down", "secrets:"]
    for name, variable in sorted(_named(guess).items()):
        key = "" if name.upper() == variable else f", key: {variable}"
        lines.append(f"  {name}: {{from: env{key}}}")
    return lines


def _empty() -> list[str]:
    return [
        "# Nothing was found that serves requests. Take the lines below as a start:",
        "services: {}",
        "# services:",
        "#   web:",
        "#     app: main:app                        # an ASGI app (FastAPI, Starlette, ...), or instead:",
        "#     command: python server.py            # any program that listens on $PORT",
        "#     python: {requirements: requirements.txt}",
        "#     replicas: {min: 2, max: 4}",
        "#     health: {path: /healthz}",
        "#     route: /",
    ]

"""The written reference of the command line, made from its grammar, so that neither can drift from the other.

`python -m lamplighter.faces.cli.reference` prints it, to be kept as docs/reference/cli.md.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator

from lamplighter.faces.cli.parser import EXIT_CODES, parser

SHARED_BY_MIN = 5
"""An option that so many commands have is described once for all."""

_HEAD = """\
# Commands

This page is made from the program's own grammar; `python -m lamplighter.faces.cli.reference` prints it anew.
`lamp COMMAND --help` says the same on a terminal.

"""


def reference() -> str:
    """Return the reference as Markdown: exit codes, shared options, then each command."""
    commands = _commands()
    counted = Counter(_names(each) for command in commands.values() for each in _options(command))
    shared = {name for name, count in counted.items() if count >= SHARED_BY_MIN}
    lines = [*_exit_codes(), *_shared(commands, shared)]
    for name, command in commands.items():
        lines += _section(name, command, shared)
    return _HEAD + "\n".join(lines) + "\n"


def _commands() -> dict[str, argparse.ArgumentParser]:
    """Return each command's own parser, in the order of `lamp --help`."""
    for action in parser()._actions:  # noqa: SLF001 - argparse has no public way to its own grammar
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return {
                f"{name} {verb}".rstrip(): each
                for name, command in action.choices.items()
                for verb, each in _verbs(command).items()
            }
    raise AssertionError("lamp has commands")


def _verbs(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands under a command; itself, without a name, where there are none."""
    for action in command._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    return {"": command}


def _exit_codes() -> list[str]:
    return ["## Exit codes", "", "```text", *EXIT_CODES.splitlines(), "```", ""]


def _shared(commands: dict[str, argparse.ArgumentParser], shared: set[str]) -> list[str]:
    known = {_names(each): each for command in commands.values() for each in _options(command)}
    return ["## Options of most commands", "", *_table([known[each] for each in known if each in shared]), ""]


def _section(name: str, command: argparse.ArgumentParser, shared: set[str]) -> list[str]:
    there = list(_options(command))
    own = [each for each in there if _names(each) not in shared]
    also = ", ".join(f"`{each.option_strings[-1]}`" for each in there if _names(each) in shared)
    epilog = str(command.epilog).splitlines()
    return [
        f"## lamp {name}",
        "",
        str(command.description),
        "",
        "```",
        epilog[1].strip(),
        "```",
        "",
        *([*_table(own), ""] if own else []),
        f"Also: {also}.",
        "",
    ]


def _options(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in command._actions:  # noqa: SLF001
        if not isinstance(action, argparse._HelpAction):  # noqa: SLF001
            yield action


def _names(action: argparse.Action) -> str:
    """Return an option with what it takes, or what an argument stands for, as the user writes it."""
    value = "" if action.nargs == 0 else str(action.metavar or action.dest)
    if not action.option_strings:
        return f"[{value}]" if action.nargs == "?" else value
    return f"{', '.join(action.option_strings)} {value}".rstrip()


def _table(actions: list[argparse.Action]) -> list[str]:
    rows = [f"| `{_names(each)}` | {each.help} |" for each in actions]
    return ["| | |", "|---|---|", *rows]


if __name__ == "__main__":
    sys.stdout.write(reference())

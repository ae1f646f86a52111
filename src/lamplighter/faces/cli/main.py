"""Where `lamp` starts: parse, hand over to one command, turn errors into words and exit codes.

Each command's module is imported only when it is called, so that `lamp --help` starts at once.
"""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Sequence

from lamplighter.faces.cli.parser import parser

INTERRUPTED = 130


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words of the command line, without the program's name (default: those of the process).

    Returns:
        The exit code, as `lamp --help` documents it.
    """
    asked = parser().parse_args(arguments)
    from lamplighter.model.errors import LampError

    try:
        command = importlib.import_module(f"lamplighter.faces.cli.commands.{asked.command}")
        return int(command.run(asked))
    except LampError as error:
        _tell(error, as_json=asked.json)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:  # noqa: BLE001 - the edge of the process: a fault of ours, said as such
        _confess()
        return 1


def _tell(error: "LampError", *, as_json: bool) -> None:  # type: ignore[name-defined]  # noqa: F821
    from lamplighter.faces.cli.render.faults import fault_json, fault_text

    if as_json:
        faults = [fault_json(each) for each in error.faults()]
        print(json.dumps({"error": error.code, "exit_code": error.exit_code, "faults": faults}))
        return
    for each in error.faults():
        print(fault_text(each), file=sys.stderr)


def _confess() -> None:
    """Say that Lamplighter itself failed, and where; the user did nothing wrong."""
    trace = traceback.format_exc()
    print(f"lamp: a fault of Lamplighter, not of yours:\n{trace}", file=sys.stderr)

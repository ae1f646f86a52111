"""Which system a command is about: the spec here, or a system by name."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from lamplighter.app.places import only_system, state_of
from lamplighter.app.project import SPEC, Project, load
from lamplighter.faces.cli.render.faults import fault_text
from lamplighter.model.errors import UserError
from lamplighter.model.system import System
from lamplighter.spec import overlay


def project(asked: argparse.Namespace) -> Project:
    """Return the project that a command was asked about. Raises SpecError, UserError."""
    return load(asked.spec, asked.site)


def system(asked: argparse.Namespace) -> tuple[str, Path]:
    """Return a system's name and its state folder: by name, by the spec, or the only one there is.

    Raises:
        UserError: it is not clear which is meant, or nothing is known of it here.
    """
    name, state = name_and_state(asked)
    if not state.is_dir():
        raise UserError(
            f"nothing is known of a system {name} here", code="unknown-system", mend="start it: lamp up"
        )
    return name, state


def name_and_state(asked: argparse.Namespace) -> tuple[str, Path]:
    """Return a system's name and where its state would stand, known here or not. Raises UserError."""
    name = asked.system
    if not name:
        name = project(asked).system.name if asked.spec or Path(SPEC).exists() else only_system()
    return name, state_of(name)


def policy(file: str) -> Callable[[System], System]:
    """Return what lays a part of a spec, read from a file, over a system. Raises UserError (`no-policy`)."""
    try:
        over = Path(file).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}", code="no-policy") from error
    return lambda system: overlay(system, over, over_file=file).at(system.default_site)


def warn(found: Project) -> None:
    """Print what is legal but doubtful in a spec to standard error."""
    import sys

    for each in found.warnings:
        print(fault_text(each, warning=True), file=sys.stderr)


def say(line: str) -> None:
    """Tell a person what goes on, apart from the answer itself."""
    print(line, file=sys.stderr, flush=True)

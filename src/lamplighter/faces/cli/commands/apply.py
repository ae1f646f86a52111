"""`lamp apply PLAN`: carry out a plan, unless the facts that it was made from have changed."""

import argparse
from pathlib import Path

from lamplighter.app.deploy import read_plan, require_room
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.commands.up import carry_out
from lamplighter.model.errors import UserError
from lamplighter.model.value import digest


def run(asked: argparse.Namespace) -> int:
    """Apply a plan file.

    Raises:
        ConflictError: facts, files or spec have changed since; exit code 3.
    """
    try:
        content = Path(asked.plan).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {asked.plan}: {error.strerror}", code="bad-plan") from error
    planned = read_plan(content, asked.plan)
    found = chosen.project(asked)
    if digest(found.system) != planned.plan.spec:
        raise _changed(found.file.name)
    require_room(found, planned.system)
    return carry_out(found, planned, asked, fenced=True)


def _changed(name: str) -> Exception:
    from lamplighter.model.errors import ConflictError

    return ConflictError(
        f"{name} has changed since the plan was made", code="spec-changed", mend="make a new one: lamp plan"
    )

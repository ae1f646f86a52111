"""`lamp plan`: what `up` would change; 3 if there is anything, 0 if not."""

import argparse
from pathlib import Path

from lamplighter.app.deploy import make_plan
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.render.output import print_json
from lamplighter.faces.cli.render.plan import plan_text
from lamplighter.model.errors import ConflictError, EnvironmentFault
from lamplighter.model.value import encode


def run(asked: argparse.Namespace) -> int:
    """Show the plan, and write it where asked."""
    found = chosen.project(asked)
    planned = make_plan(found)
    if asked.out:
        try:
            Path(asked.out).write_bytes(encode(planned))
        except OSError as error:
            raise EnvironmentFault(
                f"cannot write {asked.out}: {error.strerror}", code="not-writable"
            ) from error
    if asked.json:
        print_json(planned.plan)
    else:
        chosen.warn(found)
        print(plan_text(planned.plan))
    return ConflictError.exit_code if planned.plan.steps else 0

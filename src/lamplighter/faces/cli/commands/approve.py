"""`lamp approve ACTION`: a person's yes to one exact action and its facts."""

import argparse
from uuid import uuid4

from lamplighter.app.upkeep import ask, ensure_maintainer
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.render.output import print_json
from lamplighter.model.intents import Approve


def run(asked: argparse.Namespace) -> int:
    """Approve one action; refused if it no longer waits, or its facts have changed."""
    name, state = chosen.system(asked)
    ask(ensure_maintainer(state, name), Approve(id=f"approve-{uuid4().hex[:12]}", action=asked.action))
    if asked.json:
        print_json({"approved": asked.action})
    else:
        print(f"approved: {asked.action}   lamp explain {asked.action}")
    return 0

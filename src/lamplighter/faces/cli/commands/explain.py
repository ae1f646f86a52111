"""`lamp explain ACTION`: why it was taken or not, over what, on which evidence, and what came of it."""

import argparse

from lamplighter.app.answering import reached
from lamplighter.app.reading import explanation_from_stores
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.render.ledger import explanation_text
from lamplighter.faces.cli.render.output import print_json
from lamplighter.model.errors import UnreachableError


def run(asked: argparse.Namespace) -> int:
    """Explain one action."""
    name, state = chosen.system(asked)
    try:
        found = reached(state, name).explanation(asked.action)
    except UnreachableError:
        found = explanation_from_stores(state, asked.action)
    if asked.json:
        print_json(found)
    else:
        print(explanation_text(found))
    return 0

"""`lamp status`: what runs, how it stands, and what is not known since when."""

import argparse

from lamplighter.app.answering import reached
from lamplighter.app.reading import status_from_stores
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.render.output import print_json
from lamplighter.faces.cli.render.status import status_text
from lamplighter.model.errors import HeldError, UnreachableError


def run(asked: argparse.Namespace) -> int:
    """Show the status; 5 where the loop holds because nothing can be recorded."""
    name, state = chosen.system(asked)
    try:
        found = reached(state, name).status()
    except UnreachableError:
        found = status_from_stores(state, name)
    if asked.json:
        print_json(found)
    else:
        print(status_text(found))
    return HeldError.exit_code if found.held else 0

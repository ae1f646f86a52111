"""`lamp down`: drain and end everything of a system, and wait until it is gone."""

import argparse
from uuid import uuid4

from lamplighter.app.upkeep import (
    ask,
    end_idle_maintainer,
    end_leftovers,
    ensure_maintainer,
    nothing_up,
    wait_until_down,
)
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.live import View
from lamplighter.faces.cli.render.output import print_json
from lamplighter.model.intents import Down


def run(asked: argparse.Namespace) -> int:
    """Take the system down; 0 at once if it is down already."""
    name, state = chosen.name_and_state(asked)
    if end_leftovers(state, name, asked.wait):
        return _told(name, as_json=asked.json)
    name, state = chosen.system(asked)
    if nothing_up(state, name):
        end_idle_maintainer(state)
        return _told(name, as_json=asked.json)
    client = ensure_maintainer(state, name)
    view = View(client, quiet=asked.json)
    ask(client, Down(id=f"down-{uuid4().hex[:12]}"))
    wait_until_down(state, client, asked.wait, view.show)
    return _told(name, as_json=asked.json)


def _told(name: str, *, as_json: bool) -> int:
    if as_json:
        print_json({"system": name, "down": True})
    else:
        print(f"{name} is down; its ledger, recording, releases and logs are kept")
    return 0

"""`lamp rollback NAME`: bring a service back to an earlier release, and wait until it is there."""

import argparse
from uuid import uuid4

from lamplighter.app.upkeep import Standing, ask, ensure_maintainer, maintained, wait
from lamplighter.app.views import Status
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.live import View
from lamplighter.faces.cli.render.output import print_json
from lamplighter.model.intents import Rollback


def run(asked: argparse.Namespace) -> int:
    """Roll back and wait."""
    name, state = chosen.system(asked)
    client = ensure_maintainer(state, name)
    view = View(client, quiet=asked.json)
    before = {each.name: each.stable for each in client.status().workloads}.get(asked.name, "")
    ask(client, Rollback(id=f"rollback-{uuid4().hex[:12]}", workload=asked.name, to=asked.to))
    status = wait(
        maintained(client, state, chosen.say), lambda seen: _standing(seen, asked.name), asked.wait, view.show
    )
    stable = next(each.stable for each in status.workloads if each.name == asked.name)
    if asked.json:
        print_json({"service": asked.name, "from": before, "to": stable})
    else:
        print(f"{asked.name} is on {stable}")
    return 0


def _standing(status: Status, name: str) -> Standing:
    """Settled once no rollout is under way and all that is wanted of the service is ready."""
    view = next((each for each in status.workloads if each.name == name), None)
    if view is None:
        return Standing(settled=False, missing=f"{name} is not there")
    busy = view.rollout is not None and not view.rollout.verdict
    wanted = sum(view.wanted.values())
    settled = not busy and not status.pending and view.ready >= wanted > 0 and view.draining == 0
    return Standing(settled=settled, missing=f"{name}: {view.ready} of {wanted} ready")

"""`lamp up`: plan, confirm, cut the releases, have a maintainer, hand it the intent, and watch."""

import argparse
import sys
from collections.abc import Iterator

from lamplighter.app.client import Client
from lamplighter.app.deploy import Planned, cut_releases, make_plan, require_room, up_intent
from lamplighter.app.project import Project
from lamplighter.app.upkeep import ask, deployed, ensure_maintainer, looks, maintained, take_over, wait
from lamplighter.app.views import Status
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.live import View
from lamplighter.faces.cli.render.output import print_json
from lamplighter.faces.cli.render.plan import plan_text
from lamplighter.faces.cli.render.status import status_text
from lamplighter.model.errors import UserError

DECLINED = 130


def run(asked: argparse.Namespace) -> int:
    """Bring the system up, or to what the spec now says."""
    found = chosen.project(asked)
    planned = make_plan(found)
    require_room(found, planned.system)
    if not asked.json:
        chosen.warn(found)
        print(plan_text(planned.plan))
    if planned.plan.steps and not _confirmed(asked):
        print("nothing was changed")
        return DECLINED
    return carry_out(found, planned, asked, fenced=False)


def carry_out(found: Project, planned: Planned, asked: argparse.Namespace, *, fenced: bool) -> int:
    """Cut the releases, submit the intent, and wait until it has come about."""
    cut_releases(found, planned, chosen.say)
    take_over(found.state, chosen.say)
    client = ensure_maintainer(found.state, planned.system.name)
    view = View(client, quiet=asked.json)
    try:
        ask(client, up_intent(planned, fenced=fenced))
        looked = maintained(client, found.state, chosen.say)
        status = _watch(looked, planned, view, asked.wait)
        if not getattr(asked, "detach", True) and not asked.json:
            _stay(client, view)
    except KeyboardInterrupt:
        return _detached(client)
    return _told(status, as_json=asked.json)


def _watch(looked: Iterator[Status | None], planned: Planned, view: View, wait_s: float) -> Status:
    releases = planned.plan.releases
    bakes_s = sum(len(each.rollout.steps) * each.rollout.bake_s for each in planned.system.services.values())
    return wait(
        looked, lambda status: deployed(planned.system, releases, status), wait_s + bakes_s, view.show
    )


def _stay(client: Client, view: View) -> None:
    """Watch until the maintainer ends or Ctrl-C."""
    for status in looks(client):
        if status is None:
            print("the maintainer is gone; `lamp up` starts another")
            return
        view.show(status)


def _detached(client: Client) -> int:
    print("\ndetached: the maintainer goes on. `lamp up` shows it again, `lamp down` ends it.")
    return 0 if client.running() else 1


def _told(status: Status, *, as_json: bool) -> int:
    if as_json:
        print_json(status)
    elif not sys.stdout.isatty():
        print(status_text(status))
    return 0


def _confirmed(asked: argparse.Namespace) -> bool:
    """Ask a person, unless told not to.

    Raises:
        UserError: there is nobody to ask (`needs-confirmation`).
    """
    if asked.yes:
        return True
    if not sys.stdin.isatty() or asked.json:
        raise UserError(
            "there are changes and nobody to confirm them", code="needs-confirmation", mend="add -y"
        )
    return input("carry this out? [y/N] ").strip().lower() in ("y", "yes")

"""Checkers by themselves: each says no to what must not be, and nothing to what had every reason."""

import pytest

from lamplighter.model.actions import Contract, Scale, Shift
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.facts import Facts
from lamplighter.model.history import History
from lamplighter.model.intents import Answer, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.targets.simulated import App, Demand, World
from lamplighter.targets.simulated.journal import Applied, Standing, Truth
from lamplighter.testing.builders import facts, system, up
from lamplighter.testing.checkers import ScaledDownRightly
from lamplighter.testing.checkers.seen import could_serve
from lamplighter.testing.witness import Witness

BUSY = App(service_s=0.1, start_s=1.0, demand=Demand(points=((0.0, 400.0),), noise=0.0))
"""Forty requests in flight: five replicas' work."""


def applied(seen: Facts, *replicas: Standing) -> Applied:
    """Return a shift that took effect while the world stood like this, and facts said that."""
    truth = Truth(60.0, replicas, {"search": {"r1": 1.0}}, "")
    action = Shift(workload="search", shares={"r1": 1.0})
    return Applied(60.0, 60.0, action, "a-1", 1, "maintainer", seen, truth, truth)


def test_one_that_vanished_from_the_list_is_not_held_to_serve() -> None:
    """It passed its checks until a moment ago; listed without a word of its checks it might do so still."""
    gone = Standing("search-2", "search", "r1", False, False, False, True, 59.0)
    missed, listed = applied(facts(search=[up]), gone), applied(facts(search=[up, up]), gone)
    assert (False, True) == (could_serve(gone, missed), could_serve(gone, listed))


@pytest.mark.parametrize(("ordered", "violations"), [("r1", 1), ("r2", 0)])
def test_release_that_makes_way_is_not_scaled_down(ordered: str, violations: int) -> None:
    """What is taken from a release by a rollout of another one is not for the load to say."""
    world = World(apps={"search": BUSY})
    witness, checker = Witness(world), ScaledDownRightly()
    for number in range(5):
        world.start(f"search-{number}", "search", "r1", "a-0")
    world.shift("search", {"r1": 1.0})
    world.advance(500.0)
    scale = Scale(workload="search", release="r1", replicas=2, stops=("search-1", "search-2", "search-3"))
    chosen = Proposal(
        "rollout", Priority.ROLLOUT, "search/r1", scale, Contract(gain="", deadline_s=1.0), because=""
    )
    decision = Decision(id="a-1", at=500.0, subject="search/r1", chosen=chosen, state="act", basis="")
    order = Up(id="up", system=system(search=(2, 6)), releases={"search": ordered})
    told = (Inputs(now=0.0, facts=Facts(at=0.0), intents=(order,)), Answer(intent="up", accepted=True))
    witness.heard(told[0], Result(answers=(told[1],), decisions=(decision,)), History(), recorded=True)
    event = Applied(500.0, 500.0, scale, "a-1", 1, "", None, world.truth(), world.truth())
    witness.recorded["a-1"] = 500.0
    assert violations == len(list(checker.look(event, witness)))

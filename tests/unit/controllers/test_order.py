"""Order: what is proposed comes in the order of names, in whichever order it is remembered or listed."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import Why
from lamplighter.controllers.housekeeping import housekeeping
from lamplighter.controllers.numbers import Numbers
from lamplighter.controllers.repair import repair
from lamplighter.controllers.rollout import failure, rollout, scales
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.controllers.teardown import removal, teardown
from lamplighter.model.actions import Scale, Shares
from lamplighter.model.decisions import Priority, Verdict
from lamplighter.model.facts import Facts
from lamplighter.model.history import History, RolloutState, WorkloadHistory
from lamplighter.model.system import Guards, System
from lamplighter.testing.builders import NOW, crashed, facts, hung, of, service, system, up

WEB = service("web", 2)
DOWN = replace(system(web=WEB), guards=Guards(at_risk=1.0))
THERE = [of(name) for name in ("r3", "r1", "r2")]
WHY = Why("toy", Priority.SCALING, "a test")


def seen(known: Facts, **shares: float) -> Survey:
    """Return what is seen of `web`, with these shares."""
    return Survey(trusted(replace(known, shares={"web": shares} if shares else {}), NOW), NOW)


def remembering(wanted: dict[str, int], in_force: System = DOWN, **web: object) -> History:
    """Return a history in which releases are settled in this order."""
    memory = WorkloadHistory(stable="r1", capacity=2, wanted=wanted)
    return History(system=in_force, workloads={"web": replace(memory, **web)})


def subjects(verdict: Verdict) -> list[str]:
    """Return what is proposed on what."""
    return [each.subject for each in verdict.proposals]


@pytest.mark.parametrize("order", [("r3", "r2", "r1"), ("r2", "r1", "r3"), ("r1", "r2", "r3")])
def test_numbers_are_changed_in_the_order_of_releases(order: tuple[str, ...]) -> None:
    """By rollout and by scaling, which both take them from here."""
    memory = WorkloadHistory(stable="r1", capacity=2, wanted=dict.fromkeys(order, 1))
    made = scales(seen(facts(web=THERE)), WEB, memory, Numbers(dict.fromkeys(order, 2)), WHY)
    assert ["web/r1", "web/r2", "web/r3"] == [each.subject for each in made]


@pytest.mark.parametrize("order", [("r3", "r2", "r1"), ("r2", "r1", "r3")])
def test_dead_are_found_in_the_order_of_releases(order: tuple[str, ...]) -> None:
    """By the release first, whichever was settled first."""
    dead = [of(name, crashed) for name in ("r3", "r1", "r2")]
    verdict = repair(DOWN, seen(facts(web=dead)), remembering(dict.fromkeys(order, 1), stable=""))
    assert ["web-2", "web-3", "web-1"] == subjects(verdict)


@pytest.mark.parametrize("order", [("r3", "r2", "r1"), ("r2", "r1", "r3")])
def test_what_is_too_many_goes_in_the_order_of_releases(order: tuple[str, ...]) -> None:
    """Two live of each, one is settled."""
    fixed = service("web", 3)
    wanted = replace(system(web=fixed), guards=Guards(at_risk=1.0))
    history = remembering(dict.fromkeys(order, 1), wanted)
    verdict = housekeeping(wanted, seen(facts(web=THERE * 2, wanted=wanted)), history)
    assert ["web/r1", "web/r2", "web/r3"] == subjects(verdict)


@pytest.mark.parametrize("order", [("r3", "r2", "r1"), ("r2", "r1", "r3")])
def test_what_ends_goes_in_the_order_of_names(order: tuple[str, ...]) -> None:
    """Workloads, their releases, and the replicas of each; what is settled and never came, too."""
    there = facts(web=[*THERE, of("r1")], db=[of("r1"), of("r1")])
    workloads = {
        "web": WorkloadHistory(wanted=dict.fromkeys((*order, "r9"), 1)),
        "db": WorkloadHistory(wanted={"r1": 2}),
    }
    history = History(system=DOWN, workloads=workloads, stopping=NOW)
    expected = [
        ("db/r1", ("db-1", "db-2")),
        ("web/r1", ("web-2", "web-4")),
        ("web/r2", ("web-3",)),
        ("web/r3", ("web-1",)),
        ("web/r9", ()),
    ]
    assert expected == _ended(teardown(DOWN, seen(there), history))
    left = removal(system(api=1), seen(there), history)
    assert expected == _ended(left)


def _ended(verdict: Verdict) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.subject, each.action.stops) for each in verdict.proposals if isinstance(each.action, Scale)]


def test_replicas_that_end_are_told_in_the_order_of_their_names() -> None:
    """However they are listed."""
    listed = facts(web=[up, up, up])
    turned = replace(listed, replicas=listed.replicas[::-1])
    history = replace(remembering({"r1": 3}), stopping=NOW)
    assert [("web/r1", ("web-1", "web-2", "web-3"))] == _ended(teardown(DOWN, seen(turned), history))


def test_shares_that_a_drain_rests_on_are_in_order() -> None:
    """A gateway may tell them in any."""
    wanted = system(web=service("web", 1))
    history = remembering({"r1": 1, "r3": 1}, wanted)
    here = seen(facts(web=[of("r1"), of("r3")], wanted=wanted), r3=0.0, r1=1.0)
    (drained,) = [each for each in rollout(wanted, here, history).proposals if each.subject == "web/r3"]
    (stand,) = [each for each in drained.contract.needs if isinstance(each, Shares)]
    assert [("r1", 1.0), ("r3", 0.0)] == [*stand.shares.items()]


def test_lower_number_that_is_met_already_stops_nobody() -> None:
    """One of two has gone: the number alone is settled anew."""
    wanted = system(web=service("web", 1))
    history = remembering({"r1": 2}, wanted, capacity=1)
    here = seen(facts(web=[up], wanted=wanted), r1=1.0)
    lowered = Scale(
        workload="web", release="r1", replicas=1, stops=(), drain_s=wanted.services["web"].drain_s
    )
    assert [lowered] == [each.action for each in rollout(wanted, here, history).proposals]


@pytest.mark.parametrize("late", [0, 1, 2])
def test_candidate_fails_by_whichever_was_never_ready(late: int) -> None:
    """The first of its replicas or the last."""
    shapes = [of("r2", hung if at == late else up) for at in range(3)]
    state = RolloutState(candidate="r2", stable="r1", started_at=1.0)
    names = [f"web-{at + 1}" for at in range(3)]
    ready = {name: 1.0 for at, name in enumerate(names) if at != late}
    memory = WorkloadHistory(
        stable="r1", first_ready=ready, not_ready_since={names[late]: 1.0}, rollout=state
    )
    reason = failure(memory, state, WEB, seen(facts(web=shapes), r1=1.0), History())
    assert f"{names[late]} was not ready 60 s after its start" == reason

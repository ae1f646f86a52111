"""The sums of an exchange and of scaling, at their bounds."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers import contracts
from lamplighter.controllers.contracts import Why
from lamplighter.controllers.load import Demand
from lamplighter.controllers.numbers import Exchange, Side, _counts, _made_room, _share
from lamplighter.controllers.repair import repair
from lamplighter.controllers.scaling import _followed
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.model.actions import Scale
from lamplighter.model.decisions import Priority
from lamplighter.model.facts import Facts
from lamplighter.model.history import WorkloadHistory
from lamplighter.model.system import Health
from lamplighter.testing.builders import NOW, Shape, facts, hung, of, service, settled, system, up

ALL = Exchange(taker="r2", giver="r1")
HALF = Exchange(taker="r2", giver="r1", goal=0.5, keep=True)
WHOLE = Side("r1", 4, 4, 4, 4)


def taker(wanted: int, there: int, ready: int) -> Side:
    """Return a release that gains traffic."""
    return Side("r2", wanted, there, ready, ready)


@pytest.mark.parametrize(
    ("move", "side", "room", "counts"),
    [
        (ALL, taker(2, 0, 0), 4, (2, 2)),
        (ALL, taker(2, 2, 0), 4, (2, 4)),
        (HALF, taker(2, 0, 0), 4, (2, 4)),
        (HALF, taker(2, 2, 1), 4, (2, 3)),
        (ALL, taker(2, 2, 1), 6, (2, 4)),
        (ALL, taker(2, 2, 2), 6, (2, 2)),
        (HALF, taker(2, 2, 2), 6, (2, 4)),
        (HALF, taker(2, 2, 2), 5, (2, 3)),
    ],
)
def test_numbers_in_the_middle_of_an_exchange(
    move: Exchange, side: Side, room: int, counts: tuple[int, int]
) -> None:
    """Half of the traffic is the taker's: what it does not carry yet the giver does, if there is room."""
    assert counts == _counts(move, (side, WHOLE), 4, room, 0.5)


@pytest.mark.parametrize(
    ("move", "side", "up_to", "giver", "share"),
    [
        (HALF, taker(4, 4, 2), 4, WHOLE, 0.5),
        (HALF, taker(2, 2, 1), 2, WHOLE, 0.25),
        (HALF, taker(1, 1, 1), 1, WHOLE, 0.25),
        (HALF, taker(2, 2, 1), 2, Side("r1", 4, 0, 0, 0), 0.5),
        (HALF, taker(2, 2, 1), 2, Side("r1", 4, 0, 0, 1), 0.25),
        (HALF, taker(2, 2, 0), 2, Side("r1", 4, 0, 0, 0), 0.25),
        (ALL, taker(4, 4, 3), 4, WHOLE, 0.75),
        (ALL, taker(4, 4, 1), 4, WHOLE, 0.25),
        (ALL, taker(4, 4, 3), 4, Side("r1", 4, 4, 0, 0), 1.0),
    ],
)
def test_share_that_is_ready_to_be_carried(
    move: Exchange, side: Side, up_to: int, giver: Side, share: float
) -> None:
    """The goal once all that it needs is ready, or nothing else can serve; else what is ready, never less."""
    assert share == _share(move, (side, giver), up_to, 4, 0.25)


@pytest.mark.parametrize(
    ("ready", "stable", "capacity", "room", "numbers"),
    [
        (0, 8, 4, 9, {"r2": 2, "r1": 5}),
        (0, 4, 4, 5, {"r2": 2, "r1": 4}),
        (2, 4, 4, 5, {"r2": 2, "r1": 2}),
        (4, 4, 4, 5, {"r2": 2, "r1": 1}),
        (4, 4, 4, 4, {"r2": 2, "r1": 0}),
        (0, 1, 4, 9, {"r2": 4, "r1": 1}),
    ],
)
def test_what_is_left_of_stable_once_all_traffic_is_the_candidates(
    ready: int, stable: int, capacity: int, room: int, numbers: dict[str, int]
) -> None:
    """What there is room for, or what makes up for those of the candidate that do not serve yet."""
    former = Side("r1", stable, stable, stable, stable)
    assert numbers == _made_room(taker(2, 2, ready), former, capacity, room)


@pytest.mark.parametrize(
    ("calm", "panic", "total"), [(0.5, 2.5, 3), (0.5, 1.5, 2), (2.5, 0.5, 3), (0.1, 0.1, 1), (3.9, 3.9, 5)]
)
def test_as_few_as_the_higher_of_both_windows_needs(calm: float, panic: float, total: int) -> None:
    """Neither the last seconds nor the last minute may ask for more."""
    web = service("web", (1, 8))
    here = Survey(trusted(facts(web=[up] * 5), NOW), NOW)
    memory = WorkloadHistory(stable="r1", capacity=5, wanted={"r1": 5})
    assert total == _followed(here, web, memory, Demand(calm=calm, panic=panic))[0]


SLOW = service("web", 2, health=Health(start_timeout_s=20.0, unhealthy_after_s=3.0))


def found(known: Facts, **web: object) -> list[str]:
    """Return what repair finds of `web`."""
    history = settled(system(web=SLOW))
    history = replace(history, workloads={"web": replace(history.workloads["web"], **web)})
    verdict = repair(system(web=SLOW), Survey(trusted(known, NOW), NOW), history)
    return [f"{each.kind} {each.subject}" for each in verdict.findings]


@pytest.mark.parametrize(("age_s", "kinds"), [(19.9, []), (20.0, ["replica-not-ready web-1"])])
def test_one_that_never_served_is_given_its_start_timeout(age_s: float, kinds: list[str]) -> None:
    """To the moment."""
    known = facts(web=[Shape(ready=False, started_at=NOW - age_s), up])
    assert kinds == found(known, not_ready_since={"web-1": 1.0}, first_ready={"web-2": 1.0})


@pytest.mark.parametrize(
    ("shapes", "shares", "kinds"),
    [
        ((of("r0", hung), of("r0")), {}, ["replica-unresponsive web-1"]),
        ((of("r0", hung), of("r0", hung)), {}, []),
        ((of("r0", hung), of("r0")), {"r1": 1.0}, []),
        ((of("r0", hung), of("r0", hung)), {"r0": 1.0}, ["replica-unresponsive web-1"]),
    ],
)
def test_release_that_is_left_is_let_go_once_it_is_dark(
    shapes: tuple[Shape, ...], shares: dict[str, float], kinds: list[str]
) -> None:
    """It gets no traffic, or none of it serves where no shares are set; until then it is looked after."""
    known = replace(facts(web=shapes), shares={"web": shares})
    ill = {"first_ready": {"web-1": 1.0}, "not_ready_since": {"web-1": 1.0}, "wanted": {"r0": 2}}
    assert kinds == found(known, **ill)


def test_share_of_nothing_carries_nothing() -> None:
    """A release with a share of nought is none that gets traffic: what is at stake is counted without it."""
    known = replace(facts(web=[up, up, of("r2"), of("r2")]), shares={"web": {"r1": 1.0, "r2": 0.0}})
    here = Survey(trusted(known, NOW), NOW)
    scale = Scale(workload="web", release="r1", replicas=1, stops=("web-1",))
    made = contracts.shrink(here, scale, Why("toy", Priority.SAVING, "a test"), sources=())
    assert (2, 0.5) == (here.carrying("web"), made.contract.blast_radius)

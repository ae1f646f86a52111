"""Contracts: what each action needs, brings about, puts at stake and is undone by, whole."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers import contracts
from lamplighter.controllers.contracts import EVERY_SOURCE, Timing, Why
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.model.actions import (
    Broken,
    Configure,
    Configured,
    Contract,
    Dismantle,
    Forget,
    Gone,
    Heard,
    Live,
    Ready,
    Replace,
    Scale,
    Serving,
    Shares,
    Shift,
)
from lamplighter.model.decisions import Priority, Proposal
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC
from lamplighter.model.value import digest
from lamplighter.testing.builders import NOW, crashed, draining, facts, hung, of, system, up

WHY = Why("toy", Priority.SCALING, "a test", capacity=4, ordered_by="ann")
TIMING = Timing(start_s=20.0, drain_s=5.0)
MARGIN_S = 30.0
PROC, WELL, TOLD = (Heard(source=each) for each in (PROCESSES, HEALTH, TRAFFIC))


def survey(shares: dict[str, float] | None = None, *shapes: object) -> Survey:
    """Return what is seen: two of r1 that serve and one that hangs, one of r2."""
    seen = facts(web=shapes or (up, up, hung, of("r2")))  # type: ignore[arg-type]
    return Survey(trusted(replace(seen, shares={"web": {"r1": 1.0} if shares is None else shares}), NOW), NOW)


def scale(to: int, *stops: str, release: str = "r1", **changes: object) -> Scale:
    """Return a Scale of `web`."""
    plain = Scale(workload="web", release=release, replicas=to, stops=stops, drain_s=5.0)
    return replace(plain, **changes)


def about(proposal: Proposal) -> tuple[object, Contract]:
    """Return subject and action, and the contract without its words."""
    assert ("toy", Priority.SCALING, "a test", 4, "ann") == (
        proposal.controller,
        proposal.priority,
        proposal.because,
        proposal.capacity,
        proposal.ordered_by,
    )
    assert proposal.contract.gain
    return (proposal.subject, proposal.action), replace(proposal.contract, gain="")


def plain(**changes: object) -> Contract:
    """Return a contract that promises nothing."""
    return replace(Contract(gain=""), **changes)


def test_configure() -> None:
    """The target has to say that it was set so, within the margin."""
    wanted = system(web=1)
    done = plain(expects=(Configured(digest=digest(wanted)),), deadline_s=MARGIN_S)
    assert (("gateway", Configure(system=wanted)), done) == about(contracts.configure(wanted, WHY))


@pytest.mark.parametrize("controller", ["rollout", "scaling"])
def test_grow(controller: str) -> None:
    """All are to be ready in the time of a start; only scaling goes back, to the number that was settled."""
    made = contracts.grow("web", "r1", (2, 3, 5), replace(WHY, controller=controller), TIMING)
    undo = scale(2) if controller == "scaling" else None
    done = plain(
        needs=(PROC,),
        expects=(Ready(workload="web", release="r1", at_least=5),),
        deadline_s=20.0 + MARGIN_S,
        undo=undo,
    )
    assert ("web/r1", scale(5, starts=("", ""))) == (made.subject, made.action)
    assert done == replace(made.contract, gain="")


@pytest.mark.parametrize(
    ("shares", "release", "blast"),
    [
        ({"r1": 1.0}, "r1", 0.3333),
        ({"r1": 1.0}, "r2", 0.0),
        ({"r1": 0.5, "r2": 0.5}, "r2", 0.25),
        ({"r1": 1.0, "r2": 0.0}, "r2", 0.0),
        ({}, "r2", 0.25),
    ],
)
def test_shrink_puts_its_part_of_what_carries_the_traffic_at_stake(
    shares: dict[str, float], release: str, blast: float
) -> None:
    """What gets no traffic costs nothing; where no shares are set, every release gets some."""
    stop = scale(1, "web-1", release=release)
    made = contracts.shrink(survey(shares), stop, WHY, sources=(PROCESSES,), needs=(WELL,))
    done = plain(
        needs=(PROC, WELL),
        expects=(Live(workload="web", release=release, exactly=1),),
        deadline_s=5.0 + MARGIN_S,
        blast_radius=blast,
        destructive=True,
    )
    assert ((f"web/{release}", stop), done) == about(made)


def test_shrink_to_save_needs_all_to_be_heard_and_each_to_stand_as_it_did() -> None:
    """One that served must serve still, one that failed must fail still."""
    made = contracts.shrink(survey(), scale(1, "web-1", "web-3"), WHY, sources=EVERY_SOURCE)
    stand = (Serving(replica="web-1"), Broken(replica="web-3"))
    assert ((PROC, WELL, TOLD, *stand), 0.6667) == (made.contract.needs, made.contract.blast_radius)


@pytest.mark.parametrize(("stops", "lives"), [(("web-1",), [1]), ((), [])])
def test_shrink_waits_to_be_seen_only_where_something_is_stopped(
    stops: tuple[str, ...], lives: list[int]
) -> None:
    """Where fewer live than that anyway it would never be so, and repair would wait for it."""
    made = contracts.shrink(survey(), scale(1, *stops), WHY, sources=(PROCESSES,))
    assert lives == [each.exactly for each in made.contract.expects if isinstance(each, Live)]


def test_shrink_of_what_nobody_carries_puts_nothing_at_stake() -> None:
    """With nothing alive there is no capacity to take a part of."""
    gone = contracts.shrink(survey(None, crashed), scale(0), WHY, sources=(PROCESSES,))
    assert 0.0 == gone.contract.blast_radius


@pytest.mark.parametrize("blast", [0.0, 0.33333])
def test_substitute(blast: float) -> None:
    """Replacing the dead destroys nothing and needs no word of health; replacing the living does."""
    needs = (Broken(replica="web-3"),)
    made = contracts.substitute(survey().replicas["web-3"], blast, WHY, TIMING, needs)
    done = plain(
        needs=(PROC, WELL, *needs) if blast else (PROC, *needs),
        expects=(Gone(replica="web-3"), Serving(replica="")),
        deadline_s=20.0 + 5.0 + MARGIN_S,
        blast_radius=round(blast, 4),
        destructive=bool(blast),
    )
    action = Replace(workload="web", release="r1", replica="web-3", start="", drain_s=5.0)
    assert (("web-3", action), done) == about(made)


def test_spare() -> None:
    """A successor is one more, destroys nothing, and has to serve in the time of a start."""
    made = contracts.spare(survey().replicas["web-3"], 3, WHY, TIMING)
    done = plain(needs=(PROC,), expects=(Serving(replica=""),), deadline_s=20.0 + MARGIN_S)
    assert (("web-3", scale(4, starts=("",))), done) == about(made)


@pytest.mark.parametrize(("replica", "serves"), [("web-1", True), ("web-3", False)])
def test_release_spare(replica: str, serves: bool) -> None:  # noqa: FBT001
    """Its successor must serve, it must stand as it does, and as many be ready as were."""
    made = contracts.release_spare(survey(), scale(3, replica), "web-2", WHY)
    stands = Serving(replica=replica) if serves else Broken(replica=replica)
    ready = Ready(workload="web", release="r1", at_least=2)
    done = plain(
        needs=(PROC, WELL, *((TOLD,) if serves else ()), Serving(replica="web-2"), stands, ready),
        expects=(Gone(replica=replica),),
        deadline_s=5.0 + MARGIN_S,
        blast_radius=0.3333,
        destructive=True,
    )
    assert ((replica, scale(3, replica)), done) == about(made)


@pytest.mark.parametrize(
    ("before", "after", "gaining"),
    [
        ({"r1": 1.0}, {"r1": 0.75, "r2": 0.25}, {"r2": 1}),
        ({"r1": 0.5, "r2": 0.5}, {"r1": 1.0, "r2": 0.0}, {"r1": 2}),
        ({}, {"r1": 1.0}, {"r1": 2}),
        ({"r1": 1.0}, {"r3": 1.0}, {"r3": 1}),
        ({"r1": 0.5, "r2": 0.5}, {"r1": 0.5, "r2": 0.5}, {}),
    ],
)
def test_shift(before: dict[str, float], after: dict[str, float], gaining: dict[str, int]) -> None:
    """Who gains must be ready, as many as are now and one at least; undone is what was set before."""
    made = contracts.shift(survey(before), "web", after, WHY)
    wanted = {each: share for each, share in after.items() if share}
    ready = (Ready(workload="web", release=each, at_least=least) for each, least in gaining.items())
    done = plain(
        needs=(WELL, *ready),
        expects=(Shares(workload="web", shares=wanted),),
        deadline_s=15.0,
        undo=Shift(workload="web", shares=before) if before else None,
    )
    assert (("web", Shift(workload="web", shares=wanted)), done) == about(made)


def test_forget_and_dismantle() -> None:
    """Records go while processes are heard; the end needs nothing, promises nothing and destroys."""
    records = contracts.forget(("web-9",), WHY)
    done = plain(needs=(PROC,), deadline_s=MARGIN_S)
    assert (("records", Forget(replicas=("web-9",))), done) == about(records)
    end = contracts.dismantle("sim", WHY)
    last = plain(deadline_s=60.0, destructive=True)
    assert (("gateway", Dismantle(system="sim")), last) == about(end)


@pytest.mark.parametrize(
    ("shapes", "stops", "to", "spares"),
    [
        ((up, up, hung), ("web-3",), 2, True),
        ((up, up, hung), ("web-1",), 2, False),
        ((up, up, up), ("web-1",), 2, True),
        ((up, up, up), ("web-1", "web-2"), 2, False),
        ((hung, hung, hung), ("web-1",), 2, True),
        ((up, hung, replace(up, ready=None)), ("web-3",), 1, True),
        ((up, hung, replace(up, ready=None)), ("web-3",), 2, False),
        ((up, replace(up, ready=None)), ("web-1",), 1, False),
    ],
)
def test_what_is_stopped_spares_as_many_as_are_to_stay(
    shapes: tuple[object, ...], stops: tuple[str, ...], to: int, *, spares: bool
) -> None:
    """So many others are known to be ready, or what is stopped is known not to serve."""
    there = facts(web=shapes).replicas  # type: ignore[arg-type]
    assert spares == contracts.spared(there, stops, to)


def test_what_drains_is_no_part_of_what_is_at_stake() -> None:
    """A replica on its way out carries nothing any more."""
    assert 3 == survey(None, up, up, hung, draining).carrying("web")


@pytest.mark.parametrize(
    ("shapes", "stops", "to", "spares"),
    [
        ((up, hung), ("web-1",), 1, False),
        ((hung, up), ("web-1",), 2, True),
        ((up, up), ("web-1",), 1, True),
        ((hung, hung), ("web-1",), 1, True),
    ],
)
def test_what_does_not_serve_is_spared_by_nobody(
    shapes: tuple[object, ...], stops: tuple[str, ...], to: int, *, spares: bool
) -> None:
    """To stop it takes nothing away, however few serve; to stop the last that serves does."""
    assert spares == contracts.spared(survey(None, *shapes).replicas.values(), stops, to)


@pytest.mark.parametrize(
    ("shares", "count"), [({"r1": 1.0, "r2": 0.0}, 3), ({"r2": 1.0}, 1), ({}, 4), ({"r1": 0.0}, 4)]
)
def test_who_has_a_share_carries(shares: dict[str, float], count: int) -> None:
    """A share of nothing is none; where none is set all carry."""
    assert count == survey(shares).carrying("web")


@pytest.mark.parametrize(
    ("before", "dark"),
    [
        ({"r1": 0.5, "r2": 0.5}, {Broken(replica="web-2")}),
        ({"r1": 1.0, "r2": 0.0}, set()),
        ({"r1": 0.5, "r3": 0.5}, {Live(workload="web", release="r3", exactly=0)}),
    ],
)
def test_only_who_loses_all_has_to_be_as_dark_as_it_was(before: dict[str, float], dark: set[object]) -> None:
    """Who keeps some may serve again any time; who had nothing loses nothing."""
    made = contracts.shift(survey(before, hung, of("r2", hung)), "web", {"r1": 1.0}, WHY)
    assert dark == {each for each in made.contract.needs if isinstance(each, Broken | Live)}

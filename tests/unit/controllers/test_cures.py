"""Cures: what is done about a replica that lives and is not well, with room, with others, with successors."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.repair import repair, successors
from lamplighter.controllers.scaling import bounded, scaling
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.model.actions import Broken, Idle, Ready, Replace, Scale
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.facts import HEALTH, Exit, Facts, Load
from lamplighter.model.history import History, Pending, RolloutState, Sample
from lamplighter.model.system import Guards, Resources, System
from lamplighter.testing.builders import NOW, Shape, crashed, facts, hung, of, service, settled, system, up

WEB = service("web", (2, 4), resources=Resources(memory_bytes=100))
WANTED = system(web=WEB)
ILL = {"first_ready": {"web-1": 1.0, "web-2": 1.0}, "not_ready_since": {"web-1": 1.0}}
BIG = {"first_ready": {"web-1": 1.0}, "over_memory_since": {"web-1": 1.0}}
UNKNOWN = replace(up, ready=None)


def noting(wanted: System, /, **web: object) -> History:
    """Return the history of a system at rest, with something noted of `web`."""
    history = settled(wanted)
    return replace(history, workloads={"web": replace(history.workloads["web"], **web)})


def proposed(known: Facts, history: History, wanted: System = WANTED) -> list[Proposal]:
    """Return what repair proposes."""
    survey = Survey(trusted(known, NOW), NOW, history.pending)
    return list(repair(wanted, survey, history).proposals)


def done(known: Facts, history: History, wanted: System = WANTED) -> list[str]:
    """Return it in words: who is swapped, gets a successor, or is drained for one."""
    words = []
    for each in proposed(known, history, wanted):
        action = each.action
        swapped = isinstance(action, Replace)
        verb = "swap" if swapped else "spare" if isinstance(action, Scale) and action.starts else "drain"
        words.append(f"{verb} {each.subject}")
    return words


@pytest.mark.parametrize(
    ("shapes", "noted", "words"),
    [
        ((hung, up), ILL, ["swap web-1"]),
        ((hung, hung), ILL, ["spare web-1"]),
        ((hung, UNKNOWN), ILL, ["spare web-1"]),
        ((up, up), BIG, ["spare web-1"]),
        ((up, up, up), BIG, []),
        ((hung, up, up), ILL, ["swap web-1"]),
        ((up, up), {**BIG, "over_memory_since": {"web-1": 1.0, "web-2": 1.0}}, ["spare web-1"]),
        (
            (hung, hung, up),
            {**ILL, "not_ready_since": {"web-1": 1.0, "web-2": 1.0}},
            ["swap web-1", "swap web-2"],
        ),
    ],
)
def test_cure_by_who_else_serves(
    shapes: tuple[Shape, ...], noted: dict[str, object], words: list[str]
) -> None:
    """Replaced where others serve; a successor first where none does, or where it serves itself."""
    assert words == done(facts(web=shapes), noting(WANTED, **noted))


@pytest.mark.parametrize(
    ("high", "surge", "coming", "words"),
    [
        (2, 1, 0, ["spare web-1"]),
        (2, 0, 0, ["swap web-1"]),
        (2, 1, 1, ["swap web-1"]),
        (3, 1, 1, ["spare web-1"]),
    ],
)
def test_successor_needs_room(high: int, surge: int, coming: int, words: list[str]) -> None:
    """Within `max` and `surge`, what is only coming counted; without it the hung one makes room itself."""
    plain = service("web", (2, high), scale=None)
    wanted = system(web=replace(plain, rollout=replace(plain.rollout, surge=surge)))
    history = noting(wanted, **ILL)
    if coming:
        start = Scale(workload="web", release="r2", replicas=1, starts=("web-9",))
        history = replace(history, pending={"a-1": pending(start, "web/r2")})
    assert words == done(facts(web=[hung, hung]), history, wanted)


def pending(action: object, subject: str) -> Pending:
    """Return an action on its way."""
    (chosen,) = proposed(facts(web=[crashed, up]), noting(WANTED))
    chosen = replace(chosen, action=action, subject=subject)
    decision = Decision(id="a-1", at=NOW, subject=subject, chosen=chosen, state="act", basis="b")
    return Pending(decision=decision, outcome="accepted")


def test_what_is_being_replaced_is_not_replaced_again() -> None:
    """Its action is on its way, and says whom it is about."""
    swap = Replace(workload="web", release="r1", replica="web-1", start="web-3")
    history = replace(noting(WANTED, **ILL), pending={"a-1": pending(swap, "web-1")})
    assert [] == done(facts(web=[hung, up]), history)


THREE = {"replaced": {"web-1": "web-3"}}


@pytest.mark.parametrize(
    ("shapes", "noted", "words"),
    [
        ((hung, up, up), ILL, ["drain web-1"]),
        ((up, up, up), BIG, ["drain web-1"]),
        ((up, hung, up), BIG, []),
        ((UNKNOWN, up, up), BIG, []),
        ((up, up, hung), BIG, []),
        ((up, up, UNKNOWN), BIG, []),
        ((hung, up, of("r1", hung)), ILL, []),
        ((crashed, up, up), {}, []),
    ],
)
def test_one_that_has_a_successor_is_drained_once_that_serves(
    shapes: tuple[Shape, ...], noted: dict[str, object], words: list[str]
) -> None:
    """And while as many as `min` serve without it, if it serves itself; known so, either way."""
    assert words == done(facts(web=shapes), noting(WANTED, **noted, **THREE))


def test_successor_that_does_not_answer_either_is_replaced_where_it_stands() -> None:
    """Others wait for it; it waits for nobody."""
    noted = {"first_ready": {"web-1": 1.0, "web-2": 1.0}, "not_ready_since": {"web-1": 1.0, "web-2": 1.0}}
    history = noting(system(web=service("web", 1)), **noted, replaced={"web-1": "web-2"})
    assert ["swap web-2"] == done(facts(web=[hung, hung]), history, system(web=service("web", 1)))


@pytest.mark.parametrize(
    ("replaced", "pairs"),
    [
        ({"web-1": "web-2"}, {"web-1": "web-2"}),
        ({"web-1": "web-3"}, {}),
        ({"web-1": "web-9"}, {}),
        ({"web-1": "web-3", "web-3": "web-2"}, {"web-1": "web-2"}),
        ({"web-3": "web-1"}, {}),
        ({"web-1": "web-2", "web-2": "web-1"}, {"web-1": "web-2", "web-2": "web-1"}),
        ({"web-4": "web-1"}, {}),
    ],
)
def test_successors_are_followed_to_the_last(replaced: dict[str, str], pairs: dict[str, str]) -> None:
    """Of those that live, of this release; one that is gone, or never came, is nobody's successor."""
    survey = Survey(trusted(facts(web=[up, up, crashed, of("r2")]), NOW), NOW)
    found = successors(settled_with(replaced), survey, "web", "r1")
    assert pairs == {name: each.id if each else "" for name, each in found.items()}


def settled_with(replaced: dict[str, str]) -> object:
    """Return a memory of who took whose place."""
    return replace(settled(WANTED).workloads["web"], replaced=replaced)


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (None, "has ended"),
        (Exit(at=1.0), "has ended"),
        (Exit(at=1.0, code=0), "ended with code 0"),
        (Exit(at=1.0, code=3), "ended with code 3"),
        (Exit(at=1.0, signal=9), "was ended by signal 9"),
        (Exit(at=1.0, code=1, signal=9), "was ended by signal 9"),
    ],
)
def test_how_it_ended_is_said_as_far_as_it_is_known(end: Exit | None, how: str) -> None:
    """A signal says more than a code."""
    (found,) = proposed(facts(web=[replace(crashed, exit=end), up]), noting(WANTED))
    assert (f"web-1 {how}", (Broken(replica="web-1"),)) == (found.because, found.contract.needs[1:])
    assert ("repair", Priority.REPAIR) == (found.controller, found.priority)


def test_the_newest_death_is_made_good_first() -> None:
    """As many as are missing; equals in the order of their names."""
    noted = {"ended": {"web-1": 3.0, "web-2": 9.0, "web-3": 9.0}, "wanted": {"r1": 2}}
    assert ["swap web-2", "swap web-3"] == done(facts(web=[crashed] * 3), noting(WANTED, **noted))


# --- scaling, the way down


CALM = (Sample(at=0.0, in_flight=0.0, readings=9),)


def fewer(*shapes: Shape, at_risk: float = 1.0, low: int = 1, **noted: object) -> list[Proposal]:
    """Return what scaling proposes for as many idle replicas as there are."""
    wanted = replace(system(web=(low, 9)), guards=Guards(at_risk=at_risk))
    count = len(shapes)
    known = replace(facts(web=shapes, wanted=wanted), loads={"web": Load(in_flight=0, rate_per_s=0.0)})
    history = noting(wanted, **{"capacity": count, "wanted": {"r1": count}, "samples": CALM, **noted})
    return list(scaling(wanted, Survey(trusted(known, NOW), NOW, history.pending), history).proposals)


@pytest.mark.parametrize(
    ("shapes", "at_risk", "to"),
    [
        ((up, up, up, up), 1.0, [1]),
        ((up, up, up, up), 0.5, [2]),
        ((up, up, up, up), 0.25, [3]),
        ((up, up, up, up), 0.1, [3]),
        ((up, up, up, hung), 1.0, [1]),
        ((up, up, up, UNKNOWN), 1.0, []),
        ((hung, hung, hung, hung), 1.0, []),
    ],
)
def test_down_as_far_as_may_be_at_risk_and_as_is_known_to_be_left(
    shapes: tuple[Shape, ...], at_risk: float, to: list[int]
) -> None:
    """What stays is ready; as many as are ready now must be so still when it is done."""
    found = fewer(*shapes, at_risk=at_risk)
    assert to == [each.action.replicas for each in found] == [each.capacity for each in found]  # type: ignore[union-attr]
    ready = sum(each.ready is True for each in shapes)
    assert all(Ready(workload="web", release="r1", at_least=ready) in each.contract.needs for each in found)


def test_down_waits_for_whatever_is_under_way_on_the_workload() -> None:
    """Also for replicas that are only coming."""
    share = pending(Replace(workload="web", release="r1", replica="web-1", start="web-9"), "web-1")
    wanted = system(web=(1, 9))
    history = replace(noting(wanted, capacity=3, wanted={"r1": 3}, samples=CALM), pending={"a-1": share})
    known = facts(web=[up] * 3, wanted=wanted)
    assert () == scaling(wanted, Survey(trusted(known, NOW), NOW, history.pending), history).proposals


def test_to_zero_puts_nothing_at_risk_and_needs_to_be_idle_still() -> None:
    """There is no request; what comes then waits for a replica."""
    (found,) = fewer(up, low=0, idle_since=-999.0)
    assert (0, 0.0, 0) == (found.action.replicas, found.contract.blast_radius, found.capacity)  # type: ignore[union-attr]
    assert Idle(workload="web") in found.contract.needs


@pytest.mark.parametrize(
    ("load", "up_to"),
    [
        (None, 0),
        (Load(in_flight=0), 0),
        (Load(queued=1), 1),
        (Load(in_flight=16), 2),
        (Load(in_flight=17), 3),
        (Load(queued=99), 4),
    ],
)
def test_from_zero_as_many_as_what_waits_needs(load: Load | None, up_to: int) -> None:
    """On the first reading, one at least and `max` at the most."""
    wanted = system(web=(0, 4))
    known = replace(facts(web=[], wanted=wanted), loads={"web": load} if load else {})
    history = noting(wanted, capacity=0, wanted={"r1": 0})
    found = scaling(wanted, Survey(trusted(known, NOW), NOW), history).proposals
    assert ([up_to] if up_to else []) == [each.capacity for each in found]


@pytest.mark.parametrize(
    ("replicas", "total", "within"), [((2, 4), 1, 2), ((2, 4), 3, 3), ((2, 4), 9, 4), (3, 9, 3), (3, 1, 3)]
)
def test_total_stays_within_the_bounds_of_the_spec(
    replicas: int | tuple[int, int], total: int, within: int
) -> None:
    """Without an autoscaler it is `min`."""
    assert within == bounded(service("web", replicas), total)


def test_fixed_number_says_nothing_of_its_load() -> None:
    """Where `min` is `max` no load is needed, and none is missed."""
    fixed = system(web=replace(service("web", (2, 3)), replicas=service("web", 2).replicas))
    known = replace(facts(web=[up, up], wanted=fixed), loads={})
    assert () == scaling(fixed, Survey(trusted(known, NOW), NOW), settled(fixed)).findings
    silent = facts(web=[up, up], wanted=fixed, silent={HEALTH: 1.0})
    assert () == scaling(fixed, Survey(trusted(silent, NOW), NOW), settled(fixed)).findings


@pytest.mark.parametrize(
    ("hidden", "words"), [({}, ["spare web-1"]), ({"web-9": 59.0}, []), ({"web-8": 59.0, "web-9": 59.0}, [])]
)
def test_what_serves_and_is_too_large_waits_where_the_room_is_not_certain(
    hidden: dict[str, float], words: list[str]
) -> None:
    """Who has only just dropped out of the list may take the room for its successor, or may be gone."""
    five = [up] * 4
    noted = {**BIG, "unlisted_since": hidden, "wanted": {"r1": 4 + len(hidden)}}
    assert words == done(facts(web=five), noting(WANTED, **noted))


LEFT = {"wanted": {"r1": 2, "r2": 1}, "first_ready": {"web-3": 1.0}, "not_ready_since": {"web-3": 1.0}}


@pytest.mark.parametrize(
    ("noted", "shares", "words"),
    [
        ({}, {"r1": 1.0}, []),
        ({}, {"r1": 0.5, "r2": 0.5}, ["swap web-3"]),
        ({"rollout": RolloutState(candidate="r2", stable="r1")}, {"r1": 1.0}, ["swap web-3"]),
        ({"rollout": RolloutState(candidate="r2", stable="r1", verdict="failed")}, {"r1": 1.0}, []),
        ({"stable": ""}, {"r1": 1.0}, ["swap web-3"]),
        ({}, {}, []),
    ],
)
def test_what_is_to_go_altogether_is_not_cured(
    noted: dict[str, object], shares: dict[str, float], words: list[str]
) -> None:
    """Another release has taken its place, and its traffic: a new replica of it would only be drained."""
    known = replace(facts(web=[up, up, of("r2", hung)]), shares={"web": shares})
    assert words == done(known, noting(WANTED, **{**LEFT, **noted}))

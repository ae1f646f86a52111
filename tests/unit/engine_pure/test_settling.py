"""Settling: who wins, who loses to whom and why, what waits, and what a decision rests on."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from lamplighter.controllers import contracts
from lamplighter.controllers.contracts import Timing, Why
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.settle import Settled, settle
from lamplighter.model.actions import Replace, Scale, Serving
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.facts import PROCESSES, Facts, Phase, Source
from lamplighter.model.history import History, Pending, RolloutState
from lamplighter.testing.builders import NOW, crashed, draining, facts, settled, system, up

TIMING = Timing(start_s=20.0, drain_s=5.0)
WANTED = system(web=(2, 6), db=(2, 6))
FOUR = facts(web=[up] * 4, db=[up] * 2)
KNOWN = Survey(trusted(FOUR, NOW), NOW)
AT_REST = settled(WANTED, web=4)
OF = {"scaling": Priority.SCALING, "rollout": Priority.ROLLOUT, "repair": Priority.REPAIR}


def why(controller: str) -> Why:
    """Return who proposes, with what right."""
    return Why(controller, OF.get(controller, Priority.SAVING), "a test")


def more(to: int, controller: str = "scaling", workload: str = "web", now: int = 4) -> Proposal:
    """Return a proposal to have more."""
    return contracts.grow(workload, "r1", (now, now, to), why(controller), TIMING)


def fewer(to: int, *stops: str, controller: str = "scaling", subject: str = "web/r1") -> Proposal:
    """Return a proposal to have fewer."""
    scale = Scale(workload="web", release="r1", replicas=to, stops=stops, drain_s=5.0)
    return replace(contracts.shrink(KNOWN, scale, why(controller), sources=()), subject=subject)


def swap(replica: str, blast: float = 0.25) -> Proposal:
    """Return a proposal to replace one."""
    return contracts.substitute(KNOWN.replicas[replica], blast, why("repair"), TIMING, ())


def share(**shares: float) -> Proposal:
    """Return a proposal to share the traffic of `web`."""
    return contracts.shift(KNOWN, "web", shares, why("rollout"))


def forget(*records: str, controller: str = "housekeeping") -> Proposal:
    """Return a proposal to drop records."""
    return replace(contracts.forget(records, why(controller)), subject=f"records of {controller}")


def outcome(
    *proposals: Proposal, history: History = AT_REST, known: Facts = FOUR
) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return who won on what, and who lost to it with which words."""
    pending = history.pending
    found = settle([*proposals], history, Survey(trusted(known, NOW), NOW, pending))
    return [(*_who(each.decision.chosen), _lost(each)) for each in found]


def _who(proposal: Proposal) -> tuple[str, str]:
    return proposal.controller, proposal.subject


def _lost(settled: Settled) -> list[tuple[str, str]]:
    return [(each.proposal.controller, each.reason) for each in settled.decision.lost]


FIRST, FORGOT = "repair (repair) was settled first on ", "a (saving) was settled first on "
SPARED = fewer(4, "web-1", controller="repair", subject="web-1")


@pytest.mark.parametrize(
    ("one", "other", "lost"),
    [
        (more(5, "repair"), more(6), [("scaling", FIRST + "web/r1")]),
        (swap("web-1"), fewer(3, "web-1"), [("scaling", FIRST + "web-1")]),
        (swap("web-1"), fewer(3, "web-2"), None),
        (swap("web-1", 0.0), fewer(3, "web-2"), [("scaling", FIRST + "web-1")]),
        (swap("web-1", 0.0), more(5), None),
        (
            fewer(4, "web-1", controller="repair", subject="web-1"),
            fewer(3, "web-2"),
            [("scaling", FIRST + "web-1")],
        ),
        (share(r1=1.0), fewer(3, "web-1"), [("scaling", "rollout (rollout) was settled first on web")]),
        (
            share(r1=1.0),
            replace(share(r1=0.5, r2=0.5), controller="scaling"),
            [("scaling", "rollout (rollout) was settled first on web")],
        ),
        (share(r1=1.0), fewer(3, "web-1", controller="rollout"), None),
        (share(r1=1.0), more(5), None),
        (
            forget("a", "b", controller="a"),
            forget("b", controller="b"),
            [("b", "a (saving) was settled first on records of a")],
        ),
        (forget("a", controller="a"), forget("b", controller="b"), None),
        (more(5), more(3, workload="db", now=2), None),
    ],
)
def test_who_loses_to_whom(one: Proposal, other: Proposal, lost: list[tuple[str, str]] | None) -> None:
    """In whichever order they are proposed; None: both are settled."""
    for proposals in ((one, other), (other, one)):
        found = outcome(*proposals)
        assert (1 if lost else 2, lost or []) == (len(found), found[0][2])
        assert _who(one) == found[0][:2] or lost is None


def test_order_is_by_priority_then_controller_then_subject() -> None:
    """Equal proposals of two controllers: the first in the alphabet; whatever the order they come in."""
    made = [more(5, "b"), more(6, "a"), more(3, "a", "db", 2), swap("web-2"), swap("web-1")]
    order = [("repair", "web-1"), ("repair", "web-2"), ("a", "db/r1"), ("a", "web/r1")]
    assert order == [each[:2] for each in outcome(*made)] == [each[:2] for each in outcome(*reversed(made))]


TAKEN = [("scaling", "rollout took the last room within max and surge first")]


@pytest.mark.parametrize(
    ("first", "settles"),
    [
        (6, [("rollout", "web/r1", []), ("scaling", "web/r2", [])]),
        (7, [("rollout", "web/r1", TAKEN)]),
        (8, [("scaling", "web/r2", [])]),
    ],
)
def test_room_is_max_and_surge(first: int, settles: list[object]) -> None:
    """Six and one; who takes the last of it is named, and what alone is too much takes none."""
    candidate = contracts.grow("web", "r2", (0, 0, 1), why("scaling"), TIMING)
    assert settles == outcome(more(first, "rollout"), candidate, known=facts(web=[up] * 4))


@pytest.mark.parametrize(
    ("web", "blast", "settles"),
    [([up] * 7, 0.0, False), ([up] * 6, 0.0, True), ([up] * 6 + [crashed], 0.0, True), ([up] * 7, 0.3, True)],
)
def test_room_is_for_what_lives(web: list[object], blast: float, *, settles: bool) -> None:
    """A successor of one that is dead needs a place; one that is replaced alive leaves its own."""
    known = facts(web=web)  # type: ignore[arg-type]
    history = settled(WANTED, web=6)
    assert settles == bool(outcome(swap("web-1", blast), history=history, known=known))


def test_room_counts_what_was_ordered_to_stop_until_that_is_answered() -> None:
    """It may live on: only an answer makes room."""
    stop = fewer(3, "web-4")
    for answer, found in ((None, 0), ("accepted", 1)):
        pending = Pending(decision=_decided(stop), outcome=answer)  # type: ignore[arg-type]
        history = replace(settled(WANTED, web=3), pending={"a-1": pending})
        three = contracts.grow("web", "r2", (0, 0, 4), why("rollout"), TIMING)
        assert found == len(outcome(three, history=history))


def _decided(chosen: Proposal) -> Decision:
    return Decision(id="a-1", at=NOW - 1, subject=chosen.subject, chosen=chosen, state="act", basis="b")


def under_way(chosen: Proposal) -> History:
    """Return a history with an action on its way that was accepted."""
    return replace(AT_REST, pending={"a-1": Pending(decision=_decided(chosen), outcome="accepted")})


DOWN, STOP = why("teardown"), contracts.dismantle("sim", why("teardown"))


@pytest.mark.parametrize(
    ("old", "new", "overtakes"),
    [
        (more(5), more(6), True),
        (more(5), more(5), False),
        (more(5), more(6, "repair"), False),
        (more(5), fewer(3, "web-1", controller="housekeeping"), False),
        (fewer(0, "web-1"), fewer(0, "web-1", controller="teardown"), True),
        (share(r1=1.0), share(r1=0.5, r2=0.5), True),
        (share(r1=1.0), share(r1=1.0), False),
        (forget("a"), forget("b"), False),
        (contracts.configure(WANTED, DOWN), contracts.configure(system(web=1), DOWN), True),
        (contracts.configure(WANTED, DOWN), contracts.configure(WANTED, DOWN), False),
        (contracts.configure(WANTED, DOWN), STOP, True),
        (STOP, contracts.configure(WANTED, DOWN), False),
        (swap("web-1"), swap("web-1", 0.0), False),
    ],
)
def test_what_overtakes_and_what_waits(old: Proposal, new: Proposal, *, overtakes: bool) -> None:
    """Another number by an owner of numbers, other shares, another gateway, the end; all else waits."""
    history = under_way(old)
    found = settle([new], history, Survey(trusted(FOUR, NOW), NOW, history.pending))
    assert [("a-1",)] * overtakes == [each.overtakes for each in found]


def test_nothing_is_settled_on_what_the_facts_are_behind_on() -> None:
    """Its own workload waits, and so does the end of everything; others go on."""
    memory = replace(AT_REST.workloads["web"], answered_at=NOW)
    history = replace(AT_REST, workloads={**AT_REST.workloads, "web": memory})
    known = replace(FOUR, sources={**FOUR.sources, PROCESSES: Source(observed_at=NOW - 1)})
    survey = Survey(trusted(known, NOW), NOW)
    survey.catch_up(history.workloads)
    found = settle([more(5), more(3, workload="db", now=2), STOP, forget("a")], history, survey)
    assert {"db/r1", "records of housekeeping"} == {each.decision.subject for each in found}


def test_names_go_on_from_the_last_and_each_is_used_once() -> None:
    """In the order of what is settled, for each workload by itself, also where a successor expects one."""
    found = settle([more(6), swap("web-1"), more(3, workload="db", now=2)], AT_REST, KNOWN)
    actions = [each.decision.chosen.action for each in found]
    names = [each.start if isinstance(each, Replace) else each.starts for each in actions]  # type: ignore[union-attr]
    assert ["web-5", ("db-3",), ("web-6", "web-7")] == names
    assert Serving(replica="web-5") in found[0].decision.chosen.contract.expects


CHANGES: dict[str, Callable[[History, Facts], tuple[History, Facts]]] = {
    "gone": lambda history, known: (history, replace(known, replicas=known.replicas[1:])),
    "phase": lambda history, known: (history, _first(known, phase=Phase.UNKNOWN)),
    "release": lambda history, known: (history, _first(known, release="r0")),
    "shares": lambda history, known: (history, replace(known, shares={"web": {"r1": 0.5, "r2": 0.5}})),
    "acts": lambda history, known: (_noted(history, acts=7), known),
    "ordinal": lambda history, known: (_noted(history, ordinal=70), known),
    "stable": lambda history, known: (_noted(history, stable="r0"), known),
    "capacity": lambda history, known: (_noted(history, capacity=3), known),
    "wanted": lambda history, known: (_noted(history, wanted={"r1": 4, "r0": 0}), known),
    "rollout": lambda history, known: (_noted(history, rollout=RolloutState(candidate="r2")), known),
    "step": lambda history, known: (_noted(history, rollout=RolloutState(candidate="r2", step=1)), known),
}
SAME: dict[str, Callable[[History, Facts], tuple[History, Facts]]] = {
    "starting": lambda history, known: (history, _first(known, phase=Phase.STARTING)),
    "load": lambda history, known: (history, _first(known, in_flight=9, cpu=0.5, ready=None)),
    "order": lambda history, known: (history, replace(known, replicas=known.replicas[::-1])),
    "other": lambda history, known: (replace(history, acts=9), replace(known, configured="c")),
    "notes": lambda history, known: (_noted(history, first_ready={"web-1": 1.0}, repairs=(3.0,)), known),
}


def _first(known: Facts, **changes: object) -> Facts:
    return replace(known, replicas=(replace(known.replicas[0], **changes), *known.replicas[1:]))


def _noted(history: History, **web: object) -> History:
    return replace(history, workloads={**history.workloads, "web": replace(history.workloads["web"], **web)})


def basis_of(history: History, known: Facts, proposal: Proposal | None = None) -> str:
    """Return what a decision on `web` rests on."""
    (found,) = settle([proposal or fewer(3, "web-4")], history, Survey(trusted(known, NOW), NOW))
    return found.decision.basis


@pytest.mark.parametrize("change", CHANGES)
def test_decision_rests_on_who_lives_and_what_is_settled(change: str) -> None:
    """Any change of that is another basis: a yes to the one is none to the other."""
    assert basis_of(AT_REST, FOUR) != basis_of(*CHANGES[change](AT_REST, FOUR))


@pytest.mark.parametrize("change", SAME)
def test_decision_does_not_rest_on_what_changes_all_the_time(change: str) -> None:
    """Load, readiness and the order of a list leave a yes as it is."""
    assert basis_of(AT_REST, FOUR) == basis_of(*SAME[change](AT_REST, FOUR))


def test_decision_on_the_site_rests_on_what_was_done_to_it() -> None:
    """How often, whether all is going down, and how the gateway is set."""
    plain = basis_of(AT_REST, FOUR, forget("a"))
    others = (replace(AT_REST, acts=1), replace(AT_REST, stopping=3.0), AT_REST)
    known = (FOUR, FOUR, replace(FOUR, configured="c"))
    assert all(plain != basis_of(*each, forget("a")) for each in zip(others, known, strict=True))
    assert plain == basis_of(_noted(AT_REST, acts=9), FOUR, forget("a"))


def test_phases_tell_how_each_stands() -> None:
    """One that drains or has ended is no longer one that lives."""
    all_of = [basis_of(AT_REST, facts(web=[up, up, up, each])) for each in (up, draining, crashed)]
    assert 3 == len(set(all_of))


ASKED = fewer(3, "web-4")


@pytest.mark.parametrize(
    ("proposal", "same"),
    [
        (fewer(3, "web-4"), True),
        (fewer(3, "web-3"), True),
        (fewer(2, "web-4"), False),
        (fewer(3, "web-4", "web-3"), False),
        (replace(fewer(3, "web-4"), subject="web-4"), False),
    ],
)
def test_what_a_person_was_asked_stays_as_it_was(proposal: Proposal, *, same: bool) -> None:
    """On the same facts, whichever of equals would be stopped today; another number is another question."""
    (first,) = settle([ASKED], AT_REST, KNOWN)
    asked = replace(first.decision, at=9.0, state="asked")
    history = replace(AT_REST, asked={asked.id: asked})
    (again,) = settle([proposal], history, KNOWN)
    assert same == (again.decision.id == asked.id and again.decision.chosen == asked.chosen)


def test_successor_that_a_person_was_asked_about_keeps_its_name() -> None:
    """Nobody else gets it meanwhile; a different replica is a different question."""
    (first,) = settle([swap("web-1")], AT_REST, KNOWN)
    history = replace(AT_REST, asked={first.decision.id: first.decision})
    again = settle([swap("web-1"), swap("web-2")], history, KNOWN)
    names = {each.decision.subject: each.decision.chosen.action.start for each in again}  # type: ignore[union-attr]
    assert {"web-1": "web-5", "web-2": "web-6"} == names
    assert first.decision.id in {each.decision.id for each in again}


def test_room_that_one_leaves_is_for_the_next() -> None:
    """Three places: one for the first, two for the second, and none for a third."""
    second = contracts.grow("web", "r2", (0, 0, 2), why("scaling"), TIMING)
    third = contracts.grow("web", "r3", (0, 0, 1), why("scaling"), TIMING)
    found = outcome(more(5, "rollout"), second, third, known=facts(web=[up] * 4))
    assert [("rollout", "web/r1"), ("scaling", "web/r2")] == [each[:2] for each in found]
    assert [("scaling", "scaling took the last room within max and surge first")] == found[1][2]


def restored(starts: int, wanted: int) -> Proposal:
    """Return a proposal of repair to start again what is missing from a number."""
    return contracts.grow("web", "r1", (wanted, wanted - starts, wanted), why("repair"), TIMING)


@pytest.mark.parametrize(
    ("proposal", "wanted", "lives", "settles"),
    [
        (contracts.grow("web", "r2", (0, 0, 1), why("rollout"), TIMING), {"r1": 7}, 4, False),
        (contracts.grow("web", "r2", (0, 0, 1), why("rollout"), TIMING), {"r1": 6}, 4, True),
        (contracts.grow("web", "r2", (0, 0, 1), why("rollout"), TIMING), {"r1": 4, "r2": 1}, 6, True),
        (contracts.grow("web", "r2", (0, 0, 1), why("rollout"), TIMING), {"r1": 4}, 7, False),
        (contracts.grow("web", "r1", (9, 5, 8), why("rollout"), TIMING), {"r1": 9}, 5, False),
        (contracts.grow("web", "r1", (9, 6, 7), why("rollout"), TIMING), {"r1": 9}, 6, True),
        (restored(1, 8), {"r1": 8}, 6, True),
        (restored(1, 7), {"r1": 7}, 6, True),
        (restored(2, 8), {"r1": 8}, 6, False),
        (replace(restored(1, 5), subject="web-1"), {"r1": 7}, 4, False),
        (replace(restored(1, 5), subject="web-1"), {"r1": 6}, 4, True),
    ],
)
def test_room_is_for_what_is_settled_and_for_what_lives(
    proposal: Proposal, wanted: dict[str, int], lives: int, *, settles: bool
) -> None:
    """An owner's number and a successor count beyond what is settled; what was missing does not."""
    history = _noted(AT_REST, wanted=wanted)
    assert settles == bool(outcome(proposal, history=history, known=facts(web=[up] * lives)))


def test_nothing_is_started_of_what_is_in_no_spec() -> None:
    """Neither of a workload that has left it, nor where none is in force."""
    assert [] == outcome(more(5), history=replace(AT_REST, system=system(db=2)))
    assert [] == outcome(more(5), history=replace(AT_REST, system=None))

"""The rules of a rollout one by one: whose order it is, why, what goes astray, and who serves alone."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import Why, propose
from lamplighter.controllers.numbers import Numbers
from lamplighter.controllers.rollout import EARLIER_MAX, _ordered, _shift, _why, progress, rollout, scales
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.model.actions import Contract, Heard, Scale, Shift
from lamplighter.model.decisions import Decision, Priority
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC
from lamplighter.model.history import History, Pending, RolloutState, WorkloadHistory
from lamplighter.model.system import System
from lamplighter.testing.builders import NOW, Shape, facts, hung, of, service, settled, system, up

STATE = RolloutState(candidate="r2", stable="r1", by="ann")
BACK = replace(STATE, at_once=True)
WEB = service("web", 2)
Split = dict[str, float]


def memory(state: RolloutState | None, stable: str = "r1", **changes: object) -> WorkloadHistory:
    """Return a workload of two in a rollout."""
    plain = WorkloadHistory(stable=stable, capacity=2, wanted={"r1": 2}, rollout=state)
    return replace(plain, **changes)


def verdict(state: RolloutState, word: str) -> RolloutState:
    """Return a rollout that has ended so."""
    return replace(state, verdict=word)


@pytest.mark.parametrize(
    ("state", "release", "stable", "by"),
    [
        (None, "r2", "r1", ""),
        (STATE, "r2", "r1", ""),
        (BACK, "r2", "r1", "ann"),
        (BACK, "r1", "r1", "ann"),
        (verdict(BACK, "failed"), "r2", "r1", ""),
        (verdict(BACK, "failed"), "r1", "r2", ""),
        (verdict(BACK, "superseded"), "r2", "r1", ""),
        (verdict(BACK, "superseded"), "r1", "r2", ""),
        (verdict(BACK, "promoted"), "r1", "r2", "ann"),
        (verdict(BACK, "promoted"), "r2", "r2", ""),
        (verdict(BACK, "promoted"), "r1", "r1", ""),
        (verdict(STATE, "promoted"), "r1", "r2", ""),
        (verdict(STATE, "rolled-back"), "r2", "r1", "ann"),
        (verdict(STATE, "rolled-back"), "r1", "r1", ""),
        (verdict(STATE, "rolled-back"), "r2", "r2", ""),
    ],
)
def test_whose_order_it_is(state: RolloutState | None, release: str, stable: str, by: str) -> None:
    """The person's who rolls back: what is gone back to comes up, what is left goes down, and no more."""
    assert by == _ordered(memory(state, stable), release)


@pytest.mark.parametrize(
    ("state", "priority", "because", "by"),
    [
        (None, Priority.ROLLOUT, "the settled number of replicas", ""),
        (STATE, Priority.ROLLOUT, "rollout of r2, step 1", ""),
        (replace(STATE, step=2), Priority.ROLLOUT, "rollout of r2, step 3", ""),
        (BACK, Priority.ROLLOUT, "rollout of r2, step 1", "ann"),
        (replace(STATE, stable=""), Priority.ROLLOUT, "r2 is the first release", ""),
        (replace(verdict(STATE, "failed"), reason="it died"), Priority.SAFETY, "r2 is given up: it died", ""),
        (verdict(STATE, "rolled-back"), Priority.SAFETY, "r2 is given up: ", "ann"),
        (verdict(STATE, "promoted"), Priority.ROLLOUT, "r2 is promoted", ""),
        (verdict(STATE, "superseded"), Priority.ROLLOUT, "r2 is superseded", ""),
    ],
)
def test_why_it_is_done_and_how_urgently(
    state: RolloutState | None, priority: Priority, because: str, by: str
) -> None:
    """Taking back what was given up comes before anything that is merely new."""
    assert Why("rollout", priority, because, ordered_by=by) == _why(memory(state))


def survey(
    *shapes: Shape, shares: dict[str, float] | None = None, given: dict[str, float] | None = None
) -> Survey:
    """Return what is seen, with shares that are set, and others that are being set."""
    known = replace(facts(web=shapes or (up, up, of("r2"))), shares={"web": shares} if shares else {})
    pending = {}
    if given is not None:
        chosen = propose(_why(memory(None)), "web", Shift(workload="web", shares=given), Contract(gain=""))
        decision = Decision(id="a-1", at=NOW, subject="web", chosen=chosen, state="act", basis="b")
        pending = {"a-1": Pending(decision=decision)}
    return Survey(trusted(known, NOW), NOW, pending)


def shifted(
    here: Survey, known: WorkloadHistory, wanted: dict[str, float] | None = None
) -> dict[str, float] | None:
    """Return the shares that would be set."""
    found = _shift(here, WEB, known, Numbers({}, wanted))
    return found[0].action.shares if found else None  # type: ignore[union-attr]


WHOLE, HALF = {"r1": 1.0}, {"r1": 0.5, "r2": 0.5}
LOST = {"web-1": 1.0, "web-2": 1.0}


def test_shares_are_set_where_they_are_to_change() -> None:
    """And left alone else."""
    assert HALF == shifted(survey(shares=WHOLE), memory(STATE), HALF)
    assert shifted(survey(shares=WHOLE), memory(STATE)) is None


@pytest.mark.parametrize(
    ("given", "known", "taken_back"),
    [
        ({"r1": 0.95, "r2": 0.05}, memory(STATE), False),
        (HALF, memory(STATE), True),
        (HALF, memory(replace(STATE, at_once=True)), False),
        (HALF, memory(replace(STATE, stable="")), False),
        (HALF, memory(STATE, not_ready_since=LOST), False),
        (HALF, memory(verdict(STATE, "failed")), True),
        (HALF, memory(verdict(STATE, "promoted"), "r2"), True),
        ({"r2": 1.0}, memory(verdict(STATE, "promoted"), "r2"), False),
        ({"r1": 1.0}, memory(STATE), False),
    ],
)
def test_what_is_being_given_is_taken_back_where_it_goes_astray(
    given: dict[str, float], known: WorkloadHistory, *, taken_back: bool
) -> None:
    """More than the step allows, or anything to a release that has been given up."""
    dead = bool(known.not_ready_since)
    shapes = (hung, hung, of("r2")) if dead else (up, up, of("r2"))
    here = survey(*shapes, shares={"r2": 1.0} if known.stable == "r2" else WHOLE, given=given)
    expected = ({"r2": 1.0} if known.stable == "r2" else WHOLE) if taken_back else None
    assert expected == shifted(here, known)
    assert (HALF if taken_back else None) == shifted(here, known, HALF)


def test_share_that_a_release_has_already_is_not_astray() -> None:
    """What is given is no more than it has."""
    here = survey(shares=HALF, given={"r1": 0.6, "r2": 0.4})
    assert shifted(here, memory(verdict(STATE, "failed"))) is None


def moved(known: WorkloadHistory, here: Survey) -> WorkloadHistory:
    """Return the memory with its rollout moved on."""
    return progress(known, WEB, here, History())


@pytest.mark.parametrize(
    ("shapes", "shares", "stable", "earlier"),
    [
        ((of("r3"), of("r3")), {"r3": 1.0}, "r3", ("r1", "r0")),
        ((of("r3"), of("r3")), {"r3": 0.996, "r2": 0.004}, "r3", ("r1", "r0")),
        ((of("r3"), of("r3")), {"r3": 0.99, "r2": 0.01}, "r1", ("r0",)),
        ((of("r3", hung), of("r3", hung)), {"r3": 1.0}, "r1", ("r0",)),
        ((of("r3"), of("r3")), {}, "r3", ("r1", "r0")),
        ((of("r3"), of("r2")), {}, "r1", ("r0",)),
        ((of("r3"), up), {"r3": 1.0}, "r1", ("r0",)),
        ((of("r2"), of("r2")), {}, "r1", ("r0",)),
    ],
)
def test_release_that_serves_alone_takes_the_place_of_a_lost_one(
    shapes: tuple[Shape, ...], shares: dict[str, float], stable: str, earlier: tuple[str, ...]
) -> None:
    """It has all of the traffic, and nothing of stable is left: the candidate has to bake beside it."""
    known = memory(STATE, earlier=("r0",), missing_since={"r1": 1.0})
    after = moved(known, survey(*shapes, shares=shares))
    assert (stable, earlier) == (after.stable, after.earlier)
    assert after.rollout is not None
    assert (stable, "") == (after.rollout.stable, after.rollout.verdict)


def test_release_that_serves_alone_is_adopted_for_a_first_one_too() -> None:
    """No stable release is known; each of the earlier ones is named once, ten at the most."""
    earlier = tuple(f"e{number}" for number in range(10))
    known = memory(replace(STATE, stable=""), "", earlier=("r3", *earlier))
    after = moved(known, survey(of("r3"), shares={"r3": 1.0}))
    assert ("r3", earlier[:EARLIER_MAX]) == (after.stable, after.earlier)


@pytest.mark.parametrize(("share", "word"), [(0.996, "promoted"), (0.99, "")])
def test_first_release_is_stable_once_it_has_the_traffic(share: float, word: str) -> None:
    """All of it, but for rounding, and it serves."""
    state = RolloutState(candidate="r2")
    after = moved(memory(state, ""), survey(of("r2"), shares={"r2": share})).rollout
    assert after is not None
    assert word == after.verdict
    waits = moved(memory(state, ""), survey(of("r2", hung), shares={"r2": 1.0})).rollout
    assert state == waits


@pytest.mark.parametrize("source", [PROCESSES, HEALTH])
def test_bake_and_shortfall_begin_anew_after_a_silence(source: str) -> None:
    """Inconclusive is not failed: a bake that had begun begins now, one that had not does not."""
    known = Survey(trusted(facts(web=[up, up], silent={source: 1.0}), NOW), NOW)
    state = replace(STATE, step_since=9.0, shortfall_since=8.0)
    assert replace(STATE, step_since=NOW) == moved(memory(state), known).rollout
    assert STATE == moved(memory(replace(state, step_since=None)), known).rollout


def test_rollout_from_zero_has_steps_where_the_old_release_turns_out_to_serve() -> None:
    """It was not known to be idle."""
    state = replace(STATE, from_zero=True)
    for shapes, from_zero in (((up, of("r2")), False), ((of("r2", hung),), True)):
        after = moved(memory(state), survey(*shapes, shares=WHOLE)).rollout
        assert after is not None
        assert from_zero == after.from_zero


@pytest.mark.parametrize(
    ("shapes", "settled_now", "to", "starts"),
    [
        ((up, up), 2, 4, 2),
        ((up, up, up), 2, 4, 1),
        ((up, up, up, up, up), 2, 4, 0),
        ((up,), 2, 4, 2),
        ((up,), 0, 1, 0),
    ],
)
def test_more_are_started_beyond_what_lives_and_what_is_settled(
    shapes: tuple[Shape, ...], settled_now: int, to: int, starts: int
) -> None:
    """What is settled and dead is repair's; what lives beyond its number is not started again."""
    known = memory(None, wanted={"r1": settled_now})
    (found,) = scales(survey(*shapes), WEB, known, Numbers({"r1": to}), _why(known))
    assert (
        Scale(workload="web", release="r1", replicas=to, starts=("",) * starts, drain_s=WEB.drain_s)
        == found.action
    )


def drained(wanted: System, state: RolloutState | None, **noted: object) -> list[tuple[int, str, bool]]:
    """Return how many of six each Scale stops, on whose order, and whether traffic must be heard for it."""
    history = settled(wanted)
    known = {"wanted": {"r1": 6}, "rollout": state, **noted}
    web = replace(history.workloads["web"], **known)
    seen = replace(facts(web=[up] * 6, wanted=wanted), shares={"web": {"r1": 1.0}})
    found = rollout(wanted, Survey(trusted(seen, NOW), NOW), replace(history, workloads={"web": web}))
    return [
        (len(each.action.stops), each.ordered_by, Heard(source=TRAFFIC) in each.contract.needs)
        for each in found.proposals
        if isinstance(each.action, Scale)
    ]


def test_order_drains_all_at_once_and_listens_to_no_traffic() -> None:
    """What the loop does by itself stays within what may be at risk, and needs to know the traffic."""
    assert [(3, "", True)] == drained(system(web=2), None)
    assert [(4, "ann", False)] == drained(system(web=2), replace(BACK, candidate="r1"))

"""What stories seldom come by: a step of next to nothing, who is busy, who gives way, in which order."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers import contracts
from lamplighter.controllers.contracts import Why
from lamplighter.controllers.housekeeping import housekeeping
from lamplighter.controllers.layout import Layout, who_changed
from lamplighter.controllers.numbers import Numbers, numbers
from lamplighter.controllers.repair import repair
from lamplighter.controllers.rollout import progress, rollout
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.model.actions import Action, Contract, Replace, Scale, Shares, Shift
from lamplighter.model.decisions import Decision, Priority, Verdict
from lamplighter.model.facts import Exit, Facts, Load, Phase
from lamplighter.model.history import History, Pending, RolloutState, WorkloadHistory
from lamplighter.model.system import Guards, Resources, RolloutPolicy
from lamplighter.testing.builders import NOW, Shape, facts, hung, of, service, settled, system, up

WHY = Why("toy", Priority.SCALING, "a test")
LITTLE = service("web", (2, 4), scale=None, rollout=RolloutPolicy(steps=(0.004, 1.0), bake_s=10.0))
BAKING = RolloutState(candidate="r2", stable="r1", step_since=NOW - 1)
BIG = {"first_ready": {"web-1": 1.0}, "over_memory_since": {"web-1": 1.0}}
LARGE = service("web", (2, 6), scale=None, resources=Resources(memory_bytes=100))


def seen(known: Facts, pending: dict[str, Pending] | None = None, **shares: float) -> Survey:
    """Return what is seen of `web`, with these shares."""
    return Survey(trusted(replace(known, shares={"web": shares}), NOW), NOW, pending)


def noting(history: History, **web: object) -> History:
    """Return a history with something noted of `web`."""
    return replace(history, workloads={"web": replace(history.workloads["web"], **web)})


def under_way(action: Action, subject: str, **changes: object) -> dict[str, Pending]:
    """Return an action that is under way."""
    chosen = contracts.propose(WHY, subject, action, Contract(gain=""))
    decision = Decision(id="a-1", at=NOW, subject=subject, chosen=chosen, state="act", basis="b")
    return {"a-1": replace(Pending(decision=decision, state="applied", outcome="accepted"), **changes)}


def stop(*stops: str, to: int = 2, release: str = "r1") -> Scale:
    """Return a Scale of `web` that stops these."""
    return Scale(workload="web", release=release, replicas=to, stops=stops)


def moved(*shapes: object, **changes: object) -> WorkloadHistory:
    """Return what becomes of a rollout whose step is next to nothing."""
    memory = WorkloadHistory(stable="r1", capacity=2, wanted={"r1": 2, "r2": 1}, rollout=BAKING)
    here = seen(facts(web=shapes), r1=0.996, r2=0.004)  # type: ignore[arg-type]
    return progress(replace(memory, **changes), LITTLE, here, History())


@pytest.mark.parametrize(("candidate", "since"), [(up, NOW - 1), (hung, None)])
def test_step_of_next_to_nothing_needs_one_that_serves(candidate: object, since: float | None) -> None:
    """However small its share, nothing bakes while none of the candidate is ready."""
    found = moved(up, up, of("r2", candidate)).rollout  # type: ignore[arg-type]
    assert found is not None
    assert since == found.step_since


def test_rollout_that_stands_as_before_is_the_very_same() -> None:
    """Nothing new is noted while it bakes; that the shortfall is over, is."""
    memory = WorkloadHistory(stable="r1", capacity=2, wanted={"r1": 2, "r2": 1}, rollout=BAKING)
    there = (up, up, of("r2"))
    here = seen(facts(web=there), r1=0.996, r2=0.004)
    assert progress(memory, LITTLE, here, History()) is memory
    short = replace(memory, rollout=replace(BAKING, shortfall_since=1.0))
    assert memory == progress(short, LITTLE, here, History())


@pytest.mark.parametrize(
    ("shapes", "shares"), [((up, up), None), ((up, up, of("r2")), {"r1": 0.996, "r2": 0.004})]
)
def test_step_of_next_to_nothing_gets_one_replica(
    shapes: tuple[object, ...], shares: dict[str, float] | None
) -> None:
    """The first of the candidate is started for it, and only with that one ready has it its share."""
    memory = WorkloadHistory(
        stable="r1", capacity=2, wanted={"r1": 2}, rollout=replace(BAKING, step_since=None)
    )
    found = numbers(memory, LITTLE, seen(facts(web=shapes), r1=1.0), 2)  # type: ignore[arg-type]
    assert Numbers({"r1": 2, "r2": 1}, shares) == found


def verdict(known: Survey, history: History, wanted: object = LARGE) -> Verdict:
    """Return what repair finds and proposes."""
    return repair(system(web=wanted), known, history)  # type: ignore[arg-type]


@pytest.mark.parametrize(("unanswered", "proposes"), [(True, []), (False, ["web-1"])])
def test_who_is_to_stop_and_does_not_know_it_yet_takes_room(unanswered: bool, proposes: list[str]) -> None:  # noqa: FBT001
    """Nobody gets a successor while more live than are settled, one that lingers included."""
    outcome = {"state": "decided", "outcome": None} if unanswered else {}
    pending = under_way(stop("web-3"), "web/r1", **outcome)
    history = noting(settled(system(web=LARGE)), **BIG)
    here = seen(facts(web=[up, up, up]), pending, r1=1.0)
    assert proposes == [each.subject for each in verdict(here, history).proposals]


def test_swap_where_nobody_carries_the_traffic_puts_all_at_stake() -> None:
    """The traffic is a release's of which none lives: the one that is swapped is all that there is."""
    history = noting(settled(system(web=LARGE)), first_ready={"web-1": 1.0}, not_ready_since={"web-1": 1.0})
    known = verdict(seen(facts(web=[hung, up]), r9=1.0), history).proposals
    assert [(Replace, 1.0)] == [(type(each.action), each.contract.blast_radius) for each in known]


def test_who_has_an_action_under_way_is_not_released_again() -> None:
    """Its successor serves, but what started that is not verified yet."""
    web = {"replaced": {"web-1": "web-3"}, "first_ready": {"web-1": 1.0}, "not_ready_since": {"web-1": 1.0}}
    history = noting(settled(system(web=LARGE)), **web)
    shapes = [hung, up, up]
    start = Scale(workload="web", release="r1", replicas=3, starts=("web-3",))
    busy = seen(facts(web=shapes), under_way(start, "web-1", arrived=("web-3",)), r1=1.0)
    assert [] == [each.subject for each in verdict(busy, history).proposals]
    assert ["web-1"] == [each.subject for each in verdict(seen(facts(web=shapes), r1=1.0), history).proposals]


def test_release_without_traffic_goes_though_only_it_serves() -> None:
    """It gets no request, whoever asks: nothing is waited for."""
    wanted = system(web=replace(LARGE, replicas=replace(LARGE.replicas, min=1)))
    history = noting(settled(wanted), wanted={"r1": 1, "r2": 1})
    known = replace(facts(web=[hung, of("r2")], wanted=wanted), loads={"web": Load(in_flight=5)})
    found = rollout(wanted, seen(known, r1=1.0), history).proposals
    assert [(0, ("web-2",))] == [
        (each.action.replicas, each.action.stops) for each in found if isinstance(each.action, Scale)
    ]


@pytest.mark.parametrize("busy", [False, True])
def test_housekeeping_waits_for_what_is_under_way(busy: bool) -> None:  # noqa: FBT001
    """Nothing that is too many is drained while anything is done to the workload."""
    wanted = replace(system(web=LARGE), guards=Guards(at_risk=1.0))
    pending = under_way(Shift(workload="web", shares={"r1": 1.0}), "web") if busy else None
    here = seen(facts(web=[up, up, up], wanted=wanted), pending, r1=1.0)
    found = housekeeping(wanted, here, settled(wanted, web=2)).proposals
    assert ([] if busy else ["web/r1"]) == [each.subject for each in found]


def test_number_that_is_met_is_not_too_many() -> None:
    """As many as are settled: none is drained."""
    wanted = system(web=LARGE)
    here = seen(facts(web=[up, up], wanted=wanted), r1=1.0)
    assert () == housekeeping(wanted, here, settled(wanted, web=2)).proposals


def test_shares_are_in_the_order_of_releases() -> None:
    """Whatever order a gateway tells them in: who gains, who loses, and what is set."""
    here = seen(facts(web=[of("r3"), of("r4"), of("r1", hung), of("r2", hung)]), r2=0.5, r1=0.5)
    made = contracts.shift(here, "web", {"r4": 0.5, "r3": 0.5}, WHY)
    needs = [
        str(getattr(each, "release", "") or getattr(each, "replica", "")) for each in made.contract.needs
    ]
    assert ["", "r3", "r4", "web-3", "web-4"] == needs
    action = made.action
    assert isinstance(action, Shift)
    assert ["r3", "r4"] == list(action.shares)


def test_numbers_of_releases_are_proposed_in_their_order() -> None:
    """So are the shares that a drain rests on."""
    wanted = system(web=replace(LARGE, replicas=replace(LARGE.replicas, min=1)))
    history = noting(settled(wanted), stable="r3", wanted={"r3": 1, "r2": 1, "r1": 1})
    here = seen(facts(web=[of("r3"), of("r2"), of("r1")], wanted=wanted), r3=1.0, r2=0.0, r1=0.0)
    found = rollout(wanted, here, history).proposals
    stand = [each for one in found for each in one.contract.needs if isinstance(each, Shares)]
    assert (["web/r1", "web/r2"], ["r1", "r2", "r3"]) == (
        [each.subject for each in found],
        list(stand[0].shares),
    )


def test_snapshot_with_another_release_in_a_place_is_laid_out_anew() -> None:
    """Only what changes within a replica is followed."""
    one = facts(web=[up, up]).replicas
    other = (one[0], replace(one[1], release="r2"))
    later = (one[0], replace(one[1], pid=7))
    moved_on = (one[0], replace(one[1], workload="db"))
    assert (None, [1], None) == tuple(who_changed(one, each) for each in (other, later, moved_on))


def test_layout_that_is_followed_knows_how_many_there_are() -> None:
    """As a mapping it has all replicas, though only a few are new."""
    one = facts(web=[up] * 40).replicas
    layout = Layout(one)
    assert len(layout.by_id) == len(one)
    newer = (replace(one[0], pid=7), *one[1:])
    followed = layout.followed(newer, [0]).by_id
    assert (40, True, one[1], 7) == (
        len(followed),
        "web-9" in followed,
        followed["web-2"],
        followed["web-1"].pid,
    )


@pytest.mark.parametrize(
    ("silent", "goes"), [("processes", []), ("health", ["records"]), ("traffic", ["records"])]
)
def test_records_go_only_while_processes_are_known(silent: str, goes: list[str]) -> None:
    """An exit that was told before a silence stays one, but who else lives is not known."""
    wanted = system(web=LARGE)
    ended = Shape(phase=Phase.EXITED, ready=False, exit=Exit(at=1.0), draining_since=1.0)
    known = facts(web=[up, up, ended], wanted=wanted, silent={silent: -100.0})
    history = noting(settled(wanted), ended={"web-3": -10.0})
    assert goes == [each.subject for each in housekeeping(wanted, seen(known, r1=1.0), history).proposals]


def test_candidate_from_zero_leaves_no_other_release_up() -> None:
    """Nobody waits, stable is at zero: the candidate alone, and whatever else lives goes."""
    web = replace(LARGE, replicas=replace(LARGE.replicas, min=0))
    state = replace(BAKING, step_since=None)
    memory = WorkloadHistory(stable="r1", capacity=1, wanted={"r1": 0, "r2": 1, "r9": 1}, rollout=state)
    known = replace(facts(web=[of("r2"), of("r9")]), loads={"web": Load(in_flight=0)})
    assert Numbers({"r1": 0, "r2": 1, "r9": 0}, {"r2": 1.0}) == numbers(memory, web, seen(known, r1=1.0), 1)

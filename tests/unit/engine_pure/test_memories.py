"""Memories: what a pass notes of replicas and of its own decisions, at each bound and just beside it."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import Timing, Why, grow
from lamplighter.controllers.kinds import finding
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.commit import commit, handed_over
from lamplighter.engine.memory import remember, retired
from lamplighter.engine.samples import _joined
from lamplighter.engine.settle import Settled
from lamplighter.model.actions import Action, Replace, Scale
from lamplighter.model.decisions import Decision, Priority
from lamplighter.model.facts import HEALTH, PROCESSES, Facts, Phase
from lamplighter.model.history import (
    Approval,
    History,
    Pending,
    RolloutState,
    Sample,
    WorkloadHistory,
)
from lamplighter.model.system import Resources, System
from lamplighter.testing.builders import (
    NOW,
    Shape,
    crashed,
    draining,
    facts,
    hung,
    of,
    service,
    settled,
    starting,
    system,
    up,
)

TWO = system(web=service("web", 2, resources=Resources(memory_bytes=100)))
TIMING = Timing(start_s=20.0, drain_s=5.0)


def noting(wanted: System = TWO, /, **web: object) -> History:
    """Return the history of a system at rest, with something noted of `web`."""
    history = settled(wanted)
    return replace(history, workloads={"web": replace(history.workloads["web"], **web)})


def after(known: Facts, history: History) -> WorkloadHistory:
    """Return what is remembered of `web` after facts were folded in."""
    return remember(history, Survey(trusted(known, NOW), NOW, history.pending)).workloads["web"]


# --- replicas


def test_conditions_are_noted_since_when_they_began() -> None:
    """Who serves, fails, is unknown or too large; what went on before keeps its beginning."""
    known = facts(web=[up, hung, replace(up, phase=Phase.UNKNOWN), replace(up, ready=None), up, starting])
    large = tuple(
        replace(each, memory_bytes={"web-1": 101, "web-5": 100}.get(each.id)) for each in known.replicas
    )
    before = {"not_ready_since": {"web-2": 9.0, "web-5": 9.0}, "unknown_since": {"web-3": 8.0}}
    memory = after(replace(known, replicas=large), noting(first_ready={"web-1": 1.0}, **before))
    assert {"web-1": 1.0, "web-3": NOW, "web-5": NOW} == memory.first_ready
    assert {"web-2": 9.0, "web-6": NOW} == memory.not_ready_since
    assert {"web-3": 8.0, "web-4": NOW} == memory.unknown_since
    assert {"web-1": NOW} == memory.over_memory_since


@pytest.mark.parametrize(
    ("shape", "first", "counts"),
    [
        (crashed, {}, True),
        (crashed, {"web-2": NOW - 3.9}, True),
        (crashed, {"web-2": NOW - 4.0}, False),
        (replace(crashed, draining_since=50.0), {}, False),
        (replace(crashed, exit=None), {"web-2": NOW - 3.0}, False),
        (replace(crashed, exit=None), {"web-2": NOW - 2.9}, True),
    ],
)
def test_end_counts_against_its_place_where_it_came_soon_and_unasked(
    shape: Shape, first: dict[str, float], *, counts: bool
) -> None:
    """Sooner than three seconds after it was first ready, or never ready; reckoned from the proven end."""
    ended = shape.exit.at if shape.exit else NOW
    memory = after(facts(web=[up, shape]), noting(first_ready=first, attempts={"web-2": (7.0,)}))
    assert {"web-2": ended} == memory.ended
    asked = shape.draining_since is not None
    assert ({"web-2": (7.0, ended)} if counts else {"web-2": (7.0,)} if asked else {}) == memory.attempts


@pytest.mark.parametrize(("release", "crashes"), [("r2", 2), ("r1", 1)])
def test_crash_of_a_candidate_counts_against_its_rollout(release: str, crashes: int) -> None:
    """That of the stable release does not; nor is any counted twice."""
    state = RolloutState(candidate="r2", stable="r1", crashes=1)
    history = noting(rollout=state)
    memory = after(facts(web=[up, of(release, crashed)]), history)
    assert memory.rollout is not None
    assert crashes == memory.rollout.crashes
    again = after(facts(web=[up, of(release, crashed)]), replace(history, workloads={"web": memory}))
    assert memory.rollout == again.rollout


@pytest.mark.parametrize(
    ("lived_s", "count", "at_once", "crashes"),
    [(9.9, 1, False, 1), (9.9, 3, False, 1), (10.0, 1, False, 0), (9.9, 1, True, 0), (2.9, 3, True, 3)],
)
def test_candidate_that_does_not_outlive_a_bake_counts(
    lived_s: float,
    count: int,
    at_once: bool,  # noqa: FBT001
    crashes: int,
) -> None:
    """No step would ever be over; those that end at once count once, and what does not bake need not last."""
    state = RolloutState(candidate="r2", stable="r1", at_once=at_once)
    wanted = system(web=2)
    policy = replace(wanted.services["web"].rollout, bake_s=10.0)
    wanted = replace(wanted, services={"web": replace(wanted.services["web"], rollout=policy)})
    assert crashed.exit is not None
    first = {f"web-{number}": crashed.exit.at - lived_s for number in range(1, 4)}
    history = replace(noting(rollout=state, first_ready=first), system=wanted)
    memory = after(facts(web=[of("r2", crashed)] * count), history)
    assert crashes == (memory.rollout and memory.rollout.crashes)


def test_fifty_failures_of_a_place_are_kept() -> None:
    """The newest."""
    tries = tuple(float(each) for each in range(50))
    memory = after(facts(web=[up, crashed]), noting(attempts={"web-2": tries}))
    assert (*tries[1:], NOW - 1) == memory.attempts["web-2"]


def test_repairs_are_kept_for_their_window_and_five_hundred_of_them() -> None:
    """One that is a whole window past is forgotten."""
    window_s = TWO.services["web"].repair.window_s
    repairs, restores = (NOW - window_s, NOW - window_s + 0.1), (NOW - window_s - 1, NOW)
    memory = after(facts(web=[up, up]), noting(repairs=repairs, restores=restores))
    assert (repairs[1:], restores[1:]) == (memory.repairs, memory.restores)
    many = tuple(NOW - 1 + each / 1000 for each in range(502))
    assert many[2:] == after(facts(web=[up, up]), noting(repairs=many)).repairs
    assert many[2:] == after(facts(web=[up, up]), noting(repairs=many[2:])).repairs


@pytest.mark.parametrize(("unlisted_s", "left"), [(4.9, {"web-9": 3.0}), (5.0, {})])
def test_who_is_not_listed_is_forgotten_after_a_while(unlisted_s: float, left: dict[str, float]) -> None:
    """One list may be short."""
    since = {"web-9": NOW - unlisted_s}
    memory = after(facts(web=[up, up]), noting(ended={"web-9": 3.0}, unlisted_since=since))
    assert (left, since if left else {}) == (memory.ended, memory.unlisted_since)


def test_who_has_yet_to_serve_and_is_not_listed_takes_its_room_for_a_while() -> None:
    """Of one that started a moment ago nothing else is noted, and lists may be short twice running."""
    history, counted = noting(), []
    for web in ([up, up, starting], [up, up], [up, up], [up, up]):
        memory = after(facts(web=web), history)
        history = replace(history, workloads={"web": memory})
        counted.append(memory.unlisted)
    assert [(), ("web-3",), ("web-3",), ("web-3",)] == counted


def test_who_took_whose_place_is_known_while_both_are() -> None:
    """Where one of the two is long gone, the pair is forgotten; while none can be told, nothing is."""
    pairs = {"web-1": "web-2", "web-2": "web-9", "web-8": "web-1"}
    gone = {"web-8": 1.0, "web-9": 1.0}
    history = noting(replaced=pairs, unlisted_since=gone)
    assert {"web-1": "web-2"} == after(facts(web=[up, up]), history).replaced
    assert pairs == after(facts(web=[up, up], silent={PROCESSES: 1.0}), history).replaced


def test_settled_zero_is_forgotten_once_nothing_of_the_release_is_left() -> None:
    """Neither a replica nor a record; a number that is not zero stays."""
    wanted = {"r1": 2, "r2": 0, "r3": 0, "r4": 0, "r5": 1}
    memory = after(facts(web=[up, up, of("r2"), of("r3", crashed)]), noting(wanted=wanted))
    assert {"r1": 2, "r2": 0, "r3": 0, "r5": 1} == memory.wanted


@pytest.mark.parametrize(
    ("names", "ordinal"), [(("web-7",), 8), (("web-2",), 3), (("web-x",), 3), (("odd",), 3), (("a-b-9",), 10)]
)
def test_next_number_is_beyond_every_listed_name(names: tuple[str, ...], ordinal: int) -> None:
    """Names that are no numbers are nobody's; those that were noted already need no look."""
    known = facts(web=[up, crashed])
    more = tuple(replace(known.replicas[0], id=each) for each in names)
    assert ordinal == after(replace(known, replicas=more), noting()).ordinal
    noted = noting(first_ready=dict.fromkeys(names, 1.0))
    assert 3 == after(replace(known, replicas=more), noted).ordinal


def test_number_of_a_draining_or_ended_one_is_not_given_again_either() -> None:
    """Whichever way it stands, its name is in use."""
    for shape in (draining, crashed):
        known = facts(web=[up, shape])
        late = replace(known.replicas[1], id="web-30")
        assert 31 == after(replace(known, replicas=(known.replicas[0], late)), noting()).ordinal


def test_what_is_retired_keeps_its_releases_and_its_names() -> None:
    """The last stable release first, each once."""
    memory = WorkloadHistory(
        stable="r3", earlier=("r2", "r3", ""), ordinal=9, acts=4, drain_s=7.0, capacity=3, wanted={"r3": 3}
    )
    kept = WorkloadHistory(earlier=("r3", "r2"), ordinal=9, acts=4, drain_s=7.0)
    assert kept == retired(memory)
    assert kept is retired(kept)


# --- decisions


def made(action: Action, controller: str = "scaling", **chosen: object) -> Decision:
    """Return a decision that goes ahead."""
    why = Why(controller, Priority.SCALING, "a test")
    plain = grow("web", "r1", (2, 2, 3), why, TIMING)
    subject = action.replica if isinstance(action, Replace) else "web/r1"
    proposal = replace(plain, **{"action": action, "subject": subject, **chosen})
    return Decision(id="a-1", at=NOW, subject=proposal.subject, chosen=proposal, state="act", basis="b")


def committed(decision: Decision, history: History) -> tuple[WorkloadHistory, Pending]:
    """Return what is remembered of `web`, and of the action, once it is decided."""
    found, _ = commit(history, [Settled(decision)], NOW)
    return found.workloads["web"], found.pending["a-1"]


@pytest.mark.parametrize(
    ("controller", "capacity", "before", "total_before"),
    [
        ("scaling", 3, 2, 2),
        ("rollout", None, 2, -1),
        ("repair", None, -1, -1),
        ("housekeeping", None, -1, -1),
    ],
)
def test_action_remembers_the_number_and_the_total_that_it_changes(
    controller: str, capacity: int | None, before: int, total_before: int
) -> None:
    """Minus one where it settles none: only an owner of numbers does, and only scaling a total."""
    scale = Scale(workload="web", release="r1", replicas=3, starts=("web-3",))
    memory, pending = committed(made(scale, controller, capacity=capacity), noting())
    assert (before, total_before) == (pending.before, pending.capacity_before)
    assert (NOW, NOW, 1, "decided") == (pending.since, pending.tried_at, pending.attempts, pending.state)
    assert ({"r1": 3 if before >= 0 else 2}, capacity or 2) == (memory.wanted, memory.capacity)
    assert (4, 1) == (memory.ordinal, memory.acts)


@pytest.mark.parametrize(
    ("up_at", "down_at", "returns", "now_returns"),
    [
        (None, None, 2, 2),
        (None, NOW - 239.9, 2, 3),
        (None, NOW - 240.0, 2, 0),
        (NOW - 5, NOW - 9, 2, 2),
        (NOW - 9, NOW - 9, 2, 2),
        (NOW - 9, NOW - 5, 2, 3),
        (None, NOW - 5, 10, 10),
    ],
)
def test_number_that_comes_back_soon_is_counted(
    up_at: float | None, down_at: float | None, returns: int, now_returns: int
) -> None:
    """Within four minutes of the last time that it was lowered, ten times at the most."""
    history = noting(scaled_up_at=up_at, scaled_down_at=down_at, returns=returns)
    more = made(Scale(workload="web", release="r1", replicas=3, starts=("web-3",)), capacity=3)
    memory, _ = committed(more, history)
    assert (now_returns, NOW, down_at) == (memory.returns, memory.scaled_up_at, memory.scaled_down_at)


@pytest.mark.parametrize(("capacity", "down_at"), [(1, NOW), (2, None), (None, None)])
def test_only_a_lower_total_is_lowered(capacity: int | None, down_at: float | None) -> None:
    """The same total with another number of a release neither rises nor falls."""
    less = made(Scale(workload="web", release="r1", replicas=1, stops=("web-2",)), capacity=capacity)
    memory, _ = committed(less, noting())
    assert (None, down_at) == (memory.scaled_up_at, memory.scaled_down_at)


@pytest.mark.parametrize(("ended", "tries"), [({}, (7.0, NOW)), ({"web-2": 9.0}, (7.0,))])
def test_successor_inherits_the_failures_of_its_place(
    ended: dict[str, float], tries: tuple[float, ...]
) -> None:
    """To be replaced alive is one more of them."""
    swap = Replace(workload="web", release="r1", replica="web-2", start="web-3")
    memory, pending = committed(made(swap, "repair"), noting(ended=ended, attempts={"web-2": (7.0,)}))
    assert ({"web-2": "web-3"}, (NOW,), 4) == (memory.replaced, memory.repairs, memory.ordinal)
    assert {"web-2": (7.0,) if ended else tries, "web-3": tries} == memory.attempts
    assert -1 == pending.before


def test_first_failure_of_a_place_is_noted_only_where_there_is_one() -> None:
    """One that served and died has none to hand on."""
    swap = Replace(workload="web", release="r1", replica="web-2", start="web-3")
    memory, _ = committed(made(swap, "repair"), noting(ended={"web-2": 9.0}))
    assert {} == memory.attempts


def test_missing_ones_that_are_started_again_are_no_repair_of_anyone() -> None:
    """They are counted apart; a successor that is started first is a repair."""
    again = Scale(workload="web", release="r1", replicas=2, starts=("web-3",))
    memory, _ = committed(made(again, "repair"), noting())
    assert ((NOW,), (), {}) == (memory.restores, memory.repairs, memory.replaced)
    spare, _ = committed(made(again, "repair", subject="web-1"), noting())
    assert ((), (NOW,), {"web-1": "web-3"}) == (spare.restores, spare.repairs, spare.replaced)
    nothing, _ = committed(made(replace(again, starts=()), "repair", subject="web-1"), noting())
    assert ((), ()) == (nothing.restores, nothing.repairs)


@pytest.mark.parametrize(("state", "kept"), [("held", True), ("asked", True), ("act", False)])
def test_yes_is_kept_for_as_long_as_its_question_stands(state: str, *, kept: bool) -> None:
    """Another guard may hold it still; once it goes ahead, or is asked no more, the yes is over."""
    decision = replace(made(Scale(workload="web", release="r1", replicas=1, stops=("web-2",))), state=state)
    yes = {each: Approval(action=each, at=1.0, by="ann") for each in ("a-1", "a-9")}
    history = replace(noting(), asked={"a-1": decision}, approvals=yes)
    after, _ = commit(history, [Settled(decision)], NOW)
    assert (["a-1"] if kept else []) == list(after.approvals) == list(after.asked)


def test_question_that_is_asked_no_more_has_lapsed() -> None:
    """On other facts; that is an end, with the reason."""
    decision = replace(made(Scale(workload="web", release="r1", replicas=1, stops=("web-2",))), state="asked")
    after, (closed,) = commit(replace(noting(), asked={"a-1": decision}), [], NOW)
    assert ({}, "a-1", "lapsed") == (after.asked, closed.action, closed.result)
    assert ("its facts have changed", (closed,)) == (closed.detail, after.closed)
    behind, none = commit(replace(noting(), asked={"a-1": decision}), [], NOW, frozenset({"web"}))
    assert ({"a-1": decision}, ()) == (behind.asked, none)


def test_all_that_crash_in_one_pass_are_counted() -> None:
    """Two of the candidate at once are two, whoever else ends beside them."""
    history = noting(rollout=RolloutState(candidate="r2", stable="r1", crashes=1))
    memory = after(facts(web=[of("r2", crashed), of("r2", crashed), of("r3", crashed), up]), history)
    assert memory.rollout is not None
    assert 3 == memory.rollout.crashes


def test_person_is_asked_to_look_since_when_it_was_first_said() -> None:
    """Who was handed over before keeps that instant; who is no more is forgotten."""
    said = [finding("needs-a-person", each, "no more") for each in ("web-1", "web-2")]
    history = replace(noting(), handed_over={"web-1": 9.0, "web-7": 9.0})
    after_all = handed_over(history, [*said, finding("repair-waits", "web-3", "soon")], NOW)
    assert {"web-1": 9.0, "web-2": NOW} == after_all.handed_over


def test_two_samples_are_joined_by_how_long_each_held() -> None:
    """Whatever is followed; what only one of them knows is known."""
    one = Sample(at=0.0, in_flight=1.0, latency_p99_s=2.0, ready=4.0, readings=1)
    other = Sample(at=1.0, in_flight=5.0, rate_per_s=3.0, latency_p99_s=6.0, ready=8.0, readings=2)
    joined = Sample(at=0.0, in_flight=4.0, rate_per_s=3.0, latency_p99_s=5.0, ready=7.0, readings=3)
    assert joined == _joined(one, other, 4.0)


@pytest.mark.parametrize(("silent", "missing"), [("", True), (HEALTH, True), (PROCESSES, False)])
def test_who_is_missing_is_only_known_by_processes(silent: str, *, missing: bool) -> None:
    """While they are silent nobody is missed."""
    seen = facts(web=[up], silent={silent: 1.0} if silent else {})
    assert ({"r1": NOW} if missing else {}) == after(seen, noting()).missing_since

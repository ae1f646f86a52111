"""Moments: what each time and each count in the controllers' rules means, at it and just beside it."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import Timing, Why, grow
from lamplighter.controllers.housekeeping import housekeeping
from lamplighter.controllers.needs import awaited, lacking
from lamplighter.controllers.numbers import Numbers, lost, numbers
from lamplighter.controllers.repair import repair
from lamplighter.controllers.rollout import failure, progress, rollout
from lamplighter.controllers.scaling import held_s, scaling
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.model.actions import Forget, Idle, Ready, Replace, Scale, Shares
from lamplighter.model.decisions import Decision, Priority, Verdict
from lamplighter.model.facts import HEALTH, TRAFFIC, Facts, Load
from lamplighter.model.history import Closed, History, Pending, RolloutState, Sample, WorkloadHistory
from lamplighter.model.system import Guards, Resources, System
from lamplighter.model.system import Scale as Autoscale
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
    system,
    unknown,
    up,
)

ENDED = Shape(phase=crashed.phase, ready=False, exit=crashed.exit, draining_since=1.0)
TWO = system(web=2)
SCALED = system(web=(1, 4))


def seen(known: Facts) -> Survey:
    """Return facts as controllers read them."""
    return Survey(trusted(known, NOW), NOW)


def noting(wanted: System, /, **web: object) -> History:
    """Return the history of a system at rest, with something noted of `web`."""
    history = settled(wanted)
    return replace(history, workloads={"web": replace(history.workloads["web"], **web)})


def kept(*shapes: Shape, **web: object) -> tuple[str, ...]:
    """Return the records that housekeeping lets go."""
    verdict = housekeeping(TWO, seen(facts(web=shapes)), noting(TWO, **web))
    return tuple(
        name for each in verdict.proposals if isinstance(each.action, Forget) for name in each.action.replicas
    )


@pytest.mark.parametrize(("age_s", "goes"), [(59.9, ()), (60.0, ("web-3",)), (61.0, ("web-3",))])
def test_record_of_a_drained_one_goes_after_a_minute(age_s: float, goes: tuple[str, ...]) -> None:
    """For so long a person can look at it."""
    assert goes == kept(up, up, ENDED, ended={"web-3": NOW - age_s})


def test_five_records_are_kept_and_the_oldest_go_first() -> None:
    """Of six that ended one after the other the first one goes, young as it is."""
    ended = {f"web-{number}": NOW - 10 + number for number in range(3, 9)}
    assert ("web-3",) == kept(up, up, *[ENDED] * 6, ended=ended)
    assert () == kept(up, up, *[ENDED] * 5, ended=ended)


def test_record_of_one_that_is_owed_stays() -> None:
    """It was not told to end, nobody has taken its place, and it is wanted: that is evidence."""
    old = {"web-2": NOW - 99}
    assert () == kept(up, crashed, ended=old)
    assert ("web-2",) == kept(up, crashed, ended=old, replaced={"web-2": "web-3"})
    assert ("web-2",) == kept(up, crashed, ended=old, wanted={"r1": 1})
    assert ("web-3",) == kept(up, crashed, ENDED, ended={"web-3": NOW - 99})


@pytest.mark.parametrize(
    ("lives", "at_risk", "stops"),
    [(2, 0.5, 0), (3, 0.5, 1), (5, 0.5, 2), (5, 0.2, 1), (5, 1.0, 3)],
)
def test_too_many_are_drained_as_fast_as_may_be_at_risk(lives: int, at_risk: float, stops: int) -> None:
    """The number that is to stay then is what is left: one step on the way to what is settled."""
    wanted = replace(TWO, guards=Guards(at_risk=at_risk))
    verdict = housekeeping(wanted, seen(facts(web=[up] * lives)), settled(wanted))
    actions = [each.action for each in verdict.proposals]
    assert [(lives - stops, stops)][: stops > 0] == [
        (each.replicas, len(each.stops)) for each in actions if isinstance(each, Scale)
    ]


@pytest.mark.parametrize(
    ("load", "stops"),
    [
        ((Sample(at=NOW - 1, in_flight=90.0, readings=1),), 0),
        ((Sample(at=NOW - 20, in_flight=0.0, readings=9),), 1),
        ((), 1),
        ((Sample(at=NOW - 20, readings=0),), 1),
    ],
)
def test_too_many_are_not_drained_on_the_first_reading_of_a_load(
    load: tuple[Sample, ...], stops: int
) -> None:
    """A successor knows no number that was settled without a record: scaling says first what is needed."""
    verdict = housekeeping(SCALED, seen(facts(web=[up] * 3, wanted=SCALED)), noting(SCALED, samples=load))
    assert stops == len([each for each in verdict.proposals if isinstance(each.action, Scale)])


@pytest.mark.parametrize(("wanted", "stops"), [(SCALED, 1), (None, 0)])
def test_too_many_are_not_drained_while_scaling_waits_for_the_gateway(
    wanted: System | None, stops: int
) -> None:
    """What is needed is said first, and that waits until the gateway follows the spec in force."""
    known = facts(web=[up] * 3, wanted=wanted)
    quiet = (Sample(at=NOW - 20, in_flight=0.0, readings=9),)
    verdict = housekeeping(SCALED, seen(known), noting(SCALED, samples=quiet))
    assert stops == len([each for each in verdict.proposals if isinstance(each.action, Scale)])


@pytest.mark.parametrize(("unready_s", "gone"), [(9.9, False), (10.0, True)])
def test_release_is_lost_after_ten_seconds(unready_s: float, *, gone: bool) -> None:
    """Nothing of it has served for so long, known so; one that is not known may serve."""
    since = {"web-1": NOW - unready_s, "web-2": NOW - 99}
    survey = seen(facts(web=[hung, hung]))
    memory = WorkloadHistory(stable="r1", wanted={"r1": 2}, not_ready_since=since)
    assert gone == lost(memory, survey, "web", "r1")
    assert not lost(replace(memory, not_ready_since={"web-2": 1.0}), survey, "web", "r1")


def test_release_with_nothing_left_is_lost_once_it_is_missing_long_enough() -> None:
    """At once where none of it is wanted."""
    nobody, memory = seen(facts(web=[])), WorkloadHistory(stable="r1", wanted={"r1": 2})
    assert not lost(memory, nobody, "web", "r1")
    assert lost(replace(memory, missing_since={"r1": NOW - 10}), nobody, "web", "r1")
    assert not lost(replace(memory, missing_since={"r1": NOW - 9.9}), nobody, "web", "r1")
    assert lost(replace(memory, wanted={"r1": 0}), nobody, "web", "r1")


SERVES = of("r2")
CANDIDATE = RolloutState(candidate="r2", stable="r1", started_at=20.0)


def fails(state: RolloutState, *closed: Closed, shape: Shape = SERVES, **noted: object) -> str:
    """Return why a candidate has failed."""
    wanted = service("web", 2)
    survey = seen(facts(web=[up, shape]))
    memory = WorkloadHistory(stable="r1", rollout=state, **noted)  # type: ignore[arg-type]
    return failure(memory, state, wanted, survey, History(closed=closed))


@pytest.mark.parametrize(
    ("crashes", "reason"), [(2, ""), (3, "3 of its replicas ended soon after their start")]
)
def test_three_crashes_end_a_rollout(crashes: int, reason: str) -> None:
    """Two may be bad luck."""
    assert reason == fails(replace(CANDIDATE, crashes=crashes))


@pytest.mark.parametrize(
    ("count", "at", "result", "subject", "given_up"),
    [
        (5, 20.0, "refused", "web/r2", True),
        (5, 30.0, "failed", "web/r2", True),
        (5, 30.0, "undone", "web/r2", True),
        (4, 30.0, "refused", "web/r2", False),
        (5, 19.9, "refused", "web/r2", False),
        (5, 30.0, "verified", "web/r2", False),
        (5, 30.0, "lapsed", "web/r2", False),
        (5, 30.0, "refused", "web/r1", False),
    ],
)
def test_five_refusals_end_a_rollout(
    count: int, at: float, result: str, subject: str, *, given_up: bool
) -> None:
    """Of this candidate, since its rollout began; the reason is the target's last word."""
    ends = [Closed(action="a", at=at, result=result, subject=subject, detail=f"no {n}") for n in range(count)]  # type: ignore[arg-type]
    reason = f"it could not be started 5 times: no {count - 1}" if given_up else ""
    assert reason == fails(CANDIDATE, *ends)


@pytest.mark.parametrize(("short_s", "given_up"), [(9.9, False), (10.0, True)])
def test_ten_seconds_short_of_replicas_end_a_rollout(short_s: float, *, given_up: bool) -> None:
    """Time for one repair."""
    assert given_up == bool(fails(replace(CANDIDATE, shortfall_since=NOW - short_s)))


@pytest.mark.parametrize(
    ("age_s", "failing_s", "served", "given_up"),
    [
        (60.0, 60.0, False, True),
        (59.9, 59.9, False, False),
        (60.0, 0.1, False, False),
        (60.0, 60.0, True, False),
    ],
)
def test_candidate_that_is_not_ready_in_its_start_timeout(
    age_s: float, failing_s: float, *, served: bool, given_up: bool
) -> None:
    """It was seen to fail for as long as its spec bears, and never served."""
    shape = of("r2", replace(hung, started_at=NOW - age_s))
    first = {"web-2": 9.0} if served else {}
    reason = fails(CANDIDATE, shape=shape, not_ready_since={"web-2": NOW - failing_s}, first_ready=first)
    assert ("web-2 was not ready 60 s after its start" if given_up else "") == reason


def moved(state: RolloutState, shares: dict[str, float], *web: Shape, **noted: object) -> RolloutState | None:
    """Return the rollout after a pass over these facts."""
    known = replace(facts(web=web), shares={"web": shares})
    memory = WorkloadHistory(stable=state.stable, rollout=state, capacity=4, **noted)  # type: ignore[arg-type]
    wanted = service("web", 4)
    policy = replace(wanted.rollout, steps=(0.25, 0.5, 1.0), bake_s=10.0)
    return progress(memory, replace(wanted, rollout=policy), seen(known), History()).rollout


FOUR, ONE = [up] * 4, [of("r2")]


@pytest.mark.parametrize(
    ("share", "since", "then"),
    [
        (0.25, None, (0, NOW)),
        (0.246, None, (0, NOW)),
        (0.24, None, (0, None)),
        (0.24, 55.0, (0, None)),
        (0.25, NOW - 9.9, (0, NOW - 9.9)),
        (0.25, NOW - 10, (1, None)),
        (0.0, None, (0, None)),
    ],
)
def test_step_bakes_from_when_its_share_is_in_force(
    share: float, since: float | None, then: tuple[int, float | None]
) -> None:
    """Half a percent is rounding; after ten seconds comes the next step."""
    state = moved(replace(CANDIDATE, step_since=since), {"r1": 1 - share, "r2": share}, *FOUR, *ONE)
    assert state is not None
    assert then == (state.step, state.step_since)


@pytest.mark.parametrize(
    ("ready", "wanted", "before", "short"),
    [(1, 1, None, None), (0, 1, None, NOW), (0, 1, 55.0, 55.0), (0, 0, None, None), (1, 1, 55.0, None)],
)
def test_shortfall_counts_from_when_fewer_serve_than_are_owed(
    ready: int, wanted: int, before: float | None, short: float | None
) -> None:
    """What nobody has settled yet is not owed."""
    state = replace(CANDIDATE, shortfall_since=before)
    after = moved(
        state, {"r1": 0.75, "r2": 0.25}, *FOUR, *[of("r2", up if ready else hung)], wanted={"r2": wanted}
    )
    assert after is not None
    assert short == after.shortfall_since


@pytest.mark.parametrize(
    ("now", "verdict", "short"), [(up, "", None), (unknown(NOW), "", None), (hung, "failed", 40.0)]
)
def test_shortfall_is_judged_by_who_serves_now(now: Shape, verdict: str, short: float | None) -> None:
    """Nobody looked for half a minute: one that serves by now, or may, is no reason to give up."""
    state = replace(CANDIDATE, shortfall_since=40.0)
    after = moved(state, {"r1": 0.75, "r2": 0.25}, *FOUR, of("r2", now), wanted={"r2": 1})
    assert after is not None
    assert (verdict, short) == (after.verdict, after.shortfall_since)


@pytest.mark.parametrize(("stable", "since"), [(40.0, None), (NOW - 9, 45.0)])
def test_shortfall_does_not_count_while_nothing_of_stable_serves(stable: float, since: float | None) -> None:
    """Then the candidate has been given more than it was started for, and nobody could take it back."""
    state = replace(CANDIDATE, shortfall_since=45.0)
    after = moved(
        state,
        {"r2": 1.0},
        *[hung] * 2,
        of("r2", hung),
        wanted={"r1": 2, "r2": 1},
        not_ready_since={"web-1": stable, "web-2": stable},
    )
    assert after is not None
    assert since == after.shortfall_since


def test_last_step_is_the_end() -> None:
    """With all of the traffic and enough ready it is promoted; with too few it is not."""
    last = replace(CANDIDATE, step=2)
    full, few = (moved(last, {"r2": 1.0}, *FOUR, *[of("r2")] * count) for count in (4, 3))
    assert full is not None
    assert few is not None
    assert (("promoted", NOW), ("", None)) == ((full.verdict, full.ended_at), (few.verdict, few.ended_at))


@pytest.mark.parametrize(("returns", "held"), [(0, 60.0), (1, 120.0), (3, 480.0), (4, 600.0), (9, 600.0)])
def test_number_is_held_longer_each_time_it_had_to_come_back(returns: int, held: float) -> None:
    """A calm window, doubling, ten minutes at the most; a longer window is held for itself."""
    assert held == held_s(Autoscale(), WorkloadHistory(returns=returns))
    assert 900.0 == held_s(Autoscale(window_s=900.0), WorkloadHistory(returns=returns))


FALLEN = (Sample(at=0.0, in_flight=0.0, readings=9),)


def drained(silent: tuple[str, ...] = (), wanted: System = SCALED, **noted: object) -> int:
    """Return how many of four idle replicas scaling would drain."""
    known = facts(web=[up] * 4, wanted=wanted, silent=dict.fromkeys(silent, 1.0))
    memory = {"capacity": 4, "wanted": {"r1": 4}, "samples": FALLEN, **noted}
    verdict = scaling(wanted, seen(known), noting(wanted, **memory))
    return sum(len(each.action.stops) for each in verdict.proposals if isinstance(each.action, Scale))


@pytest.mark.parametrize(
    ("noted", "stops"),
    [
        ({}, 2),
        ({"scaled_up_at": NOW - 59.9}, 0),
        ({"scaled_up_at": NOW - 60.0}, 2),
        ({"scaled_up_at": NOW - 60.0, "returns": 1}, 0),
        ({"scaled_down_at": NOW - 5.9}, 0),
        ({"scaled_down_at": NOW - 6.0}, 2),
    ],
)
def test_fall_of_load_waits_for_both_windows(noted: dict[str, object], stops: int) -> None:
    """A calm window after more, a panic window after fewer."""
    assert stops == drained(**noted)


@pytest.mark.parametrize("source", [TRAFFIC, HEALTH])
def test_fall_of_load_changes_nothing_while_it_or_health_is_not_known(source: str) -> None:
    """The total stays as it is: not even the number is lowered."""
    assert 0 == drained((source,))


@pytest.mark.parametrize(
    ("idle_s", "state", "to"),
    [(300.0, None, 0), (299.9, None, 1), (None, None, 1), (300.0, CANDIDATE, 1)],
)
def test_zero_is_reached_after_its_idle_time(
    idle_s: float | None, state: RolloutState | None, to: int
) -> None:
    """Known all that time, and nothing is rolled out."""
    wanted = system(web=(0, 4))
    since = None if idle_s is None else NOW - idle_s
    known = replace(
        facts(web=[up], wanted=wanted), loads={"web": Load(in_flight=0, queued=0, rate_per_s=0.0)}
    )
    history = noting(wanted, capacity=1, wanted={"r1": 1}, idle_since=since, samples=FALLEN, rollout=state)
    totals = [each.capacity for each in scaling(wanted, seen(known), history).proposals]
    assert ([0] if to == 0 else []) == totals


LIMITED = system(web=service("web", 2, resources=Resources(memory_bytes=100)))


def cured(verdict: Verdict) -> list[str]:
    """Return the replicas that are to be replaced, or have a successor started."""
    return [each.subject for each in verdict.proposals if isinstance(each.action, Replace | Scale)]


@pytest.mark.parametrize(("over_s", "sick"), [(2.9, []), (3.0, ["web-1"])])
def test_memory_may_be_exceeded_for_a_moment(over_s: float, sick: list[str]) -> None:
    """Three seconds: one reading in the middle of a collection is no leak."""
    history = noting(LIMITED, over_memory_since={"web-1": NOW - over_s})
    assert sick == cured(repair(LIMITED, seen(facts(web=[up, up])), history))


def test_successor_of_what_uses_too_much_waits_while_more_live_than_are_settled() -> None:
    """What is too many goes first."""
    history = noting(LIMITED, over_memory_since={"web-1": 1.0})
    assert [] == cured(repair(LIMITED, seen(facts(web=[up, up, up])), history))


@pytest.mark.parametrize(("missing_s", "restored"), [(4.9, []), (5.0, ["web/r1"])])
def test_missing_ones_are_started_again_after_late_facts_would_have_come(
    missing_s: float, restored: list[str]
) -> None:
    """As many as are missing, by one Scale."""
    verdict = repair(TWO, seen(facts(web=[])), noting(TWO, missing_since={"r1": NOW - missing_s}))
    assert restored == [each.subject for each in verdict.proposals]
    assert all(each.action.starts == ("", "") for each in verdict.proposals)  # type: ignore[union-attr]


@pytest.mark.parametrize(("high", "surge", "waits"), [(2, 1, False), (2, 0, True), (3, 0, False)])
def test_rollout_says_that_it_has_no_room_only_where_there_is_none(
    high: int, surge: int, *, waits: bool
) -> None:
    """`min` of two that all carry traffic, and no replica beyond them allowed."""
    plain = service("web", (2, high), scale=None)
    wanted = system(web=replace(plain, rollout=replace(plain.rollout, surge=surge)))
    history = noting(wanted, rollout=CANDIDATE)
    verdict = rollout(wanted, seen(facts(web=[up, up], wanted=wanted)), history)
    assert (["rollout-has-no-room"] if waits else []) == [each.kind for each in verdict.findings]


def test_numbers_of_a_workload_at_rest_are_what_they_are() -> None:
    """No shares are set anew, and nothing says that there is no room."""
    memory = settled(TWO).workloads["web"]
    survey = seen(facts(web=[up, up]))
    assert Numbers({"r1": 2}, None, no_room=False) == numbers(memory, TWO.services["web"], survey, 2)
    drains = seen(facts(web=[up, up, replace(draining, release="r0")]))
    assert Numbers({"r0": 0, "r1": 2}) == numbers(memory, TWO.services["web"], drains, 2)
    rolling = WorkloadHistory(stable="r1", capacity=4, wanted={"r1": 4, "r2": 1}, rollout=CANDIDATE)
    quarter = replace(facts(web=[up] * 4 + [of("r2")]), shares={"web": {"r1": 0.75, "r2": 0.25}})
    plain = service("web", (4, 8))
    step = replace(plain, rollout=replace(plain.rollout, steps=(0.25, 1.0)))
    assert Numbers({"r1": 4, "r2": 1}) == numbers(rolling, step, seen(quarter), 4)


def fewer(survey: Survey, plan: System, /, **noted: object) -> list[tuple[str, tuple[str, ...]]]:
    """Return what rollout would stop, by release."""
    verdict = rollout(plan, survey, noting(plan, **noted))
    return [(each.subject, each.action.stops) for each in verdict.proposals if isinstance(each.action, Scale)]


def test_release_without_traffic_goes_whole_known_to_serve_or_not() -> None:
    """Also where more of it were still to come: those are called off with it."""
    unknown = of("r2", replace(up, ready=None))
    known = facts(web=[up, up, unknown], wanted=TWO)
    numbers_of = {"r1": 2, "r2": 1}
    assert [("web/r2", ("web-3",))] == fewer(seen(known), TWO, wanted=numbers_of)
    assert [("web/r2", ("web-3",))] == fewer(seen(known), TWO, wanted={"r1": 2, "r2": 0})
    more = grow("web", "r2", (1, 1, 2), Why("rollout", Priority.ROLLOUT, "a test"), Timing(9.0, 9.0))
    chosen = replace(more, action=replace(more.action, starts=("web-9",)))  # type: ignore[type-var]
    decision = Decision(id="a-1", at=NOW, subject="web/r2", chosen=chosen, state="act", basis="b")
    coming = Survey(trusted(known, NOW), NOW, {"a-1": Pending(decision=decision)})
    assert [("web/r2", ("web-3",))] == fewer(coming, TWO, wanted=numbers_of | {"r2": 2})


@pytest.mark.parametrize(("requests", "stops"), [(0, [("web/r1", ("web-1",))]), (3, []), (None, [])])
def test_last_that_serves_goes_to_zero_only_where_nobody_asks(
    requests: int | None, stops: list[tuple[str, tuple[str, ...]]]
) -> None:
    """One that was started without a record lives at zero: it is drained only if that is known to be idle."""
    plan = system(web=(0, 2))
    known = replace(facts(web=[up], wanted=plan), loads={"web": Load(in_flight=requests)})
    assert stops == fewer(seen(known), plan, capacity=0, wanted={"r1": 0})
    verdict = rollout(plan, seen(known), noting(plan, capacity=0, wanted={"r1": 0}))
    told = [
        (Idle(workload="web") in each.contract.needs, each.contract.blast_radius)
        for each in verdict.proposals
    ]
    assert [(True, 0.0)][: len(stops)] == told


def test_drain_that_is_cut_down_to_what_may_be_at_risk_needs_all_the_same() -> None:
    """As many ready, the traffic shared as it was, and each that stays or goes standing as it does."""
    wanted = replace(system(web=4), guards=Guards(at_risk=0.25))
    known = replace(facts(web=[up] * 6, wanted=wanted), shares={"web": {"r1": 1.0}})
    verdict = rollout(wanted, seen(known), noting(wanted, wanted={"r1": 6}))
    (proposal,) = verdict.proposals
    stopped = proposal.action.stops  # type: ignore[union-attr]
    needs = [each for each in proposal.contract.needs if isinstance(each, Ready | Shares)]
    assert (5, 1) == (proposal.action.replicas, len(stopped))  # type: ignore[union-attr]
    assert [
        Shares(workload="web", shares={"r1": 1.0}),
        Ready(workload="web", release="r1", at_least=6),
    ] == needs


@pytest.mark.parametrize(
    ("other", "missing", "first"),
    [([hung], ("db",), ()), ([], ("db",), ()), ([up], (), ("r1",)), ([of("r2"), hung], (), ("r2",))],
)
def test_what_has_never_served_waits_for_what_it_needs(
    other: list[Shape], missing: tuple[str, ...], first: tuple[str, ...]
) -> None:
    """Known to the history or not; what it needs must serve still right before it is started."""
    web = service("web", needs=("db", "odd"))
    wanted = replace(system(web=web), services={"web": web, "db": service("db")})
    survey = seen(facts(db=other))
    for history in (History(), History(workloads={"web": WorkloadHistory()})):
        assert missing == lacking(wanted, survey, web, history)
        assert first == tuple(each.release for each in awaited(wanted, survey, web, history))
    served = History(workloads={"web": WorkloadHistory(stable="r1")})
    assert ((), ()) == (lacking(wanted, survey, web, served), awaited(wanted, survey, web, served))

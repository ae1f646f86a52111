"""Bounds to the point: what happens at a limit, just below it and just beyond."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import victims
from lamplighter.controllers.kinds import KINDS
from lamplighter.controllers.load import needed
from lamplighter.controllers.numbers import active, at_once, replicas_for, step_share, steps
from lamplighter.controllers.repair import exhausted, next_try
from lamplighter.controllers.rollout import promoted
from lamplighter.model.facts import Phase, Replica
from lamplighter.model.findings import Severity
from lamplighter.model.history import RolloutState, Sample, WorkloadHistory
from lamplighter.model.system import Guards, Repair, Resources, RolloutPolicy, Scale
from lamplighter.testing.builders import service, system

POLICY = Repair(attempts=3, window_s=100.0, backoff_s=2.0)


def replica(name: str, **changes: object) -> Replica:
    """Return a replica that serves one request."""
    plain = Replica(id=name, workload="web", release="r1", phase=Phase.RUNNING, started_at=10.0)
    return replace(plain, **({"ready": True, "in_flight": 1} | changes))


def test_only_what_cannot_wait_for_a_person_is_urgent() -> None:
    """What is urgent needs somebody now; a warning is looked at; the rest is only noted."""
    urgent = {name for name, each in KINDS.items() if each.severity is Severity.URGENT}
    notes = {name for name, each in KINDS.items() if each.severity is Severity.NOTE}
    assert {"needs-a-person", "rollout-failed", "unrecordable"} == urgent
    assert {"repair-waits", "load-unknown", "waits-for-needs", "rollout-waits", "action-held"} == notes


@pytest.mark.parametrize(
    ("tries", "waits_s"),
    [((), 0.0), ((99.0,), 2.0), ((98.0, 99.0), 4.0), ((97.0, 98.0, 99.0), 8.0), ((0.0, 99.0), 2.0)],
)
def test_repair_waits_twice_as_long_each_time(tries: tuple[float, ...], waits_s: float) -> None:
    """The wait doubles from the back-off with each failure in the window, reckoned from the last start."""
    last_start = 100.0
    assert last_start + waits_s == next_try(POLICY, tries, last_start, 100.0)


def test_repair_waits_a_minute_at_the_most() -> None:
    """Doubling ends at a minute."""
    patient = replace(POLICY, attempts=20)
    assert 160.0 == next_try(patient, tuple(float(each) for each in range(90, 100)), 100.0, 100.0)


@pytest.mark.parametrize(
    ("now", "used_up"), [(30.0, True), (109.9, True), (110.0, False), (111.0, False), (500.0, False)]
)
def test_failure_counts_for_its_window(now: float, used_up: bool) -> None:  # noqa: FBT001
    """Three failures use a place up until the first of them is a whole window past."""
    assert used_up == exhausted(POLICY, (10.0, 20.0, 30.0), now)


@pytest.mark.parametrize(
    ("share", "total", "count"),
    [(0.0, 10, 0), (0.05, 10, 1), (0.25, 10, 3), (0.5, 4, 2), (0.504, 4, 2), (0.51, 4, 3), (1.0, 7, 7)],
)
def test_share_needs_its_replicas(share: float, total: int, count: int) -> None:
    """A share of the traffic needs that share of the replicas, whole ones; rounding asks for none more."""
    assert count == replicas_for(share, total)


@pytest.mark.parametrize(
    ("at_risk", "count", "most"), [(0.5, 4, 2), (0.5, 5, 2), (0.25, 3, 1), (0.0, 9, 1), (1.0, 3, 3)]
)
def test_one_at_least_may_be_drained(at_risk: float, count: int, most: int) -> None:
    """As many as may be at risk, rounded down, and never none."""
    assert most == at_once(replace(system(web=2), guards=Guards(at_risk=at_risk)), count)


@pytest.mark.parametrize(
    ("on", "sample", "need"),
    [
        ("in_flight", Sample(at=0, in_flight=20.0), 2.0),
        ("rate", Sample(at=0, rate_per_s=5.0), 0.5),
        ("cpu", Sample(at=0, cpu=10.0), 0.5),
        ("latency", Sample(at=0, latency_p99_s=20.0, ready=3.0), 6.0),
        ("latency", Sample(at=0, latency_p99_s=20.0, ready=0.0), None),
        ("in_flight", Sample(at=0, rate_per_s=5.0), None),
        ("rate", Sample(at=0, in_flight=5.0), None),
        ("cpu", Sample(at=0, in_flight=5.0), None),
        ("latency", Sample(at=0, in_flight=5.0, ready=3.0), None),
        ("in_flight", Sample(at=0, in_flight=0.0), 0.0),
    ],
)
def test_need_is_told_by_what_is_followed(on: str, sample: Sample, need: float | None) -> None:
    """Only the reading that is followed counts; without it nothing is known, and that is not zero."""
    scale = Scale(on=on, goal=10.0)  # type: ignore[arg-type]
    assert need == needed(sample, scale, Resources(cpu=2.0))


def test_least_useful_goes_first() -> None:
    """What cannot serve, then the least busy, then the newest, then by name; the busiest last."""
    there = [
        replica("busy", in_flight=9),
        replica("old"),
        replica("new", started_at=20.0),
        replica("a-new", started_at=20.0),
        replica("unready", ready=False, in_flight=5),
        replica("uncounted", in_flight=None),
    ]
    assert ("unready", "a-new", "new", "old", "busy", "uncounted") == victims(there, 6)
    assert ("unready", "a-new") == victims(there, 2)


@pytest.mark.parametrize(("too", "chosen"), [(False, ("known",)), (True, ("unknown", "known"))])
def test_unknown_one_is_chosen_only_where_it_may_be(too: bool, chosen: tuple[str, ...]) -> None:  # noqa: FBT001
    """A replica of which it is not known whether it serves may be the one that does."""
    there = [replica("known"), replica("unknown", ready=None)]
    assert chosen == victims(there, 2, unknown_too=too)


def test_steps_end_with_all_of_the_traffic() -> None:
    """A rollout goes through its steps and ends at the whole; a way back knows no steps."""
    stepped = service("web", rollout=RolloutPolicy(steps=(0.1, 0.5, 1.0)))
    state = RolloutState(candidate="r2", stable="r1")
    assert (0.1, 0.5, 1.0) == steps(state, stepped)
    assert [0.1, 0.5, 1.0, 1.0] == [step_share(replace(state, step=each), stepped) for each in range(4)]
    assert (1.0,) == steps(replace(state, at_once=True), stepped)


@pytest.mark.parametrize("verdict", ["promoted", "failed", "rolled-back", "superseded"])
def test_rollout_with_a_verdict_is_over(verdict: str) -> None:
    """Only a rollout without a verdict is under way."""
    state = RolloutState(candidate="r2", stable="r1")
    assert state == active(WorkloadHistory(rollout=state))
    assert active(WorkloadHistory(rollout=replace(state, verdict=verdict))) is None
    assert active(WorkloadHistory()) is None


@pytest.mark.parametrize(("at_once", "earlier"), [(False, ("r2", "r1", "r0")), (True, ("r1", "r0", "r2"))])
def test_what_was_left_by_order_comes_last(at_once: bool, earlier: tuple[str, ...]) -> None:  # noqa: FBT001
    """The former release is the first way back; one that a person left is the last."""
    memory = WorkloadHistory(stable="r2", earlier=("r1", "r3", "r0"))
    after = promoted(memory, RolloutState(candidate="r3", stable="r2", at_once=at_once), 50.0)
    assert ("r3", earlier) == (after.stable, after.earlier)
    assert after.rollout is not None
    assert ("promoted", 50.0) == (after.rollout.verdict, after.rollout.ended_at)


def test_ten_earlier_releases_are_remembered() -> None:
    """The eleventh is forgotten, the oldest first."""
    memory = WorkloadHistory(stable="new", earlier=tuple(f"r{each}" for each in range(10)))
    after = promoted(memory, RolloutState(candidate="newer", stable="new"), 50.0)
    assert ("new", *(f"r{each}" for each in range(9))) == after.earlier

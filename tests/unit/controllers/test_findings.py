"""Findings: of whom they are, and which evidence was looked at, was empty, or could not be had."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from lamplighter.controllers.housekeeping import housekeeping
from lamplighter.controllers.repair import repair
from lamplighter.controllers.rollout import rollout
from lamplighter.controllers.scaling import scaling
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.controllers.teardown import teardown
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Facts, Load, Phase
from lamplighter.model.findings import Finding
from lamplighter.model.history import History, RolloutState, Sample, WorkloadHistory
from lamplighter.model.system import Repair, Resources, System
from lamplighter.testing.builders import NOW, Shape, crashed, draining, facts, hung, service, settled, up
from lamplighter.testing.builders import system as of

Said = tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]
WEB = service(
    "web", 2, needs=("db",), resources=Resources(memory_bytes=100), repair=Repair(attempts=2, backoff_s=9.0)
)
WANTED = replace(of(web=WEB), services={"web": WEB, "db": service("db")})
SCALED = of(web=(2, 4))
MUTE = {PROCESSES: 3.0}


def said(findings: tuple[Finding, ...]) -> list[Said]:
    """Return of whom findings are, and their evidence; a subject alone stands in no message's place."""
    assert all(" " in each.message and " " not in each.subject for each in findings)
    return [
        (
            each.kind,
            each.subject,
            each.evidence.looked_at,
            each.evidence.empty,
            each.evidence.unavailable,
        )
        for each in findings
    ]


def seen(*web: Shape, wanted: System = WANTED, silent: dict[str, float] | None = None) -> Facts:
    """Return facts in which `db` serves and `web` stands so."""
    others = {"db": [up]} if "db" in wanted.services else {}
    return facts(wanted=wanted, silent=silent, web=web, **others)


def knowing(plan: System = WANTED, /, **web: object) -> History:
    """Return the history of a system at rest, with something noted of `web`."""
    history = settled(plan)
    memory = replace(history.workloads["web"], **web)
    return replace(history, workloads={**history.workloads, "web": memory})


def look(
    controller: Callable[..., object], known: Facts, history: History | None = None, wanted: System = WANTED
) -> list[Said]:
    """Return what a controller finds."""
    survey = Survey(trusted(known, NOW), NOW)
    found = controller(wanted, survey, history or settled(wanted))
    return said(found.findings)  # type: ignore[attr-defined]


@pytest.mark.parametrize("controller", [repair, teardown])
def test_silent_processes(controller: Callable[..., object]) -> None:
    """Who is silent is the subject, and what could not be had."""
    told = ("telemetry-silent", PROCESSES, (), (), (PROCESSES,))
    assert [told] == look(controller, seen(up, up, silent=MUTE))


def test_silent_health() -> None:
    """No replica is judged by it, and that is said once."""
    told = ("telemetry-silent", HEALTH, (), (), (HEALTH,))
    assert [told] == look(repair, seen(up, up, silent={HEALTH: 3.0}))


def test_replicas_of_unknown_phase() -> None:
    """They are left alone, whatever the source says of the others."""
    lost = replace(up, phase=Phase.UNKNOWN, ready=None)
    assert [("telemetry-silent", "replicas", (), (), (PROCESSES,))] == look(repair, seen(up, lost))


FAILING = {"first_ready": {"web-2": 1.0}, "not_ready_since": {"web-2": 1.0}}


@pytest.mark.parametrize(
    ("kind", "source", "second", "noted"),
    [
        ("replica-dead", PROCESSES, crashed, {}),
        ("replica-unresponsive", HEALTH, hung, FAILING),
        ("replica-not-ready", HEALTH, replace(hung, started_at=-99.0), {"not_ready_since": {"web-2": 1.0}}),
        ("replica-over-memory", "machine", up, {"over_memory_since": {"web-2": 1.0}}),
    ],
)
def test_replica_that_is_not_well(kind: str, source: str, second: Shape, noted: dict[str, object]) -> None:
    """The replica is the subject, and the source that showed it was looked at."""
    assert [(kind, "web-2", (source,), (), ())] == look(repair, seen(up, second), knowing(**noted))


def test_missing_replicas() -> None:
    """The workload is the subject: who is missing has no name."""
    history = knowing(missing_since={"r1": NOW - 9})
    assert [("replica-missing", "web", (), (), ())] == look(repair, seen(up), history)


def test_place_that_waits_and_place_that_is_used_up() -> None:
    """The failures are the evidence that a person gets."""
    dead = replace(crashed, started_at=NOW - 1)
    waits = look(repair, seen(up, dead), knowing(attempts={"web-2": (NOW - 1,)}))
    used_up = look(repair, seen(up, dead), knowing(attempts={"web-2": (20.0, 40.5)}))
    assert ("repair-waits", "web-2", (), (), ()) == waits[1]
    assert ("needs-a-person", "web-2", ("failures at 20, 40.5",), (), ()) == used_up[1]


@pytest.mark.parametrize(("repairs", "told"), [(4, False), (5, True)])
def test_frequent_repairs(repairs: int, *, told: bool) -> None:
    """More than each place's attempts together is said of the workload; what is long past does not count."""
    history = knowing(repairs=(NOW - 9999, *[NOW - 1] * repairs))
    frequent = [("repairs-frequent", "web", (), (), ())]
    assert (frequent if told else []) == look(repair, seen(up, up), history)


def test_overdue_drain_and_stranger() -> None:
    """A drain is looked up in processes, a stranger is only named."""
    late = replace(draining, draining_since=NOW - 46)
    known = facts(wanted=WANTED, web=[up, up, late], db=[up], odd=[up])
    told = [("not-ours", "odd", (), (), ()), ("drain-overdue", "web-3", (PROCESSES,), (), ())]
    assert told == look(housekeeping, known)


@pytest.mark.parametrize(("since_s", "told"), [(45.0, False), (45.1, True)])
def test_drain_may_take_its_deadline_and_a_little(since_s: float, *, told: bool) -> None:
    """Facts take a while to show an end: fifteen seconds beyond the thirty that it may drain."""
    known = seen(up, up, replace(draining, draining_since=NOW - since_s))
    assert told == bool(look(housekeeping, known))


def test_first_release_that_waits_for_what_it_needs() -> None:
    """Health was looked at, and none of those was ready in it."""
    history = knowing(stable="", wanted={}, rollout=RolloutState(candidate="r1"))
    known = facts(wanted=WANTED, db=[hung])
    told = ("waits-for-needs", "web", (HEALTH,), ("ready replicas of db",), ())
    assert [told] == look(rollout, known, history)


@pytest.mark.parametrize(
    ("silent", "unavailable"),
    [(MUTE, (PROCESSES,)), ({**MUTE, HEALTH: 1.0}, (PROCESSES, HEALTH)), ({}, ())],
)
def test_rollout_that_waits(silent: dict[str, float], unavailable: tuple[str, ...]) -> None:
    """What could not be had is named; nothing, where only the gateway is not set yet."""
    history = knowing(rollout=RolloutState(candidate="r2", stable="r1"))
    known = replace(seen(up, up, silent=silent), configured="")
    assert [("rollout-waits", "web", (), (), unavailable)] == look(rollout, known, history)


@pytest.mark.parametrize(
    ("silent", "empty", "unavailable"),
    [({TRAFFIC: 3.0}, (), (TRAFFIC,)), ({}, ("in_flight",), ())],
)
def test_load_that_is_not_known(
    silent: dict[str, float], empty: tuple[str, ...], unavailable: tuple[str, ...]
) -> None:
    """A silent source could not be had; one that answered without a reading was empty."""
    known = seen(up, up, wanted=SCALED, silent=silent)
    told = [("load-unknown", "web", (), empty, unavailable)]
    assert told == look(scaling, known, settled(SCALED), SCALED)


@pytest.mark.parametrize(("in_flight", "told"), [(35.0, False), (35.5, True)])
def test_load_beyond_what_is_allowed(in_flight: float, *, told: bool) -> None:
    """From a tenth more than what four replicas of eight each can do; the load was looked at."""
    samples = (Sample(at=0.0, in_flight=in_flight, readings=9),)
    known = replace(seen(up, up, up, up, wanted=SCALED), loads={"web": Load(in_flight=int(in_flight))})
    found = look(scaling, known, knowing(SCALED, samples=samples, capacity=4), SCALED)
    assert ([("load-exceeds-max", "web", (TRAFFIC,), (), ())] if told else []) == found


def test_workload_nobody_remembers_is_left_out() -> None:
    """A service that has no history yet is neither repaired nor scaled, and nothing is said of it."""
    known, nobody = seen(crashed, crashed), History(system=WANTED, workloads={})
    assert ([], []) == (look(repair, known, nobody), look(scaling, known, nobody))
    assert {} == WorkloadHistory().wanted


@pytest.mark.parametrize(
    ("wanted", "waits"), [({"r1": 2}, False), ({"r1": 1}, True), ({"r1": 1, "r2": 1}, False)]
)
def test_only_what_is_short_or_is_rolled_out_waits(wanted: dict[str, int], *, waits: bool) -> None:
    """A workload at its number misses nothing while nobody can look."""
    found = look(rollout, seen(up, up, silent=MUTE), knowing(wanted=wanted))
    assert ([("rollout-waits", "web", (), (), (PROCESSES,))] if waits else []) == found

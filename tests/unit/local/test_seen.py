"""What was read becomes facts; what was not read is None."""

import pytest

from lamplighter.model.facts import Exit, Phase, Replica
from lamplighter.targets.local.gateway.statistics import EndpointReading, Reading, ServiceReading
from lamplighter.targets.local.seen import EJECTED, Seen, replicas, unknown
from lamplighter.targets.local.supervisor.protocol import Observed, SeenReplica


def record(**changes: object) -> SeenReplica:
    """Return a running replica as the supervisor tells of it."""
    fields = {
        "id": "web-1",
        "workload": "web",
        "release": "r1",
        "phase": "running",
        "port": 1,
        "started_at": 5.0,
    }
    return SeenReplica(**{**fields, "pid": 42, **changes})


def endpoint(**changes: object) -> EndpointReading:
    """Return an endpoint as the gateway tells of it."""
    flags = {"health": "healthy", "ejected": False, "draining": False, "in_flight": 3}
    counts = dict.fromkeys(("connections", "tries", "errors", "timeouts", "unreachable"), 0)
    return EndpointReading(**{"id": "web-1", "port": 1, **flags, **counts, **changes})


def fact(each: SeenReplica, known: EndpointReading | None = None, once_ready: str = "") -> Replica:
    """Return the fact of one replica, with 100 s between the two clocks."""
    services = {"web": ServiceReading(endpoints={"web-1": known} if known else {})}
    reading = Reading(uptime_s=1, services=services)
    seen = Seen(Observed(now=9.0, pid=1, token=1, replicas=(each,)), reading, {42: (1000, 0.5)}, 100.0)
    return replicas(seen, frozenset({once_ready}))[0]


def test_a_replica_in_rotation_is_ready() -> None:
    """Checks passed: ready, running, with what it does and uses."""
    known = fact(record(), endpoint())
    assert (True, Phase.RUNNING, 3, 1000, 0.5, 105.0) == (
        known.ready,
        known.phase,
        known.in_flight,
        known.memory_bytes,
        known.cpu,
        known.started_at,
    )


@pytest.mark.parametrize(
    ("health", "ejected", "ready"),
    [("unhealthy", False, False), ("healthy", True, False), ("unknown", False, None)],
)
def test_readiness_is_what_the_gateway_saw(health: str, ejected: bool, ready: bool | None) -> None:  # noqa: FBT001
    """Failing checks or failing answers are not ready; no check yet is not known."""
    assert ready is fact(record(), endpoint(health=health, ejected=ejected)).ready


def test_an_ejected_replica_says_so() -> None:
    """Whoever repairs it can tell a lie about health from a failed check."""
    assert EJECTED == fact(record(), endpoint(ejected=True)).detail


def test_a_replica_that_the_gateway_does_not_know_is_not_known() -> None:
    """No word from the gateway is neither ready nor not ready, nor zero requests."""
    known = fact(record())
    assert (None, None, Phase.STARTING) == (known.ready, known.in_flight, known.phase)


def test_one_that_was_ready_once_is_running() -> None:
    """A replica that fails its checks later does not look as if it were starting."""
    assert Phase.RUNNING is fact(record(), endpoint(health="unhealthy"), once_ready="web-1").phase


def test_an_exit_is_proven() -> None:
    """What was reaped is gone: not ready, nothing in flight, with how it ended."""
    known = fact(record(phase="exited", exited_at=7.0, signal=9), endpoint())
    assert (Exit(at=107.0, signal=9, cause="ended by SIGKILL"), False, 0) == (
        known.exit,
        known.ready,
        known.in_flight,
    )


def test_silence_makes_a_replica_unknown_and_an_exit_stays() -> None:
    """With no supervisor, phases are unknown, and only the gateway's view still counts."""
    running = Replica(
        id="web-1", workload="web", release="r1", phase=Phase.RUNNING, started_at=1.0, ready=True
    )
    gone = Replica(id="web-2", workload="web", release="r1", phase=Phase.EXITED, started_at=1.0, ready=False)
    first, second = unknown((running, gone), None)
    assert (Phase.UNKNOWN, None, gone) == (first.phase, first.ready, second)

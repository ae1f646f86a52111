"""Counters become rates."""

from lamplighter.model.facts import Load, Phase, Replica
from lamplighter.targets.local.gateway.statistics import Answers, Reading, ServiceReading
from lamplighter.targets.local.loads import Loads, with_cpu


def reading(answers: int, failed: int = 0, in_flight: int = 0) -> Reading:
    """Return a reading of one service."""
    public = Answers(good=answers - failed, failed=failed)
    return Reading(uptime_s=1, services={"web": ServiceReading(public=public, in_flight=in_flight)})


def test_rates_are_over_the_time_since_the_last_reading() -> None:
    """A hundred answers in two seconds are fifty a second."""
    loads = Loads()
    loads.since_last(reading(100), 10.0)
    load = loads.since_last(reading(200, failed=4), 12.0)["web"]
    assert (50.0, 2.0) == (load.rate_per_s, load.errors_per_s)


def test_the_first_reading_has_no_rate() -> None:
    """What was counted before anyone looked is of no known time."""
    load = Loads().since_last(reading(100, in_flight=7), 10.0)["web"]
    assert (None, 7) == (load.rate_per_s, load.in_flight)


def test_a_gateway_that_started_again_counts_from_zero() -> None:
    """A count lower than before is a new count, not a negative rate."""
    loads = Loads()
    loads.since_last(reading(1000), 10.0)
    assert 5.0 == loads.since_last(reading(10), 12.0)["web"].rate_per_s


def test_two_looks_at_once_do_not_make_a_rate_of_nothing() -> None:
    """A second look within a moment keeps the rate and renews what is in flight."""
    loads = Loads()
    loads.since_last(reading(0), 10.0)
    loads.since_last(reading(100), 11.0)
    load = loads.since_last(reading(100, in_flight=3), 11.01)["web"]
    assert (100.0, 3) == (load.rate_per_s, load.in_flight)


def test_cores_are_those_of_all_replicas_together() -> None:
    """What is known is added up; a workload of which nothing is known has none, not zero."""
    used = [0.5, 0.25, None]
    replicas = [
        Replica(id=f"web-{n}", workload="web", release="r", phase=Phase.RUNNING, started_at=0, cpu=cpu)
        for n, cpu in enumerate(used)
    ]
    assert {"web": Load(cpu=0.75), "idle": Load()} == with_cpu({"idle": Load()}, replicas)

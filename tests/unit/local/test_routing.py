"""Replicas and shares become endpoints."""

from lamplighter.targets.local.gateway.table import Backend, Endpoint, Route, Table
from lamplighter.targets.local.supervisor.protocol import Phase
from lamplighter.targets.local.supervisor.routing import routed
from lamplighter.targets.local.supervisor.state import Replica

TABLE = Table(port=8080, backends=(Backend(name="web"),), routes=(Route("/", "web"),))


def replica(number: int, release: str = "r1", phase: Phase = "running") -> Replica:
    """Return a replica's record."""
    return Replica(
        id=f"web-{number}", workload="web", release=release, port=20_000 + number, started_at=0, phase=phase
    )


def endpoints(*replicas: Replica, **shares: float) -> tuple[Endpoint, ...]:
    """Return the endpoints of the one backend."""
    return routed(TABLE, replicas, {"web": shares} if shares else {}).backends[0].endpoints


def test_a_replica_is_in_from_its_start() -> None:
    """A running replica has an endpoint under its id, port and release."""
    assert (Endpoint("web-1", 20_001, release="r1"),) == endpoints(replica(1))


def test_one_that_is_gone_or_not_yet_there_is_out() -> None:
    """What has no process has no endpoint."""
    assert () == endpoints(replica(1, phase="exited"), replica(2, phase="intended"))


def test_one_that_drains_stays_in_marked() -> None:
    """Its requests in flight are still counted, and it gets no new one."""
    drained = endpoints(replica(1, phase="draining"), replica(2, phase="ending"), replica(3))
    assert [True, True, False] == [each.draining for each in drained]


def test_without_shares_all_weigh_the_same() -> None:
    """With no share set every replica gets its even part."""
    assert {1} == {each.weight for each in endpoints(replica(1), replica(2, "r2"))}


def test_a_share_is_kept_whatever_the_counts() -> None:
    """Three quarters over three replicas and a quarter over one weigh the same each."""
    weights = [
        each.weight
        for each in endpoints(*(replica(n) for n in (1, 2, 3)), replica(4, "r2"), r1=0.75, r2=0.25)
    ]
    assert 1 == len(set(weights))


def test_a_release_without_a_share_gets_nothing() -> None:
    """Neither a share of zero nor no share at all lets a request through."""
    known = endpoints(replica(1), replica(2, "r2"), replica(3, "r3"), r1=1.0, r2=0.0)
    assert [False, True, True] == [each.draining for each in known]


def test_shares_of_nothing_are_no_shares() -> None:
    """With every share at zero nothing is divided by zero and everything is spread evenly."""
    assert [(False, 1)] == [(each.draining, each.weight) for each in endpoints(replica(1), r1=0.0)]


def test_a_share_for_nobody_starves_nobody() -> None:
    """A release with a share and no replica leaves the whole to the others that have one."""
    (only,) = endpoints(replica(1, "r2"), r1=0.9, r2=0.1)
    assert not only.draining

"""Pools of agents in the spec: what lives in them, under which paths, and the hosts that they become."""

import pytest
from tests.unit.spec.specs import placed

from lamplighter.model.system import Health, Run, Scale
from lamplighter.spec import dump, parse

POOL = "system: x\nagents: {swarm: {agent: %s}}"


@pytest.mark.parametrize(
    ("agent", "paths"),
    [
        ("library.swarm", ("/agents",)),
        ("library.swarm:LineReader", ("/agents/line-reader",)),
        ("[a:Reader, b:Critic, c:Reader]", ("/agents/reader", "/agents/critic")),
        ("[a:Reader, b]", ("/agents",)),
        ("a, route: /ask/", ("/ask",)),
    ],
)
def test_paths(agent: str, paths: tuple[str, ...]) -> None:
    """A class has the path of its kind, a module all of /agents, unless a route is said."""
    assert paths == parse(POOL % agent).agents["swarm"].paths


def test_hosts_are_a_service() -> None:
    """At a site the hosts of a pool stand among the services, with all that a service has."""
    system = parse(
        POOL % "[a:B, a:C], partitions: 32, shards: 4, start_timeout: 5m, replicas: {min: 2, max: 4}"
    )
    host = system.at("here").services["swarm"]
    assert Run(kind="agents", value="--agents a:B,a:C --partitions 32 --shards 4") == host.run
    assert (Health(path="/healthz", start_timeout_s=300.0), Scale()) == (host.health, host.scale)
    assert ("/agents/b", ("/agents/c",)) == (host.route, host.routes)


def test_a_site_has_its_own_hosts() -> None:
    """An override of a pool is what its hosts are at that site."""
    system = parse(f"{POOL % 'a, at: {prod: {replicas: 3}}'}\nsites: {{here: {{}}, prod: {{}}}}")
    assert (1, 3) == tuple(system.at(site).services["swarm"].replicas.min for site in ("here", "prod"))


def test_hosts_are_not_printed() -> None:
    """A system at its site prints its pools, not the hosts that they become."""
    here = parse(POOL % "a:B").at("here")
    assert "services" not in dump(here)


def test_two_under_one_path() -> None:
    """Pools and services share the gateway: no path is claimed twice, said or not."""
    modules = "system: x\nagents:\n  one: {agent: a}\n  two: {agent: b}\n"
    service = "system: x\nservices:\n  w: {app: m:a, route: /agents}\nagents:\n  one: {agent: a}\n"
    assert [("duplicate-route", 4, 16)] == placed(modules)
    assert [("duplicate-route", 5, 16)] == placed(service)


def test_one_of_several_is_wrong() -> None:
    """What is no reference is told at its place, also in a list."""
    assert [("bad-reference", 2, 31)] == placed(POOL % "[a:B, 'a b']")

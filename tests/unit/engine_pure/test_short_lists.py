"""A list of processes that is short for a moment leaves what is remembered of them as it is."""

from msgspec.structs import replace
from tests.unit.engine_pure.world import World, service, system

from lamplighter.controllers.repair import MISSING_GRACE_S
from lamplighter.model.actions import Replace, Scale
from lamplighter.model.facts import TRAFFIC
from lamplighter.model.system import Range, Resources, RolloutPolicy


def unlisted(world: World, replica: str, for_s: float) -> None:
    """Let a replica live on, and be left out of the list for a while."""
    hidden = world.replicas.pop(replica)
    world.run(for_s)
    world.replicas[replica] = hidden
    world.once()


def replaced_once() -> World:
    """Return a world in which one replica has ended, and another serves in its place."""
    world = World().settle()
    world.kill("web-1")
    world.run(4.0)
    return world


def test_replica_stays_replaced_while_its_successor_is_not_listed() -> None:
    """The dead one needs no second successor since a list leaves the first one out for a moment."""
    world = replaced_once()
    unlisted(world, "web-3", for_s=2.0)
    assert ["web-3"] == [each.chosen.action.start for each in world.did(Replace)]  # type: ignore[union-attr]


def overweight(surge: int = 1) -> World:
    """Return a world of two, and the surge, in which traffic is silent, and one is too large."""
    small = service(
        replicas=Range(min=2, max=2),
        resources=Resources(memory_bytes=1000),
        rollout=RolloutPolicy(surge=surge),
    )
    world = World(system(small)).settle()
    world.silence(TRAFFIC)
    world.replicas["web-1"] = replace(world.replicas["web-1"], memory_bytes=2000)
    return world


def test_successor_that_is_not_listed_for_a_moment_is_not_started_twice() -> None:
    """The one that is too large keeps the successor that it has, whether there is room for another or not."""
    world = overweight(surge=2)
    world.run(8.0)
    unlisted(world, "web-3", for_s=3.0)
    assert [("web-3",)] == [each.chosen.action.starts for each in world.did(Scale)][1:]  # type: ignore[union-attr]


def test_one_that_is_not_listed_for_a_moment_takes_its_room() -> None:
    """One too many that is left out of the list lives all the same: nothing is started beside it."""
    world = overweight()
    world.replicas["web-3"] = replace(world.replicas["web-2"], id="web-3")
    world.run(8.0)
    unlisted(world, "web-3", for_s=3.0)
    assert {"web-1", "web-2", "web-3"} == world.replicas.keys()


def test_only_what_is_missing_for_long_is_started_anew() -> None:
    """One has been gone without a trace for a while, and a list leaves out another: one is started."""
    world = World(system(service(replicas=Range(min=4, max=8)))).settle()
    del world.replicas["web-4"]
    world.run(MISSING_GRACE_S - 1.0)
    unlisted(world, "web-3", for_s=4.0)
    assert [("web-5",)] == [each.chosen.action.starts for each in world.did(Scale)][1:]  # type: ignore[union-attr]


def test_what_is_not_listed_for_long_is_forgotten() -> None:
    """Nothing is kept for ever of replicas that nobody lists any more."""
    world = replaced_once()
    del world.replicas["web-1"], world.replicas["web-3"]
    world.run(MISSING_GRACE_S + 4.0)
    memory = world.history.workloads["web"]
    assert ({}, {}, {}) == (memory.replaced, memory.ended, memory.unlisted_since)

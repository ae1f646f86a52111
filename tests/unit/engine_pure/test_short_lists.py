"""A list of processes that is short for a moment leaves what is remembered of them as it is."""

from tests.unit.engine_pure.world import World

from lamplighter.controllers.repair import MISSING_GRACE_S
from lamplighter.model.actions import Replace


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


def test_what_is_not_listed_for_long_is_forgotten() -> None:
    """Nothing is kept for ever of replicas that nobody lists any more."""
    world = replaced_once()
    del world.replicas["web-1"], world.replicas["web-3"]
    world.run(MISSING_GRACE_S + 4.0)
    memory = world.history.workloads["web"]
    assert ({}, {}, {}) == (memory.replaced, memory.ended, memory.unlisted_since)

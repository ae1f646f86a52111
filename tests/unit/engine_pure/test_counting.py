"""Counting: two must not count on the same replicas in one pass, nor anybody on what is not known."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import Why, release_spare, shift
from lamplighter.controllers.repair import repair
from lamplighter.engine.conditions import holds
from lamplighter.engine.settle import settle
from lamplighter.model.actions import Scale, Shares
from lamplighter.model.decisions import Priority
from lamplighter.model.facts import HEALTH, PROCESSES
from lamplighter.model.system import Resources
from lamplighter.testing.builders import NOW, facts, of, service, settled, survey, system, up

SPARE = Scale(workload="web", release="r1", replicas=3, stops=("web-1",))


@pytest.mark.parametrize("priority", [Priority.SAFETY, Priority.ROLLOUT])
def test_nobody_makes_way_for_a_successor_while_traffic_goes_elsewhere(priority: Priority) -> None:
    """Who is to take the traffic of the others is not drained in the same pass, whichever comes first."""
    seen = survey(facts(web=[up] * 4))
    drain = release_spare(seen, SPARE, "web-4", Why("repair", Priority.REPAIR, "memory"))
    moved = shift(seen, "web", {"r1": 1.0}, Why("rollout", priority, "step"))
    assert 1 == len(settle([drain, moved], settled(system(web=3)), seen))


@pytest.mark.parametrize(("share", "drained"), [(0.2, 1), (0.0, 0)])
def test_only_who_gets_traffic_counts_when_one_makes_way(share: float, drained: int) -> None:
    """Of two that stay one is of a release without traffic: the other alone would be less than `min`."""
    wanted = system(web=service("web", 2, resources=Resources(memory_bytes=100)))
    seen = facts(web=[up, up, of("r2")])
    seen = replace(seen, shares={"web": {"r1": 1 - share, "r2": share}})
    history = settled(wanted, web=1)
    memory = replace(history.workloads["web"], replaced={"web-1": "web-2"}, over_memory_since={"web-1": NOW})
    said = repair(wanted, survey(seen), replace(history, workloads={"web": memory}))
    assert drained == len(said.proposals)


@pytest.mark.parametrize(("silent", "answer"), [((PROCESSES,), None), ((HEALTH,), None), ((), False)])
def test_shares_are_not_known_while_who_tells_them_is_silent(
    silent: tuple[str, ...],
    answer: bool | None,  # noqa: FBT001
) -> None:
    """A shift that nobody can see has not failed: undone, it would take from what serves by now."""
    seen = survey(facts(silent=dict.fromkeys(silent, 1.0), web=[up, of("r2")]))
    assert answer is holds(Shares(workload="web", shares={"r2": 1.0}), seen)

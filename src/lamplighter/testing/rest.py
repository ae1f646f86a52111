"""Rest: what must be so once nothing goes wrong any more. Judged by the world, as checkers do."""

from collections.abc import Iterator
from math import ceil, floor

from lamplighter.model.system import Service
from lamplighter.model.value import digest
from lamplighter.targets.simulated.journal import Standing
from lamplighter.targets.simulated.world import World
from lamplighter.testing.need import needed, overloaded
from lamplighter.testing.story import Story
from lamplighter.testing.witness import Witness

SHARE_TOLERANCE = 1e-3
SLACK = 0.2
"""A number of replicas may be so much away from what the load asks for: hysteresis and noise."""


MISLEADING = frozenset(
    {"health-lies", "blips", "gaps", "contradictions", "list-short", "checks-flap", "refusals"}
)
"""What may make a release look bad that is not."""


def unrest(world: World, witness: Witness, story: Story) -> list[str]:
    """Return everything that still keeps the world from being as it was ordered; empty at rest."""
    standings = [each for each in world.truth().replicas if not each.ended]
    if witness.system is None:
        return ["nothing was ever ordered"]
    if witness.down_at is not None:
        left = [f"{each.id} is still there" for each in standings]
        return left or (["the gateway is still configured"] if world.configured else [])
    found = (
        [] if world.configured == digest(witness.system) else ["the gateway is not as the spec in force says"]
    )
    left_to_people = beyond_help(witness, story)
    for name, service in witness.system.services.items():
        if name in left_to_people:
            continue
        mine = [each for each in standings if each.workload == name]
        found += _unrest(world, story, service, mine)
        found += _broken_promise(world, witness, name, {each.release for each in mine})
    names = witness.system.services
    return found + [f"{each.id} is of no workload" for each in standings if each.workload not in names]


def beyond_help(witness: Witness, story: Story) -> frozenset[str]:
    """Return the workloads of which a bad release was ordered with none to go back to.

    That is one that nothing else of has served since it was last down, but for what ends again and again:
    it is a first release, and only another order can help it. It goes on being repaired, and is no sign of
    unrest.
    """
    ordered = {name: orders[-1][1] for name, orders in witness.releases.items() if orders}
    frail = {each for each, ailment in story.ailing.items() if ailment.crash_after_s}
    return frozenset(
        name
        for name, release in ordered.items()
        if _hopeless(story, release) and not witness.better(name, release, *frail)
    )


def _unrest(world: World, story: Story, service: Service, mine: list[Standing]) -> Iterator[str]:
    name, bounds = service.name, service.replicas
    releases = sorted({each.release for each in mine})
    if not all(each.live and each.passing for each in mine):
        yield f"{name}: " + ", ".join(_odd(each) for each in mine if not (each.live and each.passing))
    if bounds.max + service.rollout.surge <= bounds.min:
        return  # no release can make way for another: the spec says so, and a finding how to mend it
    if not mine and bounds.min == 0 and not world.traffic.demand_per_s(name, world.now):
        return  # at zero, and nothing is asked of it
    if len(releases) != 1:
        yield f"{name} runs {len(releases)} releases: {', '.join(releases)}"
        return
    if not bounds.min <= len(mine) <= bounds.max:
        yield f"{name} has {len(mine)} replicas, not {bounds.min} to {bounds.max}"
    shares = world.shares.get(name, {})
    if abs(shares.get(releases[0], 0.0) - 1) > SHARE_TOLERANCE:
        yield f"{name} shares its traffic as {shares}, and runs {releases[0]}"
    if _hopeless(story, releases[0]):
        yield f"{name} runs {releases[0]}, which is bad"
    yield from _misfit(world, service, len(mine), releases[0])


def _broken_promise(world: World, witness: Witness, name: str, releases: set[str]) -> Iterator[str]:
    """Tell whether a workload runs another release than the one that was promised last, for no reason.

    Reasons are that one of its replicas has fared badly since, or seemed to; that the target would not; or
    that there is no room for two, where the last one that serves would have to end first: a finding says so.
    """
    at, release = witness.promised.get(name, (0.0, ""))
    service = witness.service(name)
    if not release or not releases or releases == {release} or service is None:
        return
    if service.replicas.max + service.rollout.surge <= max(1, service.replicas.min):
        return
    fared = max(witness.blemished.get((name, release), -1.0), witness.refused.get(name, -1.0))
    seemed = any(each in MISLEADING and ends >= at for each, (_, ends) in world.befalling.near.items())
    if fared < at and not seemed:
        yield f"{name} runs {', '.join(sorted(releases))}, and {release} was promised at {at:.0f}"


def _hopeless(story: Story, release: str) -> bool:
    ailment = story.ailing.get(release)
    return ailment is not None and (ailment.never_ready or ailment.crash_at_start_p >= 1)


def _odd(standing: Standing) -> str:
    how = "drains" if not standing.live else "hangs" if standing.hung else "is not ready"
    return f"{standing.id} {how}"


def _misfit(world: World, service: Service, count: int, release: str) -> Iterator[str]:
    """Tell whether the number is far from what the load asks for.

    Requests that callers repeat since they wait too long are asked for too, and where they keep each other
    waiting they do so for as long as nobody gives way: then as many as there may be are right as well. So
    they are where the goal asks for fewer than can do the work: the number swings, and stays up longer each
    time.
    """
    name = service.name
    if service.scale is None or service.scale.on == "latency" or name in world.traffic.bursting:
        return
    need = needed(world, service, world.now, release)
    low = min(service.replicas.max, max(service.replicas.min, floor(need * (1 - SLACK))))
    high = min(service.replicas.max, max(service.replicas.min, ceil(need * (1 + SLACK)) + 1))
    if world.traffic.storming(name, world.now) or overloaded(world, service, world.now, release):
        high = service.replicas.max
    if not low <= count <= high:
        yield f"{name} has {count} replicas, and its load asks for {need:.1f}"

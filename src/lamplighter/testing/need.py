"""Need: how many replicas a load truly needs, by the world's own arithmetic, not by readings."""

from math import ceil

from lamplighter.model.system import Service
from lamplighter.model.value import Instant
from lamplighter.targets.simulated import World
from lamplighter.targets.simulated.apps import UTILISATION_MAX, App, flow


def needed(world: World, service: Service, at: Instant, release: str = "") -> float:
    """Return how many replicas a service's true load needs, requests that are repeated left out.

    Never fewer than can do the work, whatever the goal.

    Args:
        world: with its demand, and what its releases are like.
        service: with a scale.
        at: by the demand of this instant.
        release: that serves; one that is slow needs more. Left out: one as fast as the app should be.
    """
    assert service.scale is not None
    app, rate = world.traffic.built(service.name, release), world.traffic.demand_per_s(service.name, at)
    if service.scale.on == "latency":
        return _fast_enough(app, service, rate)
    return max(_asked(app, service, rate), _busy(app, rate) / app.slots)


def overloaded(world: World, service: Service, at: Instant, release: str = "") -> bool:
    """Return whether the goal asks for fewer replicas than can do the work, for a release as it is.

    Then requests pile up at that number, and many more are asked for until they are worked off.
    """
    if service.scale is None or service.scale.on == "latency":
        return False
    app, rate = world.traffic.built(service.name, release), world.traffic.demand_per_s(service.name, at)
    number = max(service.replicas.min, ceil(_asked(app, service, rate)))
    return number * app.slots * UTILISATION_MAX < _busy(app, rate)


def _asked(app: App, service: Service, rate: float) -> float:
    assert service.scale is not None
    busy = _busy(app, rate)
    return {"in_flight": busy, "rate": rate, "cpu": busy / app.slots}[service.scale.on] / service.scale.goal


def _busy(app: App, rate: float) -> float:
    return rate * (app.service_s + app.long_p * app.long_s)


def _fast_enough(app: App, service: Service, rate: float) -> float:
    """Return the fewest replicas, within the spec's bounds, that answer within the goal."""
    assert service.scale is not None
    counts = range(max(1, service.replicas.min), max(1, service.replicas.max) + 1)
    fast = (each for each in counts if flow(app, each, rate, 0.0).latency_p99_s <= service.scale.goal)
    return float(next(fast, counts[-1]))

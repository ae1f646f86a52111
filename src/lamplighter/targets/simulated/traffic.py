"""Traffic: which replicas get requests, how many are in flight, and what has piled up.

A part of the world, which owns the replicas and the shares. Knows no target and no source.
"""

from typing import NamedTuple

from msgspec.structs import replace

from lamplighter.model.facts import Load
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.apps import Ailment, App, Flow, capacity_per_s, flow
from lamplighter.targets.simulated.bodies import Body
from lamplighter.targets.simulated.chance import Chance

Serving = dict[str, list[Body]]
"""Replicas of one workload that get requests, by release."""
Census = dict[str, Serving]
"""The same for every workload."""

HEALTHY = Ailment()
DIGITS = 3


class Ground(NamedTuple):
    """What traffic runs on. The dicts are the world's own, and change under it."""

    chance: Chance
    apps: dict[str, App]
    ailments: dict[str, Ailment]
    bodies: dict[str, Body]
    shares: dict[str, dict[str, float]]


class Traffic:
    """Requests, as a gateway would see them."""

    def __init__(self, ground: Ground) -> None:
        self.bursting: set[str] = set()
        self._ground = ground
        self._backlogs: dict[tuple[str, str], float] = {}

    def demand_per_s(self, workload: str, at: Instant) -> float:
        """Return the requests per second that come to a workload."""
        demand = self.app(workload).demand
        times = demand.burst_times if workload in self.bursting else 1.0
        return demand.rate_per_s(at) * times

    def app(self, workload: str) -> App:
        """Return what runs in a workload's replicas."""
        return self._ground.apps.setdefault(workload, App())

    def app_of(self, body: Body) -> App:
        """Return what runs in one replica: its release may be slower."""
        app = self.app(body.workload)
        times = self._ground.ailments.get(body.release, HEALTHY).slower_times
        return app if times == 1.0 else replace(app, service_s=app.service_s * times)

    def census(self) -> Census:
        """Return the replicas that get requests, by workload and release."""
        taking = {
            name: {release for release, share in shares.items() if share > 0}
            for name, shares in self._ground.shares.items()
        }
        found: Census = {}
        for each in self._ground.bodies.values():
            if each.serving and each.release in (taking.get(each.workload) or (each.release,)):
                found.setdefault(each.workload, {}).setdefault(each.release, []).append(each)
        return found

    def in_flight(self, body: Body, at: Instant, census: Census | None = None) -> int:
        """Draw how many requests one replica has in flight."""
        if body.draining_since is not None:
            return body.unfinished(at)
        if body.hung or not body.serving:
            return body.stuck
        serving = (census or self.census()).get(body.workload, {})
        if body.release not in serving:
            return 0
        mean = self._flow(serving, body.release, at).in_flight / len(serving[body.release])
        return self._ground.chance.count(f"flight/{body.workload}", mean)

    def load(self, workload: str, at: Instant, census: Census) -> Load:
        """Draw what a gateway would read of a workload now."""
        chance, demand = self._ground.chance, self.app(workload).demand
        serving = census.get(workload, {})
        flows = [(self._flow(serving, each, at), self._rate(serving, each, at)) for each in serving]
        asked = self.demand_per_s(workload, at)
        served = sum(rate for _, rate in flows)
        failing = sum(
            rate * sum(each.failing for each in bodies) / len(bodies)
            for bodies, (_, rate) in zip(serving.values(), flows, strict=True)
        )
        noise = 1 + chance.between(f"load/{workload}", -demand.noise, demand.noise)
        stuck = sum(each.stuck for each in self._ground.bodies.values() if each.workload == workload)
        return Load(
            in_flight=chance.count(f"load/{workload}", sum(each.in_flight for each, _ in flows)) + stuck,
            queued=round(sum(each.queued for each, _ in flows)),
            rate_per_s=round(asked * noise, DIGITS),
            errors_per_s=round((max(0.0, asked - served) + failing) * noise, DIGITS),
            latency_p50_s=_worst([each.latency_p50_s for each, _ in flows]),
            latency_p99_s=_worst([each.latency_p99_s for each, _ in flows]),
            cpu=round(sum(each.utilisation for each, _ in flows) / len(flows), DIGITS) if flows else None,
        )

    def pile_up(self, since: Instant, until: Instant) -> None:
        """Let what cannot be done in this time pile up, or be worked off; with nobody there it fails."""
        middle = (since + until) / 2
        held, self._backlogs = self._backlogs, {}
        for workload, serving in self.census().items():
            for release, bodies in serving.items():
                capacity = capacity_per_s(self.app_of(bodies[0]), len(bodies))
                surplus = self._rate(serving, release, middle) - capacity
                backlog = held.get((workload, release), 0.0) + surplus * (until - since)
                if backlog > 0:
                    self._backlogs[workload, release] = backlog

    def _flow(self, serving: Serving, release: str, at: Instant) -> Flow:
        bodies = serving[release]
        backlog = self._backlogs.get((bodies[0].workload, release), 0.0)
        return flow(self.app_of(bodies[0]), len(bodies), self._rate(serving, release, at), backlog)

    def _rate(self, serving: Serving, release: str, at: Instant) -> float:
        """Return the requests per second that come to the replicas of one release that serves."""
        bodies = serving[release]
        workload = bodies[0].workload
        shares = self._ground.shares.get(workload, {})
        asked = self.demand_per_s(workload, at)
        if any(share > 0 for share in shares.values()):
            return asked * shares.get(release, 0.0)
        return asked * len(bodies) / sum(len(each) for each in serving.values())


def _worst(latencies_s: list[float]) -> float | None:
    return round(max(latencies_s), DIGITS) if latencies_s else None

"""Traffic: which replicas get requests, how many are in flight, and what has piled up.

A part of the world, which owns the replicas and the shares. Knows no target and no source.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from lamplighter.model.facts import Load
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.apps import Ailment, App, Flow, capacity_per_s, flow
from lamplighter.targets.simulated.bodies import Body
from lamplighter.targets.simulated.chance import Chance

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

    def serving(self, workload: str) -> dict[str, list[Body]]:
        """Return the replicas that get requests, by release."""
        shares = self._ground.shares.get(workload, {})
        taking = {release for release, share in shares.items() if share > 0}
        found: dict[str, list[Body]] = {}
        for each in self._ground.bodies.values():
            if each.workload == workload and each.serving and (not taking or each.release in taking):
                found.setdefault(each.release, []).append(each)
        return found

    def in_flight(self, body: Body, at: Instant) -> int:
        """Draw how many requests one replica has in flight."""
        if body.draining_since is not None:
            return body.unfinished(at)
        if body.hung:
            return body.stuck
        peers = self.serving(body.workload).get(body.release, []) if body.serving else []
        if body not in peers:
            return 0
        mean = self._flow(peers, at).in_flight / len(peers)
        return self._ground.chance.count(f"flight/{body.workload}", mean)

    def load(self, workload: str, at: Instant) -> Load:
        """Draw what a gateway would read of a workload now."""
        chance, demand = self._ground.chance, self.app(workload).demand
        serving = self.serving(workload)
        flows = [(self._flow(each, at), self._rate(each, at)) for each in serving.values()]
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
        for workload in self._ground.apps:
            for release, bodies in self.serving(workload).items():
                surplus = self._rate(bodies, middle) - capacity_per_s(self.app_of(bodies[0]), len(bodies))
                backlog = held.get((workload, release), 0.0) + surplus * (until - since)
                self._backlogs[workload, release] = max(0.0, backlog)

    def _flow(self, bodies: list[Body], at: Instant) -> Flow:
        one = bodies[0]
        backlog = self._backlogs.get((one.workload, one.release), 0.0)
        return flow(self.app_of(one), len(bodies), self._rate(bodies, at), backlog)

    def _rate(self, bodies: list[Body], at: Instant) -> float:
        """Return the requests per second that come to these replicas, all that serve of one release."""
        one = bodies[0]
        shares: Mapping[str, float] = self._ground.shares.get(one.workload, {})
        asked = self.demand_per_s(one.workload, at)
        if sum(shares.values()) > 0:
            return asked * shares.get(one.release, 0.0)
        everyone = sum(len(each) for each in self.serving(one.workload).values())
        return asked * len(bodies) / everyone


def _worst(latencies_s: list[float]) -> float | None:
    return round(max(latencies_s), DIGITS) if latencies_s else None

"""Traffic: which replicas get requests, how many are in flight, and what has piled up.

A part of the world, which owns the replicas and the shares. Knows no target and no source.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import ceil
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
BACKLOG_S_MAX = 30.0
"""Nobody waits longer than this: a gateway gives up what is queued for so much work."""
WAITING_MAX = 1000.0
"""Requests of one workload at zero that a gateway holds; it refuses the rest."""
PATIENCE_S = 5.0
"""Callers that retry wait so long for an answer before they ask again."""


class Ground(NamedTuple):
    """What traffic runs on. The dicts are the world's own, and change under it."""

    chance: Chance
    apps: dict[str, App]
    ailments: dict[str, Ailment]
    bodies: dict[str, Body]
    shares: dict[str, dict[str, float]]


class Stream(NamedTuple):
    """The requests that come to the replicas of one release, at one instant."""

    bodies: list[Body]
    rate_per_s: float
    flow: Flow


Streams = dict[str, dict[str, Stream]]
"""By workload and release."""


class Traffic:
    """Requests, as a gateway would see them.

    Reckoned only when somebody looks, or when who serves is about to change: between two such instants
    the same replicas have the same shares of a load that hardly changes.
    """

    def __init__(self, ground: Ground) -> None:
        self.bursting: dict[str, float] = {}
        self._bursts: dict[str, list[tuple[Instant, float]]] = {}
        self.sleepers: frozenset[str] = frozenset()
        self.waiting: dict[str, float] = {}
        self._ground = ground
        self._backlogs: dict[tuple[str, str], float] = {}
        self._census: Census | None = None
        self._streams: Streams = {}
        self._reckoned_at: Instant = -1.0
        self._piled_until: Instant = 0.0
        self._slower: dict[tuple[str, float], App] = {}

    def demand_per_s(self, workload: str, at: Instant) -> float:
        """Return the requests per second that come to a workload at an instant, repeated ones left out."""
        rate = self.app(workload).demand.rate_per_s(at)
        for since, times in reversed(self._bursts.get(workload, ())):
            if since <= at:
                return rate * times
        return rate

    def burst(self, workload: str, at: Instant, times: float) -> None:
        """Multiply the requests that come to a workload from an instant on; 1 is as many as ever."""
        self.changed(at)
        self._bursts.setdefault(workload, []).append((at, times))
        if times == 1:
            self.bursting.pop(workload, None)
        else:
            self.bursting[workload] = times

    def storming(self, workload: str, at: Instant) -> bool:
        """Return whether callers ask again because they wait too long, and so keep waiting."""
        if not self.app(workload).demand.retries:
            return False
        streams = self._streams_at(at).get(workload, {}).values()
        return any(each.rate_per_s > self.demand_per_s(workload, at) for each in streams)

    def app(self, workload: str) -> App:
        """Return what runs in a workload's replicas."""
        return self._ground.apps.setdefault(workload, App())

    def app_of(self, body: Body) -> App:
        """Return what runs in one replica."""
        return self.built(body.workload, body.release)

    def built(self, workload: str, release: str) -> App:
        """Return what runs in the replicas of a release: it may be slower."""
        app = self.app(workload)
        times = self._ground.ailments.get(release, HEALTHY).slower_times
        if times == 1.0:
            return app
        key = (workload, times)
        if key not in self._slower:
            self._slower[key] = replace(app, service_s=app.service_s * times)
        return self._slower[key]

    def changed(self, at: Instant) -> None:
        """Hear that who serves, or with which share, changes at this instant."""
        self._pile_up(at)
        self._census = None
        self._reckoned_at = -1.0

    def census(self) -> Census:
        """Return the replicas that get requests, by workload and release."""
        if self._census is not None:
            return self._census
        taking = {
            name: {release for release, share in shares.items() if share > 0}
            for name, shares in self._ground.shares.items()
        }
        found: Census = {}
        for each in self._ground.bodies.values():
            if each.serving and each.release in (taking.get(each.workload) or (each.release,)):
                found.setdefault(each.workload, {}).setdefault(each.release, []).append(each)
        self._census = found
        return found

    def in_flight(self, body: Body, at: Instant) -> int:
        """Draw how many requests one replica has in flight."""
        if body.draining_since is not None:
            return body.unfinished(at)
        if body.hung or not body.serving:
            return body.stuck
        stream = self._streams_at(at).get(body.workload, {}).get(body.release)
        if stream is None:
            return 0
        return self._ground.chance.count("flight", stream.flow.in_flight / len(stream.bodies))

    def flights(self, bodies: Iterable[Body], at: Instant) -> Iterator[int]:
        """Draw how many requests each of these replicas has in flight, in their order; see `in_flight`."""
        means: dict[tuple[str, str], float] = {}
        count = self._ground.chance.count
        for each in bodies:
            if each.draining_since is not None or each.hung or not each.serving:
                yield self.in_flight(each, at)
                continue
            release = (each.workload, each.release)
            mean = means.get(release)
            if mean is None:
                stream = self._streams_at(at).get(each.workload, {}).get(each.release)
                mean = means[release] = stream.flow.in_flight / len(stream.bodies) if stream else 0.0
            yield count("flight", mean)

    def stuck(self) -> Counter[str]:
        """Return how many requests will never be finished, by workload."""
        stuck = Counter[str]()
        for each in self._ground.bodies.values():
            if each.stuck:
                stuck[each.workload] += each.stuck
        return stuck

    def load(self, workload: str, at: Instant, stuck: int) -> Load:
        """Draw what a gateway would read of a workload now.

        Args:
            workload: which one.
            at: now.
            stuck: how many of its requests will never be finished.
        """
        chance, demand = self._ground.chance, self.app(workload).demand
        streams = self._streams_at(at).get(workload, {}).values()
        if workload in self.sleepers and not streams:
            waiting = ceil(self.waiting.get(workload, 0.0))
            return Load(in_flight=0, queued=waiting, rate_per_s=0.0, errors_per_s=0.0)
        asked = self.demand_per_s(workload, at) if not streams else sum(each.rate_per_s for each in streams)
        failing = sum([each.rate_per_s * _failing(each.bodies) / len(each.bodies) for each in streams])
        noise = 1 + chance.between("load", -demand.noise, demand.noise)
        flows = [each.flow for each in streams]
        return Load(
            in_flight=chance.count("load", sum([each.in_flight for each in flows])) + stuck,
            queued=round(sum([each.queued for each in flows])),
            rate_per_s=round(asked * noise, DIGITS),
            errors_per_s=round((failing if flows else asked) * noise, DIGITS),
            latency_p50_s=_worst([each.latency_p50_s for each in flows]),
            latency_p99_s=_worst([each.latency_p99_s for each in flows]),
            cpu=round(sum([each.flow.utilisation * len(each.bodies) for each in streams]), DIGITS)
            if flows
            else None,
        )

    def streams(self, at: Instant) -> Streams:
        """Return the requests that come to each release of each workload now; draws nothing by chance."""
        return self._streams_at(at)

    def _streams_at(self, at: Instant) -> Streams:
        """Reckon all streams at an instant, once."""
        if at != self._reckoned_at:
            self._pile_up(at)
            self._streams = {
                workload: {release: self._stream(serving, release, at) for release in serving}
                for workload, serving in self.census().items()
            }
            self._reckoned_at = at
        return self._streams

    def _stream(self, serving: Serving, release: str, at: Instant) -> Stream:
        bodies = serving[release]
        rate = self._rate(serving, release, at)
        backlog = self._backlogs.get((bodies[0].workload, release), 0.0)
        return Stream(bodies, rate, flow(self.app_of(bodies[0]), len(bodies), rate, backlog))

    def _pile_up(self, until: Instant) -> None:
        """Let what cannot be done in this time pile up, or be worked off.

        With nobody there it fails, but for a workload that may go to zero: its requests wait.
        """
        since, self._piled_until = self._piled_until, until
        if until <= since:
            return
        middle = (since + until) / 2
        for name in sorted(self.sleepers - self.census().keys()):
            more = self.demand_per_s(name, middle) * (until - since)
            self.waiting[name] = min(self.waiting.get(name, 0.0) + more, WAITING_MAX)
        held, self._backlogs = self._backlogs, {}
        for workload, serving in self.census().items():
            for release, bodies in serving.items():
                capacity = capacity_per_s(self.app_of(bodies[0]), len(bodies))
                surplus = self._rate(serving, release, middle, held) - capacity
                backlog = held.get((workload, release), 0.0) + surplus * (until - since)
                backlog += self.waiting.pop(workload, 0.0)
                if backlog > 0:
                    self._backlogs[workload, release] = min(backlog, BACKLOG_S_MAX * capacity)

    def _rate(
        self,
        serving: Serving,
        release: str,
        at: Instant,
        backlogs: Mapping[tuple[str, str], float] | None = None,
    ) -> float:
        """Return the requests per second that come to the replicas of one release that serves.

        Callers that have waited too long, or got an error, ask again.
        """
        bodies = serving[release]
        workload = bodies[0].workload
        shares = self._ground.shares.get(workload, {})
        asked = self.demand_per_s(workload, at)
        if any(share > 0 for share in shares.values()):
            rate = asked * shares.get(release, 0.0)
        else:
            rate = asked * len(bodies) / sum(len(each) for each in serving.values())
        app = self.app_of(bodies[0])
        if not app.demand.retries:
            return rate
        backlog = (self._backlogs if backlogs is None else backlogs).get((workload, release), 0.0)
        late = backlog > PATIENCE_S * capacity_per_s(app, len(bodies))
        failing = _failing(bodies) / len(bodies)
        return rate * (1 + app.demand.retries * (1.0 if late else failing))


def _failing(bodies: list[Body]) -> int:
    return [each.failing for each in bodies].count(True)


def _worst(latencies_s: list[float]) -> float | None:
    return round(max(latencies_s), DIGITS) if latencies_s else None

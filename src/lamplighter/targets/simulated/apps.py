"""Apps: what runs in a simulated replica, what is asked of it, and the queueing maths between the two.

Pure. The world asks; nothing here knows of replicas one by one, of faults or of time passing.
"""

from math import sqrt
from typing import NamedTuple

from lamplighter.model.value import Instant, Value

UTILISATION_MAX = 0.98
"""The stationary formula grows without bound at 1; beyond this the backlog tells the rest."""
P99_OF_EXPONENTIAL = 4.6
"""ln 100: the 99th percentile of an exponential distribution, in means."""


class Demand(Value):
    """Requests per second over time: straight lines between `points` (instant, rate), then as the last.

    Two points close together are a step, two far apart a ramp. `noise` is the share by which readings
    scatter. Bursts multiply the rate by `burst_times` for `burst_for_s`, on average every `burst_every_s`.
    `retries` is how often a caller asks again where it got no answer in time, or an error.
    """

    points: tuple[tuple[Instant, float], ...] = ((0.0, 20.0),)
    noise: float = 0.05
    burst_every_s: float = 0.0
    burst_for_s: float = 10.0
    burst_times: float = 3.0
    retries: int = 0

    def rate_per_s(self, at: Instant) -> float:
        """Return the rate at an instant, without noise and bursts."""
        before = self.points[0]
        for point in self.points:
            if point[0] > at:
                span_s = point[0] - before[0]
                part = (at - before[0]) / span_s if span_s > 0 else 1.0
                return before[1] + (point[1] - before[1]) * max(0.0, part)
            before = point
        return before[1]

    def steady(self, since: Instant, until: Instant) -> bool:
        """Return whether the rate is the same all through this time, bursts left out."""
        inside = [rate for at, rate in self.points if since <= at <= until]
        return {self.rate_per_s(since)} >= {self.rate_per_s(until), *inside}


class App(Value):
    """One workload's program. `slots`: how many requests a replica works on at once, `service_s` on each.

    A share `long_p` of the requests takes `long_s` (a stream, an upload). A replica is ready `start_s`
    after its start, give or take `start_spread` of it.
    """

    service_s: float = 0.1
    slots: int = 16
    start_s: float = 2.0
    start_spread: float = 0.5
    long_p: float = 0.0
    long_s: float = 10.0
    demand: Demand = Demand()


class Ailment(Value):
    """What is wrong with a release: how its replicas fare, whatever the faults of the world."""

    crash_at_start_p: float = 0.0
    crash_after_s: float = 0.0
    never_ready: bool = False
    slower_times: float = 1.0


class Flow(NamedTuple):
    """How requests stand at the replicas of one release together."""

    in_flight: float
    queued: float
    latency_p50_s: float
    latency_p99_s: float
    utilisation: float


def capacity_per_s(app: App, replicas: int) -> float:
    """Return the requests per second that so many replicas can do."""
    return replicas * app.slots / _mean_s(app)


def flow(app: App, replicas: int, rate_per_s: float, backlog: float) -> Flow:
    """Return how requests stand at `replicas` > 0 ready replicas under a steady rate.

    The wait is that of an M/M/c queue by Sakasegawa's approximation (Annals of the Institute of
    Statistical Mathematics 29, 1977), with c the slots of one replica: a balancer that looks at what is
    in flight keeps each replica's queue its own. Little's law gives what is in flight.

    Args:
        app: the program.
        replicas: how many serve.
        rate_per_s: requests that come to them all.
        backlog: requests that have piled up while there was too much to do.
    """
    mean_s, capacity = _mean_s(app), capacity_per_s(app, replicas)
    busy = min(rate_per_s / capacity, 1.0)
    utilisation = min(busy, UTILISATION_MAX)
    wait_s = mean_s * utilisation ** (sqrt(2 * (app.slots + 1)) - 1) / (app.slots * (1 - utilisation))
    queued = rate_per_s * wait_s + backlog
    behind_s = wait_s + backlog / capacity
    return Flow(
        in_flight=busy * replicas * app.slots + queued,
        queued=queued,
        latency_p50_s=app.service_s + behind_s,
        latency_p99_s=P99_OF_EXPONENTIAL * app.service_s + behind_s,
        utilisation=busy,
    )


def _mean_s(app: App) -> float:
    return app.service_s + app.long_p * app.long_s

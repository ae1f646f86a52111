"""What the gateway has counted: one read gives every service and replica, whole or not at all.

Counts grow from the gateway's start and begin again with it; `Reading.uptime_s` tells. Callers keep
the last reading and subtract (`Latency.since`).
"""

import itertools
from pathlib import Path
from typing import Literal

import msgspec

from . import admin
from .bootstrap import LATENCY_BUCKETS_MS
from .holding import is_internal

__all__ = ["Answers", "EndpointReading", "Latency", "Reading", "ServiceReading", "read", "serving"]

_WAKE = "/stats?filter=^server.live$"

Health = Literal["healthy", "unhealthy", "unknown"]


class Latency(msgspec.Struct, frozen=True):
    """Times to the first byte of the answer, as counts up to each of `LATENCY_BUCKETS_MS`.

    Args:
        counts: cumulative, one per bucket, and the number of all answers last.
    """

    counts: tuple[int, ...] = (0,) * (len(LATENCY_BUCKETS_MS) + 1)

    @property
    def total(self) -> int:
        """How many answers were timed."""
        return self.counts[-1]

    def since(self, earlier: "Latency") -> "Latency":
        """Only what came after an earlier reading; all of it if the gateway was restarted in between."""
        if earlier.total > self.total:
            return self
        return Latency(
            tuple(max(0, now - then) for now, then in zip(self.counts, earlier.counts, strict=True))
        )

    def quantile_ms(self, share: float) -> float | None:
        """The time within which this share of answers began; None with no answers.

        Linear within a bucket, as Prometheus' `histogram_quantile`; what lies beyond the last
        bucket is given as the last bucket's bound.

        Args:
            share: 0 to 1, such as 0.99.
        """
        if not self.total:
            return None
        rank = share * self.total
        below = 0
        for low, high, upto in zip((0, *LATENCY_BUCKETS_MS), LATENCY_BUCKETS_MS, self.counts, strict=False):
            if upto >= rank:
                return low + (high - low) * (rank - below) / (upto - below) if upto > below else float(high)
            below = upto
        return float(LATENCY_BUCKETS_MS[-1])


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What one listener answered for one service; retried tries are not in it, only their outcome.

    Args:
        good: answers 1xx to 3xx.
        refused: answers 4xx.
        failed: answers 5xx, the app's and the gateway's own; and gRPC calls that ended with a failure of the
            server's, which is told under status 200.
        cut: of all answers, those that began and were not ended.
        latency: to the first byte.
    """

    good: int = 0
    refused: int = 0
    failed: int = 0
    cut: int = 0
    latency: Latency = Latency()

    @property
    def total(self) -> int:
        """All answers."""
        return self.good + self.refused + self.failed


class EndpointReading(msgspec.Struct, frozen=True, kw_only=True):
    """One replica as the gateway sees it.

    Args:
        id: as in the table.
        port: as in the table.
        health: by its checks; unknown until the first check has come back.
        ejected: kept out because its answers failed, whatever its checks say.
        draining: gets no new requests.
        in_flight: requests, streams and WebSockets that it is working on.
        connections: open to it.
        tries: requests sent to it, retries among them.
        errors: tries that ended in 5xx, a reset or no answer.
        timeouts: tries without an answer in time.
        unreachable: connections that it did not accept.
    """

    id: str
    port: int
    health: Health
    ejected: bool
    draining: bool
    in_flight: int
    connections: int
    tries: int
    errors: int
    timeouts: int
    unreachable: int


class ServiceReading(msgspec.Struct, frozen=True, kw_only=True):
    """One service.

    Args:
        endpoints: by id.
        in_flight: on replicas.
        pending: waiting for a connection to one.
        public: answers on the public port.
        internal: answers on the internal port.
        retries: tries after the first.
        retries_denied: not made because too many were under way.
        overloaded: refused at `max_in_flight`.
        no_replica: refused, there was none to choose.
        timeouts: tries that were given up at `timeout_s`.
        not_repeatable: requests whose body was too long to keep for a retry.
    """

    endpoints: dict[str, EndpointReading] = {}
    in_flight: int = 0
    pending: int = 0
    public: Answers = Answers()
    internal: Answers = Answers()
    retries: int = 0
    retries_denied: int = 0
    overloaded: int = 0
    no_replica: int = 0
    timeouts: int = 0
    not_repeatable: int = 0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """All the gateway has counted since it started.

    Args:
        uptime_s: since that start; less than before means that it was restarted.
        services: by name.
        memory_bytes: physical memory as Envoy sees it.
    """

    uptime_s: int
    services: dict[str, ServiceReading]
    memory_bytes: int = 0


def read(folder: Path, deadline_s: float = 1.0) -> Reading:
    """Read everything once.

    Envoy merges its workers' histograms when statistics are asked for, but after it has answered;
    so it is asked twice, first for next to nothing. On a machine so busy that the merge takes longer
    than the reading in between, latencies are those of the read before; all else is of now.

    Args:
        folder: the gateway's folder.
        deadline_s: for the whole read.

    Raises:
        GatewayUnavailableError: it gave no answer; nothing is known, which is not zero.
    """
    with admin.session(folder, deadline_s) as asked:
        asked.get(_WAKE)
        hosts = asked.get("/clusters?format=json")
        counts = asked.get("/stats?format=json&histogram_buckets=cumulative")
    return _reading(_decode_clusters(hosts), _decode_stats(counts))


def serving(folder: Path, deadline_s: float = 1.0) -> frozenset[str]:
    """Read which services have a replica that new requests may go to: healthy, not draining, not ejected.

    Args:
        folder: the gateway's folder.
        deadline_s: for the read.

    Raises:
        GatewayUnavailableError: it gave no answer; which is not "none".
    """
    with admin.session(folder, deadline_s) as asked:
        hosts = _decode_clusters(asked.get("/clusters?format=json"))
    return frozenset(
        each.name for each in hosts.cluster_statuses if any(_takes(host) for host in each.host_statuses)
    )


class _Metric(msgspec.Struct):
    name: str
    value: str = "0"


class _Port(msgspec.Struct):
    port_value: int = 0


class _Address(msgspec.Struct):
    socket_address: _Port = msgspec.field(default_factory=_Port)


class _Status(msgspec.Struct):
    failed_active_health_check: bool = False
    failed_outlier_check: bool = False
    pending_active_hc: bool = False
    eds_health_status: str = ""


class _Host(msgspec.Struct):
    address: _Address
    hostname: str = ""
    stats: list[_Metric] = []
    health_status: _Status = msgspec.field(default_factory=_Status)


class _Cluster(msgspec.Struct):
    name: str
    host_statuses: list[_Host] = []


class _Clusters(msgspec.Struct):
    cluster_statuses: list[_Cluster] = []


class _Bucket(msgspec.Struct):
    upper_bound: float
    cumulative: int


class _Histogram(msgspec.Struct):
    name: str
    buckets: list[_Bucket] = []


class _Stat(msgspec.Struct):
    name: str = ""
    value: int = 0
    histograms: list[_Histogram] = []


class _Stats(msgspec.Struct):
    stats: list[_Stat]


_decode_clusters = msgspec.json.Decoder(_Clusters).decode
_decode_stats = msgspec.json.Decoder(_Stats).decode


def _reading(clusters: _Clusters, stats: _Stats) -> Reading:
    count = {stat.name: stat.value for stat in stats.stats}
    timed = {h.name: _latency(h) for stat in stats.stats for h in stat.histograms}
    return Reading(
        uptime_s=count.get("server.uptime", 0),
        memory_bytes=count.get("server.memory_physical_size", 0),
        services={
            c.name: _service(c, count, timed) for c in clusters.cluster_statuses if not is_internal(c.name)
        },
    )


def _service(cluster: _Cluster, count: dict[str, int], timed: dict[str, Latency]) -> ServiceReading:
    def of(name: str) -> int:
        return count.get(f"cluster.{cluster.name}.{name}", 0)

    return ServiceReading(
        endpoints={host.hostname: _endpoint(host) for host in cluster.host_statuses},
        in_flight=of("upstream_rq_active"),
        pending=of("upstream_rq_pending_active"),
        public=_answers("public", cluster.name, count, timed),
        internal=_answers("internal", cluster.name, count, timed),
        retries=of("upstream_rq_retry"),
        retries_denied=of("upstream_rq_retry_overflow"),
        overloaded=of("upstream_rq_active_overflow") + of("upstream_rq_pending_overflow"),
        no_replica=of("upstream_cx_none_healthy"),
        timeouts=of("upstream_rq_per_try_timeout"),
        not_repeatable=of("retry_or_shadow_abandoned"),
    )


def _answers(listener: str, name: str, count: dict[str, int], timed: dict[str, Latency]) -> Answers:
    statuses = f"lamp.{listener}.answers.service.{name}.status."
    ended = [(key[len(statuses)], value) for key, value in count.items() if key.startswith(statuses)]

    def of(kind: int) -> int:
        # A gateway that an older version started counts by route, where this one counts nothing.
        by_route = count.get(f"vhost.{listener}.route.{name}.upstream_rq_{kind}xx", 0)
        return by_route + sum(value for first, value in ended if first == str(kind))

    grpc_failed = count.get(f"lamp.{listener}.grpc_failed.service.{name}", 0)
    return Answers(
        good=max(0, of(1) + of(2) + of(3) - grpc_failed),
        refused=of(4),
        failed=of(5) + grpc_failed,
        cut=count.get(f"lamp.{listener}.cut.service.{name}", 0),
        latency=timed.get(f"lamp.{listener}.answer_ms.service.{name}", Latency()),
    )


def _endpoint(host: _Host) -> EndpointReading:
    count = {metric.name: int(metric.value) for metric in host.stats}
    status = host.health_status
    return EndpointReading(
        id=host.hostname,
        port=host.address.socket_address.port_value,
        health=_health(status),
        ejected=status.failed_outlier_check,
        draining=status.eds_health_status == "DRAINING",
        in_flight=count["rq_active"],
        connections=count["cx_active"],
        tries=count["rq_total"],
        errors=count["rq_error"],
        timeouts=count["rq_timeout"],
        unreachable=count["cx_connect_fail"],
    )


def _takes(host: _Host) -> bool:
    status = host.health_status
    return (
        _health(status) == "healthy"
        and not status.failed_outlier_check
        and status.eds_health_status != "DRAINING"
    )


def _health(status: _Status) -> Health:
    if status.pending_active_hc:
        return "unknown"
    return "unhealthy" if status.failed_active_health_check else "healthy"


def _latency(histogram: _Histogram) -> Latency:
    counts = [bucket.cumulative for bucket in histogram.buckets]
    beyond = [counts[-1] if counts else 0]
    return Latency(tuple(itertools.islice(itertools.chain(counts, beyond), len(LATENCY_BUCKETS_MS) + 1)))

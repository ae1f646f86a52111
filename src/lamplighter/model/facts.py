"""What is known of the world: one snapshot, with the age of each source.

A value that is not known is None, and never stands for zero, empty or failed. Why it is not known
stands with its source: `Facts.silence(source, now)` names it and says since when.
"""

from enum import StrEnum

from lamplighter.model.value import Instant, Value

PROCESSES = "processes"
"""Source of phase, exit, pid: whoever started the replicas (the supervisor, a kubelet)."""
HEALTH = "health"
"""Source of `ready`: the balancer's own checks."""
TRAFFIC = "traffic"
"""Source of loads and of requests in flight."""
MACHINE = "machine"
"""Source of memory, cpu and disk."""

SOURCES = (PROCESSES, HEALTH, TRAFFIC, MACHINE)
"""Every source."""

FACT_AGE_MAX_S = 5.0
"""A source that has not been read for longer than this is silent; what it last said is not used."""


class Phase(StrEnum):
    """Where a replica stands in its life. `EXITED` is proven (reaped, or its pidfd polled)."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    EXITED = "exited"
    UNKNOWN = "unknown"


class Exit(Value):
    """How a replica ended. Both numbers are None where it was not our child and none could be read."""

    at: Instant
    code: int | None = None
    signal: int | None = None
    cause: str = ""


class Replica(Value):
    """One running copy of a workload's release. `id` is never used twice.

    `ready`: passes its health checks as the balancer sees them. `in_flight`: requests now.
    `cpu`: cores used. `draining_since` is set from the moment it leaves the balancer. `detail` says in
    words why it stands as it does, where the target knows (no room, image missing).
    """

    id: str
    workload: str
    release: str
    phase: Phase
    started_at: Instant
    ready: bool | None = None
    in_flight: int | None = None
    draining_since: Instant | None = None
    exit: Exit | None = None
    pid: int | None = None
    memory_bytes: int | None = None
    cpu: float | None = None
    detail: str = ""

    @property
    def live(self) -> bool:
        """Counts towards what is wanted: not proven gone and not on its way out."""
        return self.phase not in (Phase.EXITED, Phase.DRAINING)


class Load(Value):
    """What a workload is asked to do now. Rates are over the time since the previous reading."""

    in_flight: int | None = None
    queued: int | None = None
    rate_per_s: float | None = None
    errors_per_s: float | None = None
    latency_p50_s: float | None = None
    latency_p99_s: float | None = None
    cpu: float | None = None


class Source(Value):
    """One source of facts: when it last answered, and why it did not since."""

    observed_at: Instant
    fault: str = ""


class Silence(Value):
    """A source that cannot be relied on now: since when, and why."""

    source: str
    since: Instant
    why: str


class Machine(Value):
    """The room that a site has. None: not known."""

    cores: float | None = None
    memory_bytes: int | None = None
    memory_free_bytes: int | None = None
    disk_free_bytes: int | None = None


class Facts(Value):
    """One snapshot of a site. `at` is monotonic and decides; `wall` (ISO 8601) only labels.

    `shares` is the traffic share of each release as the gateway is set now. `configured` is the
    digest of the system that the target was last configured with, empty for none.
    """

    at: Instant
    wall: str = ""
    sources: dict[str, Source] = {}
    replicas: tuple[Replica, ...] = ()
    loads: dict[str, Load] = {}
    shares: dict[str, dict[str, float]] = {}
    machine: Machine = Machine()
    configured: str = ""

    def of(self, workload: str, release: str = "") -> tuple[Replica, ...]:
        """Return the replicas of a workload, or of one of its releases, in order of their ids."""
        return tuple(
            each for each in self.replicas if each.workload == workload and release in ("", each.release)
        )

    def silence(self, source: str, now: Instant) -> Silence | None:
        """Return why `source` cannot be relied on at `now`, or None if it can."""
        known = self.sources.get(source)
        if known is None:
            return Silence(source=source, since=self.at, why="never answered")
        if known.fault or now - known.observed_at > FACT_AGE_MAX_S:
            return Silence(source=source, since=known.observed_at, why=known.fault or "no answer")
        return None

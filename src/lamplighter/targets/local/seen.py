"""From what the supervisor and the gateway said to the model's facts. Pure: silence goes in as None."""

from collections.abc import Mapping
from typing import NamedTuple

from lamplighter.model.facts import Exit, Phase, Replica
from lamplighter.model.value import Instant
from lamplighter.targets.local.gateway.statistics import EndpointReading, Reading
from lamplighter.targets.local.supervisor.protocol import Observed, SeenReplica

EJECTED = "taken out by the gateway: its checks pass or not, its answers failed"
_SIGNALS = {6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}


class Seen(NamedTuple):
    """What one pass read. `offset_s` turns CLOCK_MONOTONIC into instants; `usage` is by pid.

    `memory_bytes` is what each replica used when it was last looked at: evidence, once it has ended.
    """

    observed: Observed
    reading: Reading | None
    usage: Mapping[int, tuple[int, float | None]]
    offset_s: float
    memory_bytes: Mapping[str, int] = {}


def replicas(seen: Seen, once_ready: frozenset[str]) -> tuple[Replica, ...]:
    """Return the replicas as facts; `once_ready` have passed their checks before."""
    return tuple(
        _replica(each, _endpoint(each, seen.reading), seen, each.id in once_ready)
        for each in sorted(seen.observed.replicas, key=lambda each: (each.workload, each.started_at, each.id))
    )


def unknown(last: tuple[Replica, ...], reading: Reading | None) -> tuple[Replica, ...]:
    """Return what was last known while the supervisor is silent: who there was, but not how they are.

    What is proven (an exit) stays so; the gateway's own view, if it has one, is still good.
    """
    return tuple(
        each if each.phase is Phase.EXITED else _unknown(each, _find(reading, each.workload, each.id))
        for each in last
    )


def _unknown(replica: Replica, endpoint: EndpointReading | None) -> Replica:
    return Replica(
        id=replica.id,
        workload=replica.workload,
        release=replica.release,
        phase=Phase.UNKNOWN,
        started_at=replica.started_at,
        ready=_ready(endpoint),
        in_flight=endpoint.in_flight if endpoint else None,
        draining_since=replica.draining_since,
        pid=replica.pid,
    )


def _replica(each: SeenReplica, endpoint: EndpointReading | None, seen: Seen, before: bool) -> Replica:  # noqa: FBT001
    exited = each.phase == "exited"
    ready = False if exited else _ready(endpoint)
    memory_bytes, cpu = (None, None) if exited else seen.usage.get(each.pid or 0, (None, None))
    return Replica(
        id=each.id,
        workload=each.workload,
        release=each.release,
        phase=_phase(each, serving=before or bool(ready)),
        started_at=_instant(each.started_at, seen.offset_s),
        ready=ready,
        in_flight=0 if exited else endpoint.in_flight if endpoint else None,
        draining_since=None if each.draining_since is None else _instant(each.draining_since, seen.offset_s),
        exit=_exit(each, seen) if exited else None,
        pid=each.pid,
        memory_bytes=memory_bytes,
        cpu=cpu,
        detail=EJECTED if endpoint is not None and endpoint.ejected else "",
    )


def _phase(each: SeenReplica, *, serving: bool) -> Phase:
    match each.phase:
        case "exited":
            return Phase.EXITED
        case "draining" | "ending":
            return Phase.DRAINING
        case "intended":
            return Phase.STARTING
        case "running":
            return Phase.RUNNING if serving else Phase.STARTING


def _ready(endpoint: EndpointReading | None) -> bool | None:
    """In rotation, as far as the replica goes: checks passed, and not ejected for failing requests."""
    if endpoint is None or endpoint.health == "unknown":
        return None
    return endpoint.health == "healthy" and not endpoint.ejected


def _exit(each: SeenReplica, seen: Seen) -> Exit:
    at = _instant(each.started_at if each.exited_at is None else each.exited_at, seen.offset_s)
    used_bytes = seen.memory_bytes.get(each.id, 0)
    used = f"{used_bytes / 2**20:.0f} MiB when last looked at" if used_bytes else ""
    cause = "; ".join(part for part in (each.cause or _cause(each), used) if part)
    return Exit(at=at, code=each.code, signal=each.signal, cause=cause)


def _cause(each: SeenReplica) -> str:
    if each.signal is not None:
        return f"ended by {_SIGNALS.get(each.signal, f'signal {each.signal}')}"
    return "" if each.code is None else f"exit code {each.code}"


def _endpoint(each: SeenReplica, reading: Reading | None) -> EndpointReading | None:
    return _find(reading, each.workload, each.id)


def _find(reading: Reading | None, workload: str, replica: str) -> EndpointReading | None:
    service = reading.services.get(workload) if reading else None
    return service.endpoints.get(replica) if service else None


def _instant(monotonic: float, offset_s: float) -> Instant:
    return round(monotonic + offset_s, 3)

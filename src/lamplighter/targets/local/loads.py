"""From what the gateway has counted to what each workload is asked to do now. Pure but for its memory."""

from collections.abc import Iterable, Mapping

import msgspec

from lamplighter.model.facts import Load, Replica
from lamplighter.model.value import Instant
from lamplighter.targets.local.gateway.statistics import Latency, Reading, ServiceReading

INTERVAL_MIN_S = 0.1
"""Rates over less than this say more about the clock than about the load; the last ones stand."""
_MS_PER_S = 1000.0


class Loads:
    """Remembers the last reading and gives rates since."""

    def __init__(self) -> None:
        self._at: Instant = 0.0
        self._before: dict[str, ServiceReading] | None = None
        self._loads: dict[str, Load] = {}

    def since_last(self, reading: Reading, now: Instant) -> dict[str, Load]:
        """Return the load of each workload: rates and latency since the last reading, None at the first."""
        passed_s = now - self._at
        if self._before is not None and passed_s < INTERVAL_MIN_S:
            return {name: _gauges(each, self._loads.get(name)) for name, each in reading.services.items()}
        before = self._before or {}
        self._loads = {
            name: _load(each, before.get(name), passed_s) for name, each in reading.services.items()
        }
        self._at, self._before = now, reading.services
        return self._loads


def with_cpu(loads: Mapping[str, Load], replicas: Iterable[Replica]) -> dict[str, Load]:
    """Return the loads with the cores that each workload's replicas use together, where that is known."""
    cores: dict[str, float] = {}
    for each in replicas:
        if each.cpu is not None:
            cores[each.workload] = cores.get(each.workload, 0.0) + each.cpu
    names = sorted({*loads, *cores})
    return {
        name: msgspec.structs.replace(loads.get(name, Load()), cpu=_rounded(cores.get(name)))
        for name in names
    }


def with_held(loads: Mapping[str, Load], held: Mapping[str, int]) -> dict[str, Load]:
    """Return the loads with the requests that wait in the activator counted among those that are queued.

    Where the gateway has said nothing of a service, that it is asked for is known all the same.
    """
    return {
        **loads,
        **{
            name: msgspec.structs.replace(load, queued=(load.queued or 0) + count)
            for name, count in held.items()
            for load in [loads.get(name, Load())]
        },
    }


def _rounded(cores: float | None) -> float | None:
    return None if cores is None else round(cores, 3)


def _load(now: ServiceReading, before: ServiceReading | None, passed_s: float) -> Load:
    if before is None:
        return _gauges(now, None)
    answers = _total(now) - _total(before)
    failed = _failed(now) - _failed(before)
    if answers < 0:  # the gateway was started again and counts from zero
        answers, failed = _total(now), _failed(now)
    quantiles = _latency(now, before)
    return Load(
        in_flight=now.in_flight,
        queued=now.pending,
        rate_per_s=round(answers / passed_s, 3),
        errors_per_s=round(max(0, failed) / passed_s, 3),
        latency_p50_s=_seconds(quantiles.quantile_ms(0.5)),
        latency_p99_s=_seconds(quantiles.quantile_ms(0.99)),
    )


def _gauges(now: ServiceReading, last: Load | None) -> Load:
    last = last or Load()
    return Load(
        in_flight=now.in_flight,
        queued=now.pending,
        rate_per_s=last.rate_per_s,
        errors_per_s=last.errors_per_s,
        latency_p50_s=last.latency_p50_s,
        latency_p99_s=last.latency_p99_s,
    )


def _latency(now: ServiceReading, before: ServiceReading) -> Latency:
    """Both listeners together: a request is one whoever sends it."""
    public = now.public.latency.since(before.public.latency)
    internal = now.internal.latency.since(before.internal.latency)
    return Latency(tuple(a + b for a, b in zip(public.counts, internal.counts, strict=True)))


def _total(service: ServiceReading) -> int:
    return service.public.total + service.internal.total


def _failed(service: ServiceReading) -> int:
    return service.public.failed + service.internal.failed


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else round(ms / _MS_PER_S, 4)

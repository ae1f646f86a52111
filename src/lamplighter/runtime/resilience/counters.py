"""What a policy counts of one dependency; read by `snapshot()` and, where it is set up, by OpenTelemetry.

Counting is an addition; OpenTelemetry's observable instruments read the sums when they export, so a call pays
nothing for it. Names are bounded: dependencies beyond `NAMES_MAX` are counted as `other`.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

NAMES_MAX = 1000
METER = "lamplighter.runtime.resilience"


class Counters(msgspec.Struct, kw_only=True):
    """Sums since the process began.

    Args:
        calls: calls of the decorated function.
        tries: how often the dependency was really called.
        failures: tries that failed.
        retries: tries after a failure; `hedges`: beside one that was slow.
        over_budget: retries and hedges that the budget did not allow.
        refused_open, refused_full: calls not made, by the breaker and by the bulkhead.
        late: calls whose deadline was over.
        fallbacks: calls that the fallback chain answered.
    """

    calls: int = 0
    tries: int = 0
    failures: int = 0
    retries: int = 0
    hedges: int = 0
    over_budget: int = 0
    refused_open: int = 0
    refused_full: int = 0
    late: int = 0
    fallbacks: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the sums by name."""
        return msgspec.structs.asdict(self)


def observe(snapshot: Callable[[], dict[str, dict[str, int]]]) -> bool:
    """Offer the sums to OpenTelemetry, as `lamp.call.<sum>` with the attribute `peer.service`.

    Returns:
        False when OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import metrics  # noqa: PLC0415 - there only in workloads that have it
    except ImportError:
        return False
    meter: Any = metrics.get_meter(METER)
    for name in Counters.__struct_fields__:
        meter.create_observable_counter(f"lamp.call.{name}", callbacks=[_reader(metrics, snapshot, name)])
    return True


def mark(event: str, **attributes: str | float) -> None:
    """Add an event to the span of this context, if there is one that records."""
    try:
        from opentelemetry import trace  # noqa: PLC0415 - there only in workloads that have it
    except ImportError:
        return
    span: Any = trace.get_current_span()
    if span.is_recording():
        span.add_event(event, attributes)


def _reader(
    metrics: Any, snapshot: Callable[[], dict[str, dict[str, int]]], name: str
) -> Callable[[Any], Iterable[Any]]:
    def read(_: Any) -> Iterable[Any]:
        return [metrics.Observation(sums[name], {"peer.service": peer}) for peer, sums in snapshot().items()]

    return read

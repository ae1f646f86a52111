"""Load: how many replicas a workload's recent load needs, seen through two windows.

The load is a step function of time: a sample holds from its instant until the next one's, the last until
now. Windows are means over time; None is never read as zero. Knows nothing of what is wanted or allowed.
"""

from math import floor
from typing import NamedTuple

from lamplighter.model.facts import Load
from lamplighter.model.history import History, Sample
from lamplighter.model.system import Resources, Scale, Service
from lamplighter.model.value import Instant

CALM_SLOTS = 6
"""The calm window counts as known when each of so many equal parts of it has a reading. A part counts
whole until all of it is past, so that a fall in the load shows in steps and not as a long slope."""
BURST_SHARE = 1 / 3
"""The last third of the panic window is looked at by itself, so that a step of load shows early."""
STEP_AT = 1.4
"""The last third counts by itself only from so much above the whole: requests in flight scatter like their
square root, and two readings of a dozen that exceed the mean by a tenth are no step."""
READINGS_MIN = 2
"""One reading alone never scales anything."""


class Demand(NamedTuple):
    """Replicas that the load needs (a fraction): by the panic window, and by the calm one's peak.

    None where too little is known.
    """

    panic: float | None
    calm: float | None


def asked(load: Load | None) -> int | None:
    """Return how many requests are on a workload's replicas or wait for one; None if it is not known."""
    if load is None or load.in_flight is None:
        return None if load is None or not load.queued else load.queued
    return load.in_flight + (load.queued or 0)


def quiet(load: Load | None) -> bool:
    """Return whether nothing is asked of a workload, and nothing was since the reading before: both known."""
    return load is not None and asked(load) == 0 and load.rate_per_s == 0


Span = tuple[Instant, Instant, float, int]
"""A time over which the load was known and the same, from and until: what it needed, by how many readings."""


def demand(
    samples: tuple[Sample, ...], service: Service, now: Instant, before: Instant | None = None
) -> Demand:
    """Return how many replicas the load needs, by each window.

    The panic window gives its mean, or that of its last third where that is a step. The calm window gives
    the highest of the means of its parts, so that a short lull takes nothing away; it counts only
    when it is known from end to end.

    Args:
        samples: oldest first.
        service: with what is followed, and the windows.
        now: the pass's instant.
        before: the instant of the pass before; a load that stood then has been read twice.
    """
    scale = service.scale
    assert scale is not None
    spans = _spans(samples, service, now, before, horizon(scale, now))
    return Demand(_panic(spans, scale.panic_window_s, now), _calm(spans, scale.window_s, now))


def heard(samples: tuple[Sample, ...], service: Service, now: Instant, before: Instant | None = None) -> bool:
    """Return whether the panic window knows what the load needs; arguments as for `demand`."""
    scale = service.scale
    assert scale is not None
    spans = _spans(samples, service, now, before, now - scale.panic_window_s)
    return _panic(spans, scale.panic_window_s, now) is not None


def first_read(
    samples: tuple[Sample, ...], service: Service, now: Instant, before: Instant | None = None
) -> bool:
    """Return whether a load is known, but by too few readings to scale by; arguments as for `demand`."""
    scale = service.scale
    if scale is None or not samples or needed(samples[-1], scale, service.resources) is None:
        return False
    return not heard(samples, service, now, before)


def before(history: History) -> Instant | None:
    """Return the instant of the pass before this one, once this one's facts are in the history."""
    return history.heard[-2] if len(history.heard) > 1 else None


def needed(sample: Sample, scale: Scale, resources: Resources) -> float | None:
    """Return how many replicas one sample's load needs, None if it is not known.

    For latency it is in proportion to how far p99 is from the goal (the rule of Kubernetes' horizontal
    autoscaler: current x value / goal).
    """
    match scale.on:
        case "in_flight":
            return None if sample.in_flight is None else sample.in_flight / scale.goal
        case "rate":
            return None if sample.rate_per_s is None else sample.rate_per_s / scale.goal
        case "cpu":
            return None if sample.cpu is None else sample.cpu / (scale.goal * (resources.cpu or 1.0))
        case "latency":
            if sample.latency_p99_s is None or not sample.ready:
                return None
            return sample.ready * sample.latency_p99_s / scale.goal


def horizon(scale: Scale, now: Instant) -> Instant:
    """Return the instant before which no window looks."""
    return now - scale.window_s * (1 + 1 / CALM_SLOTS)


def _spans(
    samples: tuple[Sample, ...], service: Service, now: Instant, before: Instant | None, since: Instant
) -> list[Span]:
    """Return the spans that end after `since`, the newest first."""
    scale, spans, end = service.scale, list[Span](), now
    assert scale is not None
    newest = len(samples) - 1
    for place in range(newest, -1, -1):
        if end <= since:
            break
        each = samples[place]
        need = needed(each, scale, service.resources) if end > each.at else None
        if need is not None:
            repeated = place == newest and before is not None and each.at < before
            readings = max(each.readings, READINGS_MIN) if repeated else each.readings
            spans.append((each.at, end, need, readings))
        end = each.at
    return spans


def _panic(spans: list[Span], window_s: float, now: Instant) -> float | None:
    whole = _mean(spans, now - window_s)
    last = _mean(spans, now - window_s * BURST_SHARE)
    stepped = last is not None and (whole is None or last > whole * STEP_AT)
    return last if stepped else whole


def _mean(spans: list[Span], since: Instant) -> float | None:
    total, known_s, readings = 0.0, 0.0, 0
    for begin, end, need, count in spans:
        if end <= since:
            break
        width_s = end - max(since, begin)
        total += need * width_s
        known_s += width_s
        readings += count
    return total / known_s if readings >= READINGS_MIN else None


def _calm(spans: list[Span], window_s: float, now: Instant) -> float | None:
    width_s = window_s / CALM_SLOTS
    first = floor((now - window_s) / width_s)
    sums: dict[int, tuple[float, float]] = {}
    for begin, end, need, _ in reversed(spans):
        for slot in range(max(first, floor(begin / width_s)), floor(end / width_s) + 1):
            opens, closes = slot * width_s, (slot + 1) * width_s
            known_s = min(closes, end) - max(opens, begin)
            if known_s > 0:
                total, before_s = sums.get(slot, (0.0, 0.0))
                sums[slot] = (total + need * known_s, before_s + known_s)
    for slot in range(first + 1, first + CALM_SLOTS):
        if slot not in sums:
            return None
    return max([total / known_s for total, known_s in sums.values()])

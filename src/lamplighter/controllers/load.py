"""Load: how many replicas a workload's recent load needs, seen through two windows.

Arithmetic over samples; None is never read as zero. Knows nothing of what is wanted or allowed.
"""

from collections.abc import Iterable
from math import floor
from typing import NamedTuple

from lamplighter.model.history import Sample
from lamplighter.model.system import Resources, Scale
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


def demand(samples: tuple[Sample, ...], scale: Scale, resources: Resources, now: Instant) -> Demand:
    """Return how many replicas the load needs, by each window.

    The panic window gives its mean, or that of its last third where that is a step. The calm window gives
    the highest of the means of its parts, so that a short lull takes nothing away; it counts only
    when it is known from end to end.

    Args:
        samples: oldest first.
        scale: what is followed, and the windows.
        resources: the cpu request, for `on: cpu`.
        now: the pass's instant.
    """
    needs = [
        (each.at, need, each.readings)
        for each in samples
        if (need := needed(each, scale, resources)) is not None
    ]
    panic = [each for each in needs if each[0] > now - scale.panic_window_s]
    burst = [each for each in panic if each[0] > now - scale.panic_window_s * BURST_SHARE]
    whole, last = _mean(panic), _mean(burst)
    stepped = last is not None and (whole is None or last > whole * STEP_AT)
    return Demand(last if stepped else whole, _calm(needs, scale.window_s, now))


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


def _mean(needs: Iterable[tuple[Instant, float, int]]) -> float | None:
    total, readings = 0.0, 0
    for _, need, count in needs:
        total += need * count
        readings += count
    return total / readings if readings >= READINGS_MIN else None


def _calm(needs: list[tuple[Instant, float, int]], window_s: float, now: Instant) -> float | None:
    width = window_s / CALM_SLOTS
    first = floor((now - window_s) / width)
    slots: dict[int, list[tuple[float, int]]] = {}
    for at, need, readings in needs:
        slot = floor(at / width)
        if slot >= first:
            slots.setdefault(slot, []).append((need, readings))
    if any(slot not in slots for slot in range(first + 1, first + CALM_SLOTS)):
        return None
    means = [sum(need * n for need, n in slot) / sum(n for _, n in slot) for slot in slots.values()]
    return max(means)

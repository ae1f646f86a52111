"""Samples: a workload's load over time as a step function, fine for the panic window, then coarse.

A load that stays as it was adds nothing, however often it is read. A reading tells of the time since the
pass before it. What is not known is a sample without a value, never a zero.
"""

from math import floor

from msgspec.structs import replace

from lamplighter.controllers.load import CALM_SLOTS, READINGS_MIN, horizon
from lamplighter.controllers.survey import Survey
from lamplighter.model.facts import FACT_AGE_MAX_S
from lamplighter.model.history import Sample
from lamplighter.model.system import Scale, Service
from lamplighter.model.value import Instant

FINE_PARTS = 6
"""The panic window is kept in so many parts."""
READING_S = 1.0
"""For so long the first reading after a gap stands, looking back."""

Samples = tuple[Sample, ...]
Heard = tuple[Instant, ...]
"""The instants of the last passes, the newest last; empty before the first."""


def continued(heard: Heard, now: Instant) -> bool:
    """Return whether this pass follows on the one before: no longer ago than facts count as known."""
    return bool(heard) and now - heard[-1] <= FACT_AGE_MAX_S


def sampled(samples: Samples, service: Service, survey: Survey, heard: Heard) -> Samples:
    """Return the samples with this pass's reading folded in; the same ones if the load is as it was.

    Args:
        samples: oldest first.
        service: with what is followed, and the windows.
        survey: the pass's facts.
        heard: the passes before this one.
    """
    scale, now = service.scale, survey.now
    if scale is None or (heard and now <= heard[-1]):
        return samples
    found = reading(service, scale, survey)
    last = samples[-1] if samples else None
    if not continued(heard, now):
        return _taken_up(samples, found, scale, heard, now)
    if last is None:
        return (replace(found, at=heard[-1]),) if _known(found) else samples
    if same(last, found):
        return samples
    return _extended(samples, replace(found, at=heard[-1]), scale, heard, now)


def reading(service: Service, scale: Scale, survey: Survey) -> Sample:
    """Return what is followed of a workload's load now."""
    load = survey.facts.loads.get(service.name)
    if load is None:
        return UNKNOWN
    match scale.on:
        case "in_flight":
            in_flight = None if load.in_flight is None else float(load.in_flight + (load.queued or 0))
            return Sample(at=0.0, in_flight=in_flight)
        case "rate":
            return Sample(at=0.0, rate_per_s=load.rate_per_s)
        case "cpu":
            return Sample(at=0.0, cpu=load.cpu)
        case "latency":
            ready = float(survey.ready(service.name))
            return Sample(at=0.0, latency_p99_s=load.latency_p99_s, ready=ready)


UNKNOWN = Sample(at=0.0, readings=0)


def _taken_up(samples: Samples, found: Sample, scale: Scale, heard: Heard, now: Instant) -> Samples:
    """Go on after a time in which nobody looked: nothing is known of it."""
    begin = now - READING_S
    if samples and _known(samples[-1]):
        ended = heard[-1] if heard else samples[-1].at + READING_S
        if ended < begin:
            samples = _extended(samples, replace(UNKNOWN, at=ended), scale, heard, now)
    if not _known(found) or (samples and same(samples[-1], found)):
        return samples
    return _extended(samples, replace(found, at=begin), scale, heard, now)


def _known(sample: Sample) -> bool:
    return not same(sample, UNKNOWN)


def same(one: Sample, other: Sample) -> bool:
    """Return whether two samples are of the same load."""
    return (
        one.in_flight == other.in_flight
        and one.rate_per_s == other.rate_per_s
        and one.latency_p99_s == other.latency_p99_s
        and one.cpu == other.cpu
        and one.ready == other.ready
    )


def _extended(samples: Samples, new: Sample, scale: Scale, heard: Heard, now: Instant) -> Samples:
    """Return the samples with a new one, which ends the last; a little of the past is made coarse."""
    if not samples:
        return (new,)
    last = samples[-1]
    if new.at <= last.at:
        return (*samples[:-1], replace(new, at=last.at))
    if 0 < last.readings < READINGS_MIN and len(heard) > 1 and last.at < heard[-2]:
        last = replace(last, readings=READINGS_MIN)
    fine_s = scale.panic_window_s / FINE_PARTS
    kept = list(samples)
    kept[-1] = last
    if len(kept) > 1 and _alike(kept[-2], last, new.at, fine_s):
        kept[-2:] = [_joined(kept[-2], last, new.at)]
    kept.append(new)
    _coarsened(kept, scale.window_s / CALM_SLOTS, now - scale.panic_window_s)
    if len(kept) > 1 and kept[1].at <= horizon(scale, now):
        del kept[0]
    return tuple(kept)


def _coarsened(samples: list[Sample], slot_s: float, before: Instant) -> None:
    """Join the newest two that have ended `before`, if they are of one part of the calm window."""
    for place in range(len(samples) - 3, -1, -1):
        if samples[place + 2].at <= before:
            one, other = samples[place], samples[place + 1]
            if _alike(one, other, samples[place + 2].at, slot_s):
                samples[place : place + 2] = [_joined(one, other, samples[place + 2].at)]
            return


def _alike(one: Sample, other: Sample, end: Instant, slot_s: float) -> bool:
    """Return whether two samples that follow on each other may become one: they begin in one slot.

    A load that has ceased to be known counts as known no further than to the end of that slot.
    """
    slot = floor(one.at / slot_s)
    if slot != floor(other.at / slot_s):
        return False
    return _known(other) or not _known(one) or end <= (slot + 1) * slot_s


def _joined(one: Sample, other: Sample, end: Instant) -> Sample:
    """Return two samples that follow on each other as one, each weighing as long as it held."""
    first_s, second_s = other.at - one.at, end - other.at

    def mean(first: float | None, second: float | None) -> float | None:
        if first is None or second is None:
            return first if second is None else second
        return (first * first_s + second * second_s) / (first_s + second_s)

    return Sample(
        at=one.at,
        in_flight=mean(one.in_flight, other.in_flight),
        rate_per_s=mean(one.rate_per_s, other.rate_per_s),
        latency_p99_s=mean(one.latency_p99_s, other.latency_p99_s),
        cpu=mean(one.cpu, other.cpu),
        ready=mean(one.ready, other.ready) or 0.0,
        readings=one.readings + other.readings,
    )

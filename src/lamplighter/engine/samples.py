"""Samples: a workload's load over time, kept fine for the panic window and coarse for the calm one."""

from math import floor

from msgspec.structs import replace

from lamplighter.controllers.load import CALM_SLOTS
from lamplighter.controllers.survey import Survey
from lamplighter.model.history import Sample
from lamplighter.model.system import Service
from lamplighter.model.value import Instant

FINE_PARTS = 6
"""The panic window is kept in so many parts."""
COARSE_PARTS = 60
"""The calm window is kept in so many parts; with the fine ones, at most about 80 samples."""


def sampled(samples: tuple[Sample, ...], service: Service, survey: Survey) -> tuple[Sample, ...]:
    """Return the samples with this pass's reading folded in; the same ones if there is none.

    A load that is not known leaves no reading, never a zero. A reading joins the sample of its
    interval; when a new interval begins, samples older than the panic window are joined coarsely.
    """
    reading = _reading(service, survey)
    if service.scale is None or reading is None:
        return samples
    fine = service.scale.panic_window_s / FINE_PARTS
    begin = floor(reading.at / fine) * fine
    reading = replace(reading, at=begin)
    if samples and samples[-1].at >= begin:
        return (*samples[:-1], _joined(samples[-1], reading))
    coarse = max(fine, service.scale.window_s / COARSE_PARTS)
    horizon = survey.now - service.scale.window_s * (1 + 1 / CALM_SLOTS) - coarse
    kept = [each for each in samples if each.at >= horizon]
    return (*_coarser(kept, coarse, survey.now - service.scale.panic_window_s - coarse), reading)


def _reading(service: Service, survey: Survey) -> Sample | None:
    load = survey.facts.loads.get(service.name)
    if load is None:
        return None
    waiting = load.queued or 0
    in_flight = None if load.in_flight is None else float(load.in_flight + waiting)
    if in_flight is None and load.rate_per_s is None and load.latency_p99_s is None and load.cpu is None:
        return None
    return Sample(
        at=survey.now,
        in_flight=in_flight,
        rate_per_s=load.rate_per_s,
        latency_p99_s=load.latency_p99_s,
        cpu=load.cpu,
        ready=float(survey.ready(service.name)),
    )


def _coarser(samples: list[Sample], width: float, before: Instant) -> list[Sample]:
    joined: list[Sample] = []
    for each in samples:
        begin = floor(each.at / width) * width
        if each.at < before and joined and joined[-1].at < before and joined[-1].at >= begin:
            joined[-1] = _joined(joined[-1], each)
        else:
            joined.append(each)
    return joined


def _joined(one: Sample, other: Sample) -> Sample:
    """Return both as one sample, each weighing as many readings as it has."""

    def mean(first: float | None, second: float | None) -> float | None:
        if first is None or second is None:
            return first if second is None else second
        total = one.readings + other.readings
        return (first * one.readings + second * other.readings) / total

    return Sample(
        at=one.at,
        in_flight=mean(one.in_flight, other.in_flight),
        rate_per_s=mean(one.rate_per_s, other.rate_per_s),
        latency_p99_s=mean(one.latency_p99_s, other.latency_p99_s),
        cpu=mean(one.cpu, other.cpu),
        ready=mean(one.ready, other.ready) or 0.0,
        readings=one.readings + other.readings,
    )

"""Part `rolling`: a new release, fewer replicas and a rollback while requests flow (figure 3)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from benchmarks.load import Fate, Kind, Report, Sample, Stage, running
from benchmarks.local.loads import described, half_capacity, traffic
from benchmarks.local.spec import SERVICE, Wish
from benchmarks.local.stand import Stand, stand
from benchmarks.report import Figures, Options, at_least, exactly

MOST, FEWEST = 8, 2
SLOTS = 8
"""Of a replica; small, so that eight of them do not need more processor than a small machine has."""
STREAMS_PER_S, WEBSOCKETS_PER_S = 0.8, 0.8
WARM_S = 3.0
LONGEST_S = 400.0
PHASES = ("release", "scale_down", "rollback")

Change = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long things last: streams shorter than the drain, WebSockets longer, so that some meet its end."""

    stream_s: float = 20.0
    drain_s: float = 25.0
    websocket_s: float = 60.0


QUICK = Lengths(4.0, 6.0, 15.0)
BOUNDS = {
    **{f"rolling_{phase}_failed": exactly(0) for phase in PHASES},
    "rolling_streams_cut": exactly(0),
    "rolling_websockets_not_closed_properly": exactly(0),
    "rolling_websockets_closed_by_drain": at_least(1),
    "rolling_generator_valid": exactly(1),
}


async def measure(figures: Figures, options: Options) -> None:
    """Bring up one fewer than eight, measure, then change what runs three times under load."""
    lengths = QUICK if options.quick else Lengths()
    wish = Wish(replicas=(MOST, MOST), slots=SLOTS, drain_s=lengths.drain_s, bake_s=3.0)
    async with stand(replace(wish, replicas=(MOST - 1, MOST - 1))) as site:
        capacity, rate = await half_capacity(site, wish.nominal_rate * (MOST - 1), options)
        figures.put("rolling_capacity_per_s", capacity)
        await site.up(wish)
        await site.settled(MOST)
        low = rate / (MOST - 1) * (FEWEST - 1)
        second = replace(wish, mark="second")
        fewer = replace(second, replicas=(FEWEST, FEWEST))
        reports = {
            "release": await _phase(site, rate, lengths, options, _to(site, second, MOST)),
            "scale_down": await _phase(site, low, lengths, options, _to(site, fewer, FEWEST)),
        }
        await site.up(second)
        await site.settled(MOST)
        reports["rollback"] = await _phase(site, rate, lengths, options, _back(site))
        _take(figures, reports)
        figures.parts["rolling"]["left"] = [each.role for each in await site.down()]


def _to(site: Stand, wish: Wish, replicas: int) -> Change:
    async def change() -> None:
        await site.up(wish)
        await site.settled(replicas, LONGEST_S)

    return change


def _back(site: Stand) -> Change:
    async def change() -> None:
        await site.must("rollback", SERVICE)
        await site.settled(MOST, LONGEST_S)

    return change


@dataclass(frozen=True, slots=True)
class Phase:
    """One change under load: what came of the requests, when it began and how long it took."""

    report: Report
    samples: list[Sample]
    began_at: float
    took_s: float
    rate: float


async def _phase(site: Stand, rate: float, lengths: Lengths, options: Options, change: Change) -> Phase:
    """Send load from before the change until everything that left has gone and every stream has ended."""
    whole = rate + STREAMS_PER_S + WEBSOCKETS_PER_S
    mix = {
        Kind.GET: 0.6 * rate, Kind.POST_KEYED: 0.2 * rate, Kind.POST: 0.2 * rate,
        Kind.STREAM: STREAMS_PER_S, Kind.WEBSOCKET: WEBSOCKETS_PER_S,
    }  # fmt: skip
    load = traffic(
        site, f"rolling-{time.monotonic():.0f}", [Stage(LONGEST_S, whole)], options, mix=mix,
        stream_s=lengths.stream_s, websocket_s=lengths.websocket_s,
    )  # fmt: skip
    async with running(load) as run:
        await asyncio.sleep(max(WARM_S, lengths.stream_s))
        began_at = time.monotonic()
        await change()
        took_s = time.monotonic() - began_at
        await asyncio.sleep(WARM_S)
        report = await run.stop()
        options.progress(f"rolling: {took_s:.0f} s at {rate:.0f}/s, {report.failed} failed, {report.cut} cut")
        return Phase(report, run.samples, began_at, took_s, rate)


def _take(figures: Figures, phases: dict[str, Phase]) -> None:
    samples = [each for phase in phases.values() for each in phase.samples]
    sockets = [each for each in samples if each.kind is Kind.WEBSOCKET]
    streams = [each for each in samples if each.kind is Kind.STREAM]
    for name, phase in phases.items():
        figures.put(f"rolling_{name}_failed", phase.report.failed)
        figures.put(f"rolling_{name}_cut", phase.report.cut)
        figures.put(f"rolling_{name}_requests", phase.report.requests)
        figures.put(f"rolling_{name}_took_s", phase.took_s)
    figures.put("rolling_streams", len(streams))
    figures.put("rolling_streams_cut", sum(each.fate is not Fate.OK for each in streams))
    figures.put("rolling_websockets", len(sockets))
    figures.put("rolling_websockets_closed_by_drain", sum(each.fate is Fate.CLOSED for each in sockets))
    bad = sum(each.fate not in (Fate.OK, Fate.CLOSED) for each in sockets)
    figures.put("rolling_websockets_not_closed_properly", bad)
    figures.put("rolling_generator_valid", all(each.report.generator.valid for each in phases.values()))
    figures.parts["rolling"] = {name: _explained(phase) for name, phase in phases.items()}


def _explained(phase: Phase) -> dict[str, Any]:
    moments = [(phase.began_at, "change"), (phase.began_at + phase.took_s, "settled")]
    report = phase.report
    return {
        "rate_per_s": phase.rate,
        "totals": report.totals,
        "closes": report.closes,
        "latency": msgspec.to_builtins(report.latency),
        "failures": described(report.failures, moments),
        "cuts": described(report.cuts, moments),
        "generator": msgspec.to_builtins(report.generator),
    }

"""Part `kill`: SIGKILL of a random replica every five seconds at half capacity (figure 2)."""

import math

import msgspec

from benchmarks.load import Beat, Kill, Kills, Kind, Report, Stage, count_executions, kill_randomly, running
from benchmarks.local.loads import IDEMPOTENT, described, half_capacity, traffic, unexplained
from benchmarks.local.spec import Wish
from benchmarks.local.stand import Stand, stand
from benchmarks.report import Figures, Options, at_least, exactly

REPLICAS = 5
PERIOD_S = 5.0
BEATS, BEATS_QUICK = 24, 4
TAIL_S = 5.0
IDEMPOTENT_LEAST = 20_000
SPARE_SHARE = 1.05
"""Arrivals are random; so many more are planned that enough come."""
IDEMPOTENT_SHARE = 0.60
BOUNDS = {
    "kill_idempotent_failed": exactly(0),
    "kill_keyed_failed": exactly(0),
    "kill_in_flight_share": at_least(0.9),
    "kill_cut_unexplained": exactly(0),
    "kill_generator_valid": exactly(1),
}


async def measure(figures: Figures, options: Options) -> None:
    """Measure the capacity with one replica fewer, then kill at half of it."""
    wish = Wish(replicas=(REPLICAS, REPLICAS))
    async with stand(Wish(replicas=(REPLICAS - 1, REPLICAS - 1))) as site:
        capacity, rate = await half_capacity(site, wish.nominal_rate * (REPLICAS - 1), options)
        figures.put("kill_capacity_per_s", capacity)
        await site.up(wish)
        await site.settled(REPLICAS)
        report, kills = await _under_fire(site, rate, options)
        _take(figures, report, kills, rate)
        if not options.quick:
            figures.bounds["kill_idempotent_requests"] = at_least(IDEMPOTENT_LEAST)
        executions = count_executions(site.executions)
        figures.put("kill_unsafe_done_twice", len(executions.repeated))
        left = await site.down()
        figures.parts["kill"]["left"] = [each.role for each in left]


async def _under_fire(site: Stand, rate: float, options: Options) -> tuple[Report, Kills]:
    beats = BEATS_QUICK
    if not options.quick:
        needed_s = IDEMPOTENT_LEAST * SPARE_SHARE / (rate * IDEMPOTENT_SHARE)
        beats = max(BEATS, math.ceil(needed_s / PERIOD_S))
    options.progress(f"kill: {beats} kills at {rate:.0f} requests/s")
    load = traffic(site, "kill", [Stage(beats * PERIOD_S + TAIL_S, rate)], options)

    def told(kill: Kill) -> None:
        options.progress(f"kill: pid {kill.pid} with {kill.in_flight} in flight")

    async with running(load) as run:
        beat = Beat(PERIOD_S, beats, options.seed)
        kills = await kill_randomly(site.ready, beat, site.in_flight, told)
        return await run.finished(), kills


def _take(figures: Figures, report: Report, kills: Kills, rate: float) -> None:
    deaths = {each.pid: each.at for each in kills.kills}
    moments = [(each.at, f"kill of {each.pid}") for each in kills.kills]
    lost = unexplained(report.cuts, deaths)
    unkeyed = report.count(Kind.POST)
    figures.put("kill_rate_per_s", rate)
    figures.put("kill_kills", len(kills.kills))
    figures.put("kill_in_flight_share", kills.share_in_flight)
    figures.put("kill_idempotent_requests", sum(report.count(each) for each in IDEMPOTENT))
    figures.put("kill_idempotent_failed", sum(report.failed_of(each) for each in IDEMPOTENT))
    figures.put("kill_keyed_requests", report.count(Kind.POST_KEYED))
    figures.put("kill_keyed_failed", report.failed_of(Kind.POST_KEYED))
    figures.put("kill_unkeyed_requests", unkeyed)
    figures.put("kill_unkeyed_failed_share", report.failed_of(Kind.POST) / unkeyed if unkeyed else None)
    figures.put("kill_cut", report.cut)
    figures.put("kill_cut_unexplained", len(lost))
    figures.put("kill_generator_valid", report.generator.valid)
    figures.parts["kill"] = {
        "totals": report.totals,
        "latency": msgspec.to_builtins(report.latency),
        "failures": described(report.failures, moments),
        "cuts": described(report.cuts, moments),
        "generator": msgspec.to_builtins(report.generator),
        "skipped": kills.skipped,
    }

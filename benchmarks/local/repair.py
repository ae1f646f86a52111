"""Part `repair`: from a kill to the first answer of the new process; from a step of load likewise (figure 4).

What the app itself takes to start is measured in the same run, under the same load, and taken off: its
median, so that a slow start by chance counts against the repair.
"""

import asyncio
import math
import statistics
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.load import Kind, Load, Stage, first_served, running, strike
from benchmarks.load.tally import nearest_rank
from benchmarks.local.loads import traffic
from benchmarks.local.spec import Wish
from benchmarks.local.stand import Stand, StandError, stand
from benchmarks.local.starting import own_start_s
from benchmarks.report import Figures, Options, at_most

REPAIR_S_MAX, STEP_S_MAX = 1.5, 3.0
KILLS, KILLS_QUICK = 20, 5
STEPS, STEPS_QUICK = 5, 1
REPLICAS = 3
FAST_START_S, SLOW_START_S = 0.15, 4.85
"""With what starting Python takes, an app that starts in 0.3 s and one that starts in 5 s."""
RATE = 60.0
CALM_RATE, STEP_RATE = 20.0, 260.0
"""2 requests in flight, then 26: with a goal of 8 a replica, two replicas carry the one and not the other."""
REST_S = 3.5
"""Longer than the life below which an end counts as a failed start; what is measured is not the back-off."""
WAIT_S = 60.0
LOOK_S = 0.02
MIX = {Kind.GET: 0.8, Kind.POST_KEYED: 0.2}


@dataclass(slots=True)
class Times:
    """What was timed: seconds from the cause to the first answer, and the app's own starts."""

    taken_s: list[float] = field(default_factory=list)
    own_s: list[float] = field(default_factory=list)

    def beyond(self) -> list[float]:
        """How much longer each took than the app's own start does at the median, least first."""
        own = statistics.median(self.own_s)
        return sorted(each - own for each in self.taken_s)

    def plain(self) -> dict[str, Any]:
        """Everything, rounded, for the record."""
        return {
            "taken_s": [round(each, 3) for each in self.taken_s],
            "own_start_s": [round(each, 3) for each in self.own_s],
        }


BOUNDS = {
    "repair_fast_app_p95_beyond_start_s": at_most(REPAIR_S_MAX),
    "repair_slow_app_p95_beyond_start_s": at_most(REPAIR_S_MAX),
    "step_most_beyond_start_s": at_most(STEP_S_MAX),
}


async def measure(figures: Figures, options: Options) -> None:
    """Kill replicas of an app that starts at once and of one that does not; then step up the load."""
    for name, start_s in (("fast", FAST_START_S), ("slow", SLOW_START_S)):
        times, failed = await _kills(start_s, options)
        figures.put(f"repair_{name}_app_start_s", statistics.median(times.own_s))
        figures.put(f"repair_{name}_app_p95_beyond_start_s", nearest_rank(times.beyond(), 0.95))
        figures.put(f"repair_{name}_app_median_beyond_start_s", statistics.median(times.beyond()))
        figures.put(f"repair_{name}_app_failed_requests", failed)
        figures.parts.setdefault("repair", {})[name] = times.plain()
    times = await _steps(options)
    figures.put("step_app_start_s", statistics.median(times.own_s))
    figures.put("step_most_beyond_start_s", max(times.beyond()))
    figures.put("step_median_beyond_start_s", statistics.median(times.beyond()))
    figures.parts["repair"]["step"] = times.plain()


async def _kills(start_s: float, options: Options) -> tuple[Times, int]:
    wish, times, draw = Wish(replicas=(REPLICAS, REPLICAS), start_s=start_s), Times(), Random(options.seed)
    count = KILLS_QUICK if options.quick else KILLS
    longest = count * (2 * start_s + 2 * WAIT_S)
    async with stand(wish) as site:
        load = traffic(site, "repair", [Stage(longest, RATE)], options, mix=MIX)
        async with running(load) as run:
            await asyncio.sleep(REST_S)
            for turn in range(count):
                before = await site.ready()
                victim = draw.choice(sorted(before))
                times.own_s.append(await own_start_s(victim))
                kill = strike(victim)
                assert kill is not None, "a replica that was ready is gone"
                times.taken_s.append(await _answered(run, kill.at, frozenset(before)) - kill.at)
                options.progress(
                    f"repair: {turn + 1}: {times.taken_s[-1]:.2f} s, own {times.own_s[-1]:.2f} s"
                )
                await site.settled(REPLICAS)
                await asyncio.sleep(REST_S)
            report = await run.stop()
        await site.down()
    return times, report.failed


async def _steps(options: Options) -> Times:
    """Step the load up, time the first answer of a new replica, let the replicas drain, and again."""
    wish, times = Wish(replicas=(2, 6), window_s=6.0, drain_s=5.0), Times()
    async with stand(wish) as site:
        for turn in range(STEPS_QUICK if options.quick else STEPS):
            await _step(site, times, options, turn)
        await site.down()
    return times


async def _step(site: Stand, times: Times, options: Options, turn: int) -> None:
    await site.settled(2)
    before = await site.ready()
    calm_s = 8.0 + Random(f"{options.seed}:{turn}").random()
    stages = [Stage(calm_s, CALM_RATE), Stage(WAIT_S, STEP_RATE)]
    async with running(traffic(site, f"step-{turn}", stages, options, mix=MIX)) as run:
        times.own_s.append(await own_start_s(next(iter(before))))
        at = run.started_at + calm_s
        await asyncio.sleep(at - time.monotonic())
        times.taken_s.append(await _answered(run, at, frozenset(before)) - at)
        options.progress(f"step {turn + 1}: {times.taken_s[-1]:.2f} s, own {times.own_s[-1]:.2f} s")
        await run.stop()


async def _answered(run: Load, after: float, known: frozenset[int]) -> float:
    """Return the moment at which an answer by a process that was not known had come.

    Raises:
        StandError: none came.
    """
    looked = 0
    while time.monotonic() < after + WAIT_S:
        fresh, looked = run.samples[looked:], len(run.samples)
        found = first_served(fresh, after, known)
        if found is not None:
            return found.scheduled_at + found.took_s
        await asyncio.sleep(LOOK_S)
    raise StandError(f"no new process answered within {math.ceil(WAIT_S)} s")

"""Part `owners`: the maintainer, then the supervisor, killed again and again under load (figure 5)."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from random import Random

import msgspec

from benchmarks.load import Stage, running, strike
from benchmarks.load.tally import Report, nearest_rank
from benchmarks.local.loads import described, half_capacity, traffic, unexplained
from benchmarks.local.processes import MAINTAINER, REPLICA, SUPERVISOR, doubled
from benchmarks.local.spec import Wish
from benchmarks.local.stand import Stand, StandError, stand
from benchmarks.report import Figures, Options, at_most, exactly

REPLICAS = 4
KILLS, KILLS_QUICK = 20, 4
PAUSE_S = (0.2, 2.0)
"""Between a successor's arrival and its own death: sometimes in the middle of taking over."""
WAIT_S = 30.0
LOOK_S = 0.01
ADOPTED_S_MAX = 2.0
LONGEST_S = 600.0
OWNERS = (MAINTAINER, SUPERVISOR)


@dataclass(slots=True)
class Watch:
    """What was seen over the kills of one owner."""

    kills: list[tuple[float, str]] = field(default_factory=list)
    successor_s: list[float] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    changed: int = 0


BOUNDS = {
    **{f"owners_{owner}_failed": exactly(0) for owner in OWNERS},
    **{f"owners_{owner}_cut": exactly(0) for owner in OWNERS},
    **{f"owners_{owner}_pids_changed": exactly(0) for owner in OWNERS},
    **{f"owners_{owner}_doubled": exactly(0) for owner in OWNERS},
    "owners_supervisor_successor_most_s": at_most(ADOPTED_S_MAX),
    "owners_left_after_down": exactly(0),
    "owners_generator_valid": exactly(1),
}


async def measure(figures: Figures, options: Options) -> None:
    """Measure the capacity with one replica fewer, then kill each owner in turn at half of it."""
    wish, valid = Wish(replicas=(REPLICAS, REPLICAS)), True
    async with stand(Wish(replicas=(REPLICAS - 1, REPLICAS - 1))) as site:
        _, rate = await half_capacity(site, wish.nominal_rate * (REPLICAS - 1), options)
        await site.up(wish)
        await site.settled(REPLICAS)
        figures.put("owners_rate_per_s", rate)
        for owner in OWNERS:
            watch, report = await _killed(site, owner, rate, options)
            valid = valid and report.generator.valid
            _take(figures, owner, watch, report)
        figures.put("owners_generator_valid", valid)
        left = await site.down()
        figures.put("owners_left_after_down", len(left))
        figures.parts["owners"]["left"] = [f"{each.role} {each.pid}" for each in left]


async def _killed(site: Stand, owner: str, rate: float, options: Options) -> tuple[Watch, Report]:
    watch, draw = Watch(), Random(f"{options.seed}:{owner}")
    async with running(traffic(site, f"owners-{owner}", [Stage(LONGEST_S, rate)], options)) as run:
        await asyncio.sleep(2.0)
        before = _replicas(site)
        for turn in range(KILLS_QUICK if options.quick else KILLS):
            await asyncio.sleep(draw.uniform(*PAUSE_S))
            await _one(site, owner, watch)
            watch.twice += await asyncio.to_thread(lambda: doubled(site.processes()))
            watch.changed += len(before ^ _replicas(site))
            options.progress(f"{owner} {turn + 1}: a successor after {watch.successor_s[-1]:.2f} s")
        await asyncio.sleep(2.0)
        watch.changed += len(before ^ _replicas(site))
        return watch, await run.stop()


async def _one(site: Stand, owner: str, watch: Watch) -> None:
    """Kill the owner and have a successor: a maintainer is started by `lamp up`, a supervisor by nobody."""
    pid = await site.owner(owner)
    if pid is None:
        raise StandError(f"there is no {owner} to kill")
    kill = strike(pid)
    assert kill is not None, "it was there"
    watch.kills.append((kill.at, f"kill of {owner} {pid}"))
    if owner == MAINTAINER:
        await site.must("up", "-d", "-y")
    await _taken_over(site, pid, kill.at)
    watch.successor_s.append(time.monotonic() - kill.at)


async def _taken_over(site: Stand, former: int, killed_at: float) -> None:
    """Wait until a supervisor other than the killed process answers and has every replica.

    A new maintainer has shown by `lamp up` that it knows them all.
    """
    while time.monotonic() < killed_at + WAIT_S:
        observed = await site.supervised()
        live = [each for each in observed.replicas if each.phase == "running"] if observed else []
        if observed and observed.pid != former and len(live) == REPLICAS:
            return
        await asyncio.sleep(LOOK_S)
    raise StandError(f"nobody took over within {WAIT_S:.0f} s")


def _replicas(site: Stand) -> set[tuple[str, int]]:
    return {(each.replica, each.pid) for each in site.processes() if each.role == REPLICA and each.leads}


def _take(figures: Figures, owner: str, watch: Watch, report: Report) -> None:
    figures.put(f"owners_{owner}_kills", len(watch.kills))
    figures.put(f"owners_{owner}_requests", report.requests)
    figures.put(f"owners_{owner}_failed", report.failed)
    figures.put(f"owners_{owner}_cut", len(unexplained(report.cuts, {})))
    figures.put(f"owners_{owner}_pids_changed", watch.changed)
    figures.put(f"owners_{owner}_doubled", len(watch.twice))
    figures.put(f"owners_{owner}_successor_most_s", max(watch.successor_s))
    figures.put(f"owners_{owner}_successor_p95_s", nearest_rank(sorted(watch.successor_s), 0.95))
    figures.put(f"owners_{owner}_successor_median_s", statistics.median(watch.successor_s))
    figures.parts.setdefault("owners", {})[owner] = {
        "successor_s": [round(each, 3) for each in watch.successor_s],
        "doubled": watch.twice,
        "totals": report.totals,
        "latency": msgspec.to_builtins(report.latency),
        "failures": described(report.failures, watch.kills),
        "cuts": described(report.cuts, watch.kills),
        "generator": msgspec.to_builtins(report.generator),
    }

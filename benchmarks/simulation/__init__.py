"""Stories drawn from seeds, on the real engine: how many are sound, what they cover, and how fast they go.

`seeds` runs stories of an hour with faults, in parallel; each that is not sound is shown with the command
that runs it again. It can be interrupted, or killed, and goes on with `--resume`. `speed` runs three
workloads without faults, at the loop's own pace. `planted` is what `benchmarks.planted` does, whole.
"""

import argparse
import os
from collections import Counter
from pathlib import Path

from benchmarks import planted
from benchmarks.planted.bugs import BUGS
from benchmarks.report import Figures, Options, at_least, commit, exactly
from lamplighter.model.intents import Up
from lamplighter.targets.simulated import App, Demand
from lamplighter.testing import campaign
from lamplighter.testing.builders import system
from lamplighter.testing.campaign import Campaign, Tally
from lamplighter.testing.report import Parts
from lamplighter.testing.simulation import simulate
from lamplighter.testing.story import HOUR_S, Order, Story

PARTS = {
    "seeds": "stories under faults: what never may happen, and coming to rest",
    "speed": "virtual hours in a second of CPU: three workloads, no faults",
    "planted": "bugs put into what decides: each told by a checker, in how many stories",
}
COUNT, COUNT_QUICK = 10_000, 20
FAULTS_MIN, WORKLOADS_MIN = 20, 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a campaign takes."""
    parser.add_argument("--seeds", type=int, default=None, metavar="N", help=f"how many ({COUNT})")
    parser.add_argument("--first", type=int, default=None, metavar="N", help="the first seed (--seed)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes (cores)")
    parser.add_argument(
        "--resume", type=Path, default=None, metavar="FILE", help="go on with what this file says is done"
    )


def run(options: Options) -> Figures:
    """Run the parts that were asked for."""
    if options.wants("seeds"):
        _seeds(options)
    if options.wants("speed"):
        _speed(options)
    if options.wants("planted"):
        planted.search(BUGS, planted.LENGTH_S, planted.SEEDS, options)
    return options.figures


def _seeds(options: Options) -> None:
    asked = options.asked
    count = asked.seeds or (COUNT_QUICK if options.quick else COUNT)
    made = Campaign(asked.first or options.seed, count, version=commit())
    if asked.resume is not None and (done := made.resume(asked.resume)):
        options.progress(f"{done} seeds were done before")

    def told(made: Campaign, new: Tally) -> None:
        for each in new.failures:
            options.progress(each.text)
        options.progress(made.progress())

    try:
        made.run(asked.jobs, told)
    finally:
        _figures(made.tally, options)
    print(campaign.table(made.tally))


def _figures(tally: Tally, options: Options) -> None:
    figures, runs = options.figures, max(1, len(tally.seeds))
    least, middle = campaign.faults_each(tally)
    figures.put("seeds", len(tally.seeds))
    figures.put("seeds_unsound", len(tally.failures), exactly(0))
    figures.put("actions_destructive_in_outages", tally.blind_stops, exactly(0))
    figures.put("faults_min", least, at_least(FAULTS_MIN))
    figures.put("faults_median", middle)
    figures.put("workloads_mean", tally.workloads / runs, at_least(WORKLOADS_MIN))
    figures.put("virtual_h", tally.virtual_s / HOUR_S)
    figures.put("virtual_h_mean", tally.virtual_s / HOUR_S / runs, at_least(1.0))
    figures.put("virtual_h_per_cpu_s", tally.virtual_s / HOUR_S / max(tally.cpu_s, 1e-9))
    figures.put("outages", tally.outages.total())
    figures.put("passes", tally.passes)
    figures.put("actions", tally.actions)
    figures.put("maintainers", tally.maintainers)
    figures.put("holes", len(tally.holes()))
    figures.parts["outages"] = dict(tally.outages)
    figures.parts["faults"] = dict(tally.faults)
    figures.parts["coverage"] = dict(tally.coverage)
    figures.parts["holes"] = tally.holes()
    figures.parts["violations"] = dict(Counter(name for each in tally.failures for name in each.broken))
    figures.parts["unsound"] = [each.seed for each in tally.failures]


def _speed(options: Options) -> None:
    hours = 0.25 if options.quick else 2.0
    report = simulate(quiet(hours * HOUR_S), seed=options.seed, parts=Parts())
    rate = report.virtual_s / HOUR_S / report.cpu_s
    options.figures.put("quiet_virtual_h_per_cpu_s", rate)
    options.figures.put("quiet_passes_per_cpu_s", report.passes / report.cpu_s)


def quiet(length_s: float) -> Story:
    """Return a story of three workloads in which nothing goes wrong and the load comes and goes."""
    wanted = system(search=(2, 6), model=(2, 6), front=2)
    points = ((0.0, 120.0), (length_s / 3, 120.0), (length_s / 3 + 1, 300.0), (length_s / 2, 120.0))
    up = Up(id="up", system=wanted, releases=dict.fromkeys(wanted.services, "r1"))
    return Story(
        apps={name: App(demand=Demand(points=points)) for name in wanted.services},
        orders=(Order(at=0.0, intent=up),),
        calm_at=length_s,
        end_at=length_s + 600,
    )

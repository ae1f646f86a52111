"""Stories drawn from seeds, on the real engine: how many are sound, and how fast virtual time goes by.

`seeds` runs stories under a storm of faults; each that is not sound is shown with the command that runs it
again. `speed` runs three workloads without faults, at the loop's own pace.
"""

from collections import Counter

from benchmarks.report import Figures, Options, exactly
from lamplighter.model.intents import Up
from lamplighter.targets.simulated import App, Demand
from lamplighter.testing.builders import system
from lamplighter.testing.report import Parts, Report
from lamplighter.testing.simulation import simulate
from lamplighter.testing.story import Order, Story, story

PARTS = {
    "seeds": "stories under a storm of faults: what never may happen, and coming to rest",
    "speed": "virtual hours in a second of CPU: three workloads, no faults",
}
COUNT, COUNT_QUICK = 400, 20
HOUR_S = 3600.0


def run(options: Options) -> Figures:
    """Run the parts that were asked for."""
    if options.wants("seeds"):
        _seeds(options)
    if options.wants("speed"):
        _speed(options)
    return options.figures


def _seeds(options: Options) -> None:
    count = COUNT_QUICK if options.quick else COUNT
    reports = [_one(seed, options) for seed in range(options.seed, options.seed + count)]
    figures, broken = options.figures, Counter(name for each in reports for name in each.broken)
    figures.put("seeds", count)
    figures.put("seeds_unsound", sum(not each.sound for each in reports), exactly(0))
    figures.put("actions", sum(each.actions for each in reports))
    figures.put("maintainers", sum(each.maintainers for each in reports))
    figures.put("virtual_h", sum(each.virtual_s for each in reports) / HOUR_S)
    figures.put("virtual_h_per_cpu_s", _rate(reports))
    figures.parts["violations"] = dict(broken)
    figures.parts["unsound"] = [each.seed for each in reports if not each.sound]


def _one(seed: int, options: Options) -> Report:
    report = simulate(story(seed), seed=seed)
    if not report.sound:
        options.progress(report.text())
    return report


def _speed(options: Options) -> None:
    hours = 0.25 if options.quick else 2.0
    report = simulate(quiet(hours * HOUR_S), seed=options.seed, parts=Parts())
    options.figures.put("quiet_virtual_h_per_cpu_s", _rate([report]))
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


def _rate(reports: list[Report]) -> float:
    return sum(each.virtual_s for each in reports) / HOUR_S / sum(each.cpu_s for each in reports)

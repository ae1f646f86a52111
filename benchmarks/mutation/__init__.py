"""Mutation: small bugs are put into engine and controllers, one at a time; do tests and simulation tell?

Each is met first by the tests that come by its lines, then by stories drawn from seeds, in a forked copy of
this process: no file is touched. A story tells by a checker; what only breaks in one is counted apart.
"""

import argparse
import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.mutation import children, results, warm
from benchmarks.mutation.draw import drawn, rate
from benchmarks.mutation.mutants import Mutant, modules, mutants
from benchmarks.mutation.reach import Reach, reach, tree_of
from benchmarks.mutation.results import EQUIVALENT, EXCEPTION, SURVIVED, Kept, Outcome
from benchmarks.mutation.trial import SCENARIO, TIMEOUT, UNIT, Trial, trial, tried
from benchmarks.report import CannotRunError, Figures, Options, at_least

TOLD_MIN = 0.9
SAMPLE_QUICK, SEEDS, SEEDS_QUICK = 100, 20, 5
CPU_TIMES, CPU_LEAST_S = 2.0, 60.0
"""A mutant may use so many times the CPU that everything takes without it, and no less than this."""
ASLEEP_S = 60.0
NICE = 5


def arguments(parser: argparse.ArgumentParser) -> None:
    """What this benchmark can be asked besides."""
    group = parser.add_argument_group("mutation")
    group.add_argument(
        "--module", nargs="+", default=[], metavar="NAME", help="these modules only (settle, repair)"
    )
    group.add_argument(
        "--sample", type=int, metavar="N", help="so many mutants in all, drawn by --seed, by modules' size"
    )
    group.add_argument(
        "--stories", type=int, metavar="N", help=f"seeds that survivors of the tests meet ({SEEDS})"
    )
    group.add_argument("--jobs", type=int, metavar="N", help="so many at once (as many as there are cores)")
    group.add_argument("--resume", type=Path, metavar="FILE", help="keep outcomes here, and go on from there")
    group.add_argument(
        "--simulation-only", action="store_true", help="leave the tests out: what do stories tell?"
    )


def run(options: Options) -> Figures:
    """Try the mutants that were asked for."""
    chosen, there = _chosen(options)
    os.nice(max(0, NICE - os.nice(0)))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    warm.warm(lambda items: _campaign(items, chosen, there, options))
    return options.figures


def _chosen(options: Options) -> tuple[list[Mutant], dict[str, int]]:
    """The mutants to be tried, and how many there are of each module."""
    asked = options.asked
    names = [each for each in modules() if not asked.module or _matches(each, asked.module)]
    if unknown := [each for each in asked.module if not any(_matches(name, [each]) for name in modules())]:
        raise CannotRunError(f"no module of engine or controllers is called {unknown[0]!r}")
    size = asked.sample if asked.sample is not None else SAMPLE_QUICK if options.quick else None
    there = {name: found for name in names if (found := mutants(name))}
    return drawn(there, size, options.seed), {name: len(found) for name, found in there.items()}


def _matches(module: str, asked: Sequence[str]) -> bool:
    return any(module == each or module.endswith(f".{each.replace('/', '.')}") for each in asked)


def _campaign(
    items: list[pytest.Item], chosen: list[Mutant], there: dict[str, int], options: Options
) -> None:
    asked = options.asked
    jobs = asked.jobs or os.cpu_count() or 1
    count = asked.stories if asked.stories is not None else SEEDS_QUICK if options.quick else SEEDS
    seen = reach(items, range(1, count + 1), jobs, options.progress)
    if seen.unsound:
        options.progress(f"left out, since they fail with nothing changed: {', '.join(seen.unsound)}")
    tree = tree_of(warm.ROOT / "tests") + tree_of(warm.ROOT / "src" / "lamplighter") + f"/{count}"
    kept = Kept(asked.resume, tree)
    reasons = results.explained()
    for mutant in chosen:
        if because := results.why(mutant, reasons):
            kept.known[mutant.key] = Outcome(EQUIVALENT, because)
        elif (outcome := kept.known.get(mutant.key)) and outcome.how in (UNIT, SCENARIO):
            seen.learn(mutant, outcome.by)
    left = [each for each in chosen if each.key not in kept.known]
    random.Random(options.seed).shuffle(left)
    options.progress(f"{len(chosen)} mutants, {len(left)} to be tried")
    try:
        _try(left, items, seen, kept, options)
    finally:
        _tell([(each, kept.known[each.key]) for each in chosen if each.key in kept.known], there, options)


def _try(left: list[Mutant], items: list[pytest.Item], seen: Reach, kept: Kept, options: Options) -> None:
    asked, named = options.asked, {each.nodeid: each for each in items}
    jobs = asked.jobs or os.cpu_count() or 1
    cpu_s = max(CPU_LEAST_S, sum(seen.seconds.values())) * CPU_TIMES

    def work(one: Trial) -> tuple[str, str, list[str]]:
        return tried(one, named)

    trials = (trial(each, seen, tests=not asked.simulation_only) for each in left)
    all_ended = children.each(trials, work, jobs=jobs, cpu_s=cpu_s, asleep_s=ASLEEP_S)
    for number, ended in enumerate(all_ended, start=1):
        mutant: Mutant = ended.task.mutant
        hung = ended.why.startswith("signal")
        how, by, shaky = ended.answer or (TIMEOUT if hung else EXCEPTION, ended.why[-200:], [])
        for each in shaky:
            options.progress(f"fails with nothing changed: {each}")
            seen.forget(each)
        kept.add(mutant, Outcome(how, by))
        if how in (UNIT, SCENARIO):
            seen.learn(mutant, by)
        elif how in (SURVIVED, EXCEPTION):
            options.progress(f"{how}: {mutant.text}")
        if number % 100 == 0:
            options.progress(f"{number} of {len(left)}")


def _tell(rows: list[tuple[Mutant, Outcome]], there: dict[str, int], options: Options) -> None:
    print(results.table(rows))
    counts = results.counted(rows)
    rates = {name: rate([results.stratum(there[name], count)]) for name, count in counts.items()}
    whole = rate([results.stratum(there[name], count) for name, count in counts.items()])
    figures = options.figures
    figures.put("told_share", whole.share if rows else None, at_least(TOLD_MIN))
    figures.put("told_share_low_95", whole.low if rows else None)
    figures.put("told_share_high_95", whole.high if rows else None)
    figures.put("mutants", len(rows))
    figures.put("mutants_there", sum(there.values()))
    for how in results.COLUMNS:
        figures.put(how, sum(count[how] for count in counts.values()))
    figures.parts["modules"] = {
        results.short(name): {**count, "there": there[name], "told_share": rates[name]}
        for name, count in counts.items()
    }
    figures.parts["left"] = [
        {"how": outcome.how, "by": outcome.by, "mutant": mutant.text}
        for mutant, outcome in rows
        if outcome.how in (SURVIVED, EXCEPTION, EQUIVALENT)
    ]

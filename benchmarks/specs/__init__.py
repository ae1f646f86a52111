"""Specs by the thousand: sound ones, mutated ones, and whether each gives a plan or a fault with a place.

`run_specs` is the measurement; `python -m benchmarks specs` runs it alone. A count and a seed give the
same specs every time; a spec that fails is written down whole, with its seed.
"""

import statistics
from collections import Counter
from random import Random
from typing import Any

from benchmarks.report import Figures, Options, at_least, at_most, exactly
from benchmarks.specs.judge import LIMIT_S, Verdict, judge
from benchmarks.specs.mutants import MUTATORS, mutated
from benchmarks.specs.writer import Draft, draft, touched, written

SOUND_SHARE = 0.6
"""Of a hundred specs so many are left as generated; the others are mutated."""
COUNT, COUNT_QUICK = 10_000, 500
KEPT_MAX = 10

PARTS = {"specs": "generated and mutated specs: a plan, or a fault with a place"}


def run(options: Options) -> Figures:
    """Run the measurement alone."""
    count = COUNT_QUICK if options.quick else COUNT
    options.figures.merge(run_specs(count, options.seed, options))
    return options.figures


def run_specs(count: int, seed: int, options: Options | None = None) -> Figures:
    """Judge `count` generated and mutated specs.

    Args:
        count: how many; from about 300 on every field of the schema is met.
        seed: the specs are drawn from it; the same seed gives the same specs.
        options: told how far it is.

    Returns:
        How many reached a plan, gave a fault with a place, or did worse; which fields were exercised.
    """
    tally = _Tally(count)
    for number in range(count):
        _one(tally, f"{seed}:{number}")
        if options is not None and number % 1000 == 999:
            options.progress(f"{number + 1} of {count} specs, {tally.worse} of them answered wrongly")
    return tally.figures()


def _one(tally: "_Tally", seed: str) -> None:
    chance = Random(seed)
    made = draft(chance)
    if chance.random() < SOUND_SHARE:
        text = written(made, chance)
        tally.take(seed, "none", text, judge(text), made)
        return
    name = chance.choice(sorted(MUTATORS))
    mutant, expected = mutated(name, made, chance)
    tally.take(seed, name, mutant, judge(mutant).expecting(expected), None)


class _Tally:
    """What came of the specs so far."""

    def __init__(self, count: int) -> None:
        self.worse = 0
        self._count = count
        self._ends: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._mutants: Counter[str] = Counter()
        self._fields: set[str] = set()
        self._seconds: list[float] = []
        self._kept: list[dict[str, Any]] = []

    def take(self, seed: str, mutator: str, text: str | bytes, verdict: Verdict, made: Draft | None) -> None:
        """Count one spec in; one that was generated sound must reach a plan."""
        end = "refused" if made is not None and verdict.end == "fault" else verdict.end
        self._ends[end] += 1
        self._codes.update(verdict.codes)
        self._mutants[f"{mutator}: {end}"] += 1
        self._seconds.append(verdict.seconds)
        if made is not None and end == "plan":
            self._fields |= touched(made.data)
        if end not in ("plan", "fault"):
            self.worse += 1
            self._keep({"seed": seed, "mutator": mutator, "end": end, "why": verdict.why, "spec": text})

    def _keep(self, failure: dict[str, Any]) -> None:
        if len(self._kept) < KEPT_MAX:
            self._kept.append(failure)

    def figures(self) -> Figures:
        """Return the figures with their bounds."""
        from lamplighter.spec.codes import codes  # noqa: PLC0415 - a benchmark may run without it
        from lamplighter.spec.schema import paths  # noqa: PLC0415

        known, ends, figures = paths(), self._ends, Figures()
        figures.put("specs", self._count)
        figures.put("specs_planned_share", ends["plan"] / self._count, at_least(0.5))
        figures.put("specs_faults_with_place", ends["fault"])
        figures.put("specs_tracebacks", ends["traceback"], exactly(0))
        figures.put("specs_hangs", ends["hang"], exactly(0))
        figures.put("specs_sound_but_refused", ends["refused"], exactly(0))
        figures.put("specs_faults_without_place", ends["unclear"], exactly(0))
        figures.put("specs_faults_not_noticed", ends["unnoticed"], exactly(0))
        figures.put("specs_field_coverage", len(self._fields & known) / len(known), exactly(1.0))
        figures.put("specs_codes_seen", len(set(self._codes) & set(codes())))
        figures.put("specs_slowest_s", max(self._seconds), at_most(LIMIT_S))
        figures.put("specs_median_s", statistics.median(self._seconds))
        figures.parts["specs"] = {
            "fields_not_met": sorted(known - self._fields),
            "codes": dict(self._codes.most_common()),
            "mutators": dict(sorted(self._mutants.items())),
            "failures": self._kept,
        }
        return figures

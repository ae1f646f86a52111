"""Runs: many rehearsals in parallel processes, and what they came to together."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from lamplighter.testing.campaign import worker
from lamplighter.testing.rehearsal import Fare, Rehearsal, rehearse
from lamplighter.testing.story import HOUR_S, Story


class Asked(NamedTuple):
    """One run to be made. `lines`: how much of its trace is kept."""

    story: Story
    seed: int
    lines: int


class Lived(NamedTuple):
    """What is kept of one run."""

    seed: int
    sound: bool
    text: str
    virtual_s: float
    faults: Counter[str]
    actions: Counter[str]
    fares: dict[str, Fare]


@dataclass(slots=True)
class Runs:
    """What some runs came to. `texts` are the traces of those that are not sound, or of all if `traced`."""

    traced: bool = False
    runs: int = 0
    sound: int = 0
    hours: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    fares: dict[str, Fare] = field(default_factory=dict)
    worst: dict[str, float] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def take(self, lived: Lived) -> None:
        """Count a run in. `worst` is the least share of requests that any one run answered."""
        self.runs += 1
        self.sound += lived.sound
        self.hours += lived.virtual_s / HOUR_S
        self.faults += lived.faults
        self.actions += lived.actions
        for name, fare in lived.fares.items():
            self.fares.setdefault(name, Fare()).add(fare)
            self.worst[name] = min(self.worst.get(name, 1.0), fare.answered)
        if self.traced or not lived.sound:
            self.texts.append(lived.text)


def lived_through(asked: Sequence[Asked], *, jobs: int) -> Iterator[Lived]:
    """Make runs, so many processes at a time, and yield them as they were asked for."""
    if jobs <= 1:
        yield from map(_live, asked)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, worker, (os.nice(0),)) as pool:
        try:
            yield from pool.map(_live, asked)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _live(asked: Asked) -> Lived:
    found: Rehearsal = rehearse(asked.story, asked.seed, lines=asked.lines)
    report = found.report
    return Lived(
        seed=asked.seed,
        sound=report.sound,
        text=report.text(again=f"lamp simulate --seed {asked.seed} --seeds 1 --trace, with the same options"),
        virtual_s=report.virtual_s,
        faults=report.faults,
        actions=found.actions,
        fares=found.fares,
    )

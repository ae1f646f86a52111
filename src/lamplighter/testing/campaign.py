"""A campaign: many seeds in parallel processes, resumable, with what they covered and what they found.

Each line of its state file is a batch of seeds that is done; the first line says of what code. So a campaign
that was interrupted, or killed, goes on where it was; one of other code begins anew.
"""

import json
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from lamplighter.targets.simulated.troubles import KINDS
from lamplighter.testing.nearness import ACTIONS
from lamplighter.testing.report import Parts, Report
from lamplighter.testing.simulation import simulate
from lamplighter.testing.story import HOUR_S, story
from lamplighter.testing.twofold import Twofold

BATCH = 5
"""Seeds that one process runs before it reports: about as many seconds."""
PARENT_LOOK_S = 1.0
"""A process of a campaign looks so often whether the one that started it lives."""
OUTAGE_EDGES_S = (1, 3, 10, 30, 100, 300, 1000, 2401)
"""Between these lengths outages of telemetry are counted."""
TRACE_LINES = 40
TWOFOLD_EVERY = 16
"""One seed in so many compares the two forms of a pass."""


class Failure(NamedTuple):
    """A seed that is not sound: which checkers told, and the text of its report."""

    seed: int
    broken: tuple[str, ...]
    text: str


@dataclass(slots=True)
class Tally:
    """What some seeds came to. Tallies add up."""

    seeds: list[int] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    passes: int = 0
    maintainers: int = 0
    actions: int = 0
    workloads: int = 0
    blind_stops: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    faults_each: list[int] = field(default_factory=list)
    outages: Counter[str] = field(default_factory=Counter)
    coverage: Counter[str] = field(default_factory=Counter)

    def take(self, report: Report) -> None:
        """Count one run in."""
        self.seeds.append(report.seed)
        self.virtual_s += report.virtual_s
        self.cpu_s += report.cpu_s
        self.passes += report.passes
        self.maintainers += report.maintainers
        self.actions += report.actions
        self.workloads += report.workloads
        self.blind_stops += report.blind_stops
        self.faults += report.faults
        self.faults_each.append(report.faults.total())
        self.outages.update(bucket(each) for each in report.outages_s)
        self.coverage.update({f"{fault} x {action}": n for (fault, action), n in report.coverage.items()})
        if not report.sound:
            self.failures.append(Failure(report.seed, tuple(sorted(report.broken)), report.text()))

    def add(self, other: "Tally") -> None:
        """Count another tally in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def holes(self) -> list[str]:
        """Return the pairs of a kind of fault and a kind of action that never came together."""
        return [
            f"{fault} x {action}"
            for fault in KINDS
            for action in ACTIONS
            if not self.coverage[f"{fault} x {action}"]
        ]

    def plain(self) -> dict[str, Any]:
        """Return it as plain data, for the state file."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Tally":
        """Return a tally from plain data."""
        made = cls(**plain)
        made.failures = [Failure(seed, tuple(broken), text) for seed, broken, text in made.failures]
        made.faults, made.outages = Counter(made.faults), Counter(made.outages)
        made.coverage = Counter(made.coverage)
        return made


def bucket(length_s: float) -> str:
    """Return between which lengths an outage lies."""
    upper = next((each for each in OUTAGE_EDGES_S if length_s < each), OUTAGE_EDGES_S[-1])
    lower = max((each for each in (0, *OUTAGE_EDGES_S) if each < upper), default=0)
    return f"{lower}-{upper} s"


def batch(seeds: tuple[int, ...], length_s: float = HOUR_S) -> Tally:
    """Run some seeds one after the other."""
    tally = Tally()
    for seed in seeds:
        tally.take(one(seed, length_s))
    return tally


def one(seed: int, length_s: float = HOUR_S) -> Report:
    """Run one seed; now and then each pass is made in both forms, which must come to the same."""
    twofold = Twofold() if seed % TWOFOLD_EVERY == 0 else None
    parts = Parts(trace_lines=TRACE_LINES, step=twofold)
    return simulate(story(seed, length_s=length_s), seed=seed, parts=parts)


class Campaign:
    """The seeds `first` to `first + count - 1` of one version of the code."""

    def __init__(self, first: int, count: int, *, version: str = "", length_s: float = HOUR_S) -> None:
        """Begin with none of them run."""
        self.tally = Tally()
        self._first, self._count = first, count
        self._version, self._length_s = version, length_s
        self._state: Path | None = None
        self._began_s = time.monotonic()
        self._before = 0

    def resume(self, state: Path) -> int:
        """Take up what a state file says is done, and write what is done from here on to it.

        Returns:
            How many seeds are done already; 0 where the file is of another version of the code.
        """
        self._state = state
        header = {"version": self._version, "length_s": self._length_s}
        lines = _lines(state)
        if next(lines, None) != header:
            state.write_text(json.dumps(header) + "\n")
            return 0
        wanted = set(range(self._first, self._first + self._count))
        for line in lines:
            tally = Tally.of(line)
            if wanted.issuperset(tally.seeds):
                self.tally.add(tally)
        self._before = len(self.tally.seeds)
        return self._before

    def run(self, jobs: int, told: Callable[["Campaign", Tally], None]) -> Tally:
        """Run what is left, so many processes at a time; `told` hears of each batch.

        Raises:
            KeyboardInterrupt: what is done by then is in the state file.
        """
        self._began_s = time.monotonic()
        batches = iter(self._batches())
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context, worker, (os.nice(0),)) as pool:
            running: set[Future[Tally]] = set()
            try:
                while True:
                    while len(running) < 2 * jobs and (seeds := next(batches, None)):
                        running.add(pool.submit(batch, seeds, self._length_s))
                    if not running:
                        return self.tally
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for each in done:
                        self._take(each.result(), told)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def progress(self) -> str:
        """Return one line on how far it is, how fast, and until when."""
        done, took_s = len(self.tally.seeds), time.monotonic() - self._began_s
        rate = (done - self._before) / max(took_s, 1e-9)
        left_s = (self._count - done) / rate if rate else 0.0
        hours = self.tally.virtual_s / HOUR_S
        return (
            f"{done} of {self._count} seeds, {len(self.tally.failures)} unsound, {hours:.0f} virtual hours,"
            f" {rate:.2f} seeds/s, {left_s / 60:.0f} min left"
        )

    def _batches(self) -> Iterator[tuple[int, ...]]:
        done = set(self.tally.seeds)
        left = [each for each in range(self._first, self._first + self._count) if each not in done]
        for at in range(0, len(left), BATCH):
            yield tuple(left[at : at + BATCH])

    def _take(self, tally: Tally, told: Callable[["Campaign", Tally], None]) -> None:
        self.tally.add(tally)
        if self._state is not None:
            with self._state.open("a") as file:
                file.write(json.dumps(tally.plain()) + "\n")
        told(self, tally)


def table(tally: Tally) -> str:
    """Return how often each kind of fault came near each kind of action; a pair that never did is a hole."""
    width = max(map(len, KINDS))
    lines = [" " * width + "".join(f"{each:>11}" for each in ACTIONS)]
    for fault in KINDS:
        counts = (tally.coverage[f"{fault} x {action}"] for action in ACTIONS)
        lines.append(f"{fault:<{width}}" + "".join(f"{count or 'HOLE':>11}" for count in counts))
    return "\n".join(lines)


def faults_each(tally: Tally) -> tuple[float, float]:
    """Return the least and the median number of faults in a run."""
    return (min(tally.faults_each, default=0), median(tally.faults_each or [0]))


def worker(nice: int) -> None:
    """Leave an interrupt to the parent, which lets what is under way go; end when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    os.nice(max(0, nice - os.nice(0)))


def _end_with(parent: int) -> None:
    """End this process once its parent has gone."""
    while os.getppid() == parent:
        time.sleep(PARENT_LOOK_S)
    os._exit(1)


def _lines(state: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a state file; a last one that was cut by a kill is left out."""
    texts: Iterable[str] = state.read_text().splitlines() if state.exists() else ()
    for text in texts:
        try:
            yield json.loads(text)
        except json.JSONDecodeError:
            return

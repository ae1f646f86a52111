"""What a benchmark hands back: figures with their bounds, baselines, and the machine they were taken on.

Called by `benchmarks.__main__` to print and to write; called by each benchmark to say what it measured.
It must not know any benchmark.
"""

import argparse
import inspect
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent

Measured = float | None
Contestant = Callable[[], float | Awaitable[float]]


class CannotRunError(Exception):
    """A benchmark cannot run as asked (data missing, unknown part); the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure must hold: `sense` compares the measured value with `value`."""

    sense: Literal["<=", ">=", "="]
    value: float

    def holds(self, measured: Measured) -> bool:
        """Whether the measured value keeps the bound; a value that could not be had keeps none."""
        if measured is None:
            return False
        if self.sense == "<=":
            return measured <= self.value
        return measured >= self.value if self.sense == ">=" else measured == self.value

    def __str__(self) -> str:
        return f"{self.sense} {readable(self.value)}"


def at_most(value: float) -> Bound:
    """The figure may be `value` or less."""
    return Bound("<=", value)


def at_least(value: float) -> Bound:
    """The figure must be `value` or more."""
    return Bound(">=", value)


def exactly(value: float) -> Bound:
    """The figure must be `value`, neither more nor less."""
    return Bound("=", value)


@dataclass(slots=True)
class Figures:
    """What a benchmark measured; filled as it goes.

    Args:
        figures: name with its unit last (`repair_p95_s`) to value; None is a value that could not be had.
        bounds: what some of the figures must hold, by the figure's name.
        baselines: the same quantity measured on something else (another program, an older version).
        parts: whatever explains the figures, by part; anything JSON can carry.
    """

    figures: dict[str, Measured] = field(default_factory=dict)
    bounds: dict[str, Bound] = field(default_factory=dict)
    baselines: dict[str, Measured] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)

    def put(self, name: str, measured: Measured, bound: Bound | None = None) -> None:
        """Record one figure and, if it has one, its bound."""
        self.figures[name] = measured
        if bound is not None:
            self.bounds[name] = bound

    def merge(self, other: "Figures") -> None:
        """Take in what another part measured; on equal names the other's stands."""
        self.figures.update(other.figures)
        self.bounds.update(other.bounds)
        self.baselines.update(other.baselines)
        self.parts.update(other.parts)

    def missed(self) -> list[str]:
        """The names of the bounded figures that do not hold, unknown ones included."""
        return [name for name, bound in self.bounds.items() if not bound.holds(self.figures.get(name))]


@dataclass(frozen=True, slots=True)
class Options:
    """How a benchmark was asked to run.

    Args:
        quick: a run of a minute or so; shows that it works, proves no figure.
        data: a folder with real data, where the benchmark wants one.
        seed: every random draw of the run comes from it.
        only: names of the parts to run; empty means all.
        asked: the command line as it was read, with the benchmark's own arguments.
        figures: fill these and return them: what is in them is shown even if the run then fails.
    """

    quick: bool = False
    data: Path | None = None
    seed: int = 1
    only: frozenset[str] = frozenset()
    asked: argparse.Namespace = field(default_factory=argparse.Namespace)
    figures: Figures = field(default_factory=Figures)
    started_at: float = field(default_factory=time.monotonic)

    def wants(self, part: str) -> bool:
        """Whether the part was asked for."""
        return not self.only or part in self.only

    def progress(self, message: str) -> None:
        """Say on standard error what is going on, with the seconds since the start."""
        print(f"{time.monotonic() - self.started_at:8.1f} s  {message}", file=sys.stderr, flush=True)


def table(figures: Figures) -> str:
    """The bounded figures as `figure | measured | target | holds`, then the others."""
    rows = [("figure", "measured", "target", "holds")]
    for name, bound in figures.bounds.items():
        measured = figures.figures.get(name)
        rows.append((name, readable(measured), str(bound), "yes" if bound.holds(measured) else "NO"))
    rows += [(n, readable(m), "", "") for n, m in figures.figures.items() if n not in figures.bounds]
    rows += [(f"baseline {n}", readable(m), "", "") for n, m in figures.baselines.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(line.rstrip(" |") for line in lines)


def readable(value: Measured) -> str:
    """A number short enough for a table: whole numbers whole, others with four significant digits."""
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def as_document(name: str, figures: Figures, options: Options) -> dict[str, Any]:
    """The JSON form of a run; reads the machine and the commit as they are now."""
    return {
        "name": name,
        "figures": figures.figures,
        "targets": {figure: str(bound) for figure, bound in figures.bounds.items()},
        "missed": figures.missed(),
        "baselines": figures.baselines,
        "machine": machine(),
        "seed": options.seed,
        "quick": options.quick,
        "commit": commit(),
        "parts": figures.parts,
    }


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document whole or not at all (a neighbouring file, then a rename)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(document, indent=1, default=str) + "\n", encoding="utf-8")
    draft.replace(path)


def machine() -> dict[str, Any]:
    """The machine the figures belong to: `load` over one minute, `cores` this process may use."""
    return {
        "cpu": _after_colon("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit that was measured, with `+changes` when the tree differs from it; `unknown` outside git."""
    head = _git("rev-parse", "HEAD")
    return head + ("+changes" if _git("status", "--porcelain") else "") if head else "unknown"


@dataclass(frozen=True, slots=True)
class Spread:
    """Several runs of one contestant: median, extremes, and the values in the order they were taken."""

    median: float
    least: float
    most: float
    values: tuple[float, ...]


async def interleaved(
    contestants: Mapping[str, Contestant], rounds: int, progress: Callable[[str], None] | None = None
) -> dict[str, Spread]:
    """Measure contestants in turns, so that a drift of the machine falls on all of them alike.

    Each round runs every contestant once; the order rotates by one from round to round, so none is always
    first on a cold cache.

    Args:
        contestants: name to a callable that runs once and returns one number; it may be a coroutine function.
        rounds: runs of each contestant, at least one; odd numbers give a median that was really measured.
        progress: is told each number as it comes.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, not {rounds}")
    names, values = list(contestants), {name: [0.0] * 0 for name in contestants}
    for turn in range(rounds):
        shift = turn % len(names) if names else 0
        for name in names[shift:] + names[:shift]:
            outcome = contestants[name]()
            values[name].append(float(await outcome if inspect.isawaitable(outcome) else outcome))
            if progress is not None:
                progress(f"{name}: {readable(values[name][-1])} ({turn + 1} of {rounds})")
    return {name: spread(taken) for name, taken in values.items()}


def spread(values: list[float]) -> Spread:
    """Median and extremes of at least one value."""
    return Spread(statistics.median(values), min(values), max(values), tuple(values))


def _after_colon(path: str, key: str) -> str | None:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), None)


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

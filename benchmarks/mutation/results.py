"""Results: what became of each mutant, kept in a file as it comes, and the table of them."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.mutation.draw import Stratum
from benchmarks.mutation.mutants import Mutant
from benchmarks.mutation.trial import CHECKER, EXCEPTION, SCENARIO, SURVIVED, TIMEOUT, UNIT

EQUIVALENTS = Path(__file__).parent / "equivalents.toml"
KILLS = (UNIT, SCENARIO, CHECKER, TIMEOUT)
EQUIVALENT = "equivalent"
COLUMNS = (UNIT, SCENARIO, CHECKER, TIMEOUT, EXCEPTION, EQUIVALENT, SURVIVED)


class Outcome(NamedTuple):
    """What became of one mutant: how it was told, and by what."""

    how: str
    by: str = ""


class Kept:
    """A file of outcomes, one line each, so that a run can go on where it was broken off.

    What was told stays told for as long as its module stays as it is; what survived is tried again once
    tests or sources have changed.
    """

    def __init__(self, path: Path | None, tree: str) -> None:
        self._path = path
        self._tree = tree
        self.known: dict[str, Outcome] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                if row["how"] in KILLS or row["tree"] == tree:
                    self.known[row["key"]] = Outcome(row["how"], row["by"])
                else:
                    self.known.pop(row["key"], None)

    def add(self, mutant: Mutant, outcome: Outcome) -> None:
        """Note what became of a mutant."""
        self.known[mutant.key] = outcome
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        row = {
            "key": mutant.key,
            "how": outcome.how,
            "by": outcome.by,
            "tree": self._tree,
            "text": mutant.text,
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def explained() -> dict[tuple[str, str, str], str]:
    """The reasons why some mutants make no difference, by module, line and what becomes of it."""
    if not EQUIVALENTS.exists():
        return {}
    rows = tomllib.loads(EQUIVALENTS.read_text(encoding="utf-8")).get("equivalent", [])
    return {(each["module"], each["line"], each["mutant"]): each["reason"] for each in rows}


def why(mutant: Mutant, reasons: dict[tuple[str, str, str], str]) -> str:
    """Why a mutant makes no difference, empty if nobody says so."""
    return reasons.get((short(mutant.module), mutant.before, mutant.after), "")


def short(module: str) -> str:
    """A module's name without the package's."""
    return module.removeprefix("lamplighter.")


def table(rows: Iterable[tuple[Mutant, Outcome]]) -> str:
    """How many mutants of each module were told, and how; the rate leaves out those that change nothing."""
    counts = counted(rows)
    lines: list[tuple[str, ...]] = [("module", "mutants", *COLUMNS, "told")]
    total: Counter[str] = Counter()
    for module, count in sorted(counts.items()):
        total += count
        lines.append(_line(short(module), count))
    lines.append(_line("all", total))
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )


def counted(rows: Iterable[tuple[Mutant, Outcome]]) -> dict[str, Counter[str]]:
    """How many mutants of each module came to which end."""
    counts: dict[str, Counter[str]] = {}
    for mutant, outcome in rows:
        counts.setdefault(mutant.module, Counter())[outcome.how] += 1
    return counts


def stratum(there: int, count: Counter[str]) -> Stratum:
    """One module's part in a draw.

    Args:
        there: how many mutants the module has.
        count: how many of those that were tried came to which end.
    """
    told = sum(count[each] for each in KILLS)
    return Stratum(there, count.total(), count.total() - count[EQUIVALENT], told)


def rate(count: Counter[str]) -> float:
    """The share that was told, of those that make a difference; one if there are none."""
    real = count.total() - count[EQUIVALENT]
    return sum(count[each] for each in KILLS) / real if real else 1.0


def _line(name: str, count: Counter[str]) -> tuple[str, ...]:
    return (name, str(count.total()), *(str(count[each]) for each in COLUMNS), f"{rate(count):.1%}")


__all__ = [
    "EQUIVALENT",
    "EXCEPTION",
    "KILLS",
    "SURVIVED",
    "Kept",
    "Outcome",
    "counted",
    "explained",
    "rate",
    "short",
    "stratum",
    "table",
    "why",
]

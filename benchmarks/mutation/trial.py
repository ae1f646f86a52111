"""Trial: one mutant against the tests that come by it, then against stories; how it was told, if it was."""

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import accumulate
from pathlib import Path

import pytest

from benchmarks.mutation import placing, warm
from benchmarks.mutation.control import Control
from benchmarks.mutation.mutants import Mutant, modules
from benchmarks.mutation.reach import SEED, Reach
from benchmarks.mutation.stories import EXCEPTIONS, found

UNIT, SCENARIO, CHECKER, EXCEPTION, TIMEOUT, SURVIVED = (
    "unit",
    "scenario",
    "checker",
    "exception",
    "timeout",
    "survived",
)
"""Told by a unit test, by a named scenario, by a checker in a story; or only by something breaking there,
or by never coming to an end; or not at all."""
TESTS_S_MAX = 30.0
"""A mutant meets tests of so many seconds of CPU (traced), the likeliest and the quickest first: of the first
hundred that were told, none was told by a test that takes a second."""
COLD_TESTS_MAX = 150
"""What has to be imported anew meets so many of the tests that come by it."""
EXCEPTION_SEEDS_MAX = 4
"""After something broke in so many stories, checkers will hardly see anything."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutant with the names of the tests and stories that it has to pass, in their order."""

    mutant: Mutant
    tests: tuple[str, ...]
    seeds: tuple[int, ...]


def trial(mutant: Mutant, reach: Reach, *, tests: bool = True) -> Trial:
    """Choose what a mutant has to pass: what comes by its lines, or by whatever mentions what it changes."""
    spans = [mutant.lines] if mutant.function else _mentions(mutant)[mutant.module]
    names = reach.touching(mutant, spans)
    if not mutant.function:
        names = _cold_names(mutant, reach)
    met = [each for each in names if tests and not each.startswith(SEED)]
    seeds = tuple(sorted(int(each.removeprefix(SEED)) for each in names if each.startswith(SEED)))
    return Trial(mutant, _within(TESTS_S_MAX, met, reach), seeds)


def _within(most_s: float, names: list[str], reach: Reach) -> tuple[str, ...]:
    spent = accumulate(reach.seconds[each] for each in names)
    return tuple(name for name, spent_s in zip(names, spent, strict=True) if spent_s <= most_s)


def tried(one: Trial, items: dict[str, pytest.Item]) -> tuple[str, str, list[str]]:
    """Put a mutant in place and let it be told, in this process.

    Returns:
        How it was told, by what, and the tests that failed without it too.
    """
    with Control(items) as control:
        return *_told(one, items, control), control.failed


def _told(one: Trial, items: dict[str, pytest.Item], control: Control) -> tuple[str, str]:
    placed = placing.place(one.mutant)
    if not placed:
        placing.import_instead(one.mutant)
    left = one.tests
    while name := _first_failed(left, items, placed=placed):
        if not control.fails([name] if name in items else left, placed=placed):
            return (SCENARIO if name.startswith(warm.SIMULATED) else UNIT), name
        left = left[left.index(name) + 1 :] if name in items else ()
    if not placed and not one.tests:
        warm.first_failed_cold(())
    broke: list[str] = []
    for seed in one.seeds:
        try:
            told = found(seed)
        except Exception as error:  # noqa: BLE001 - whatever breaks, it is the mutant's doing
            told = {type(error).__name__}
            broke.append(f"{SEED}{seed}: {type(error).__name__}")
            continue
        if told - EXCEPTIONS:
            return CHECKER, f"{SEED}{seed}: {', '.join(sorted(told))}"
        broke += [f"{SEED}{seed}: {', '.join(sorted(told))}"] if told else []
        if len(broke) >= EXCEPTION_SEEDS_MAX:
            break
    return (EXCEPTION, broke[0]) if broke else (SURVIVED, "")


def _first_failed(tests: Sequence[str], items: dict[str, pytest.Item], *, placed: bool) -> str:
    if not tests:
        return ""
    if not placed:
        return warm.first_failed_cold(tests)
    warm.settle_in(next(iter(items.values())))
    return next((each for each in tests if warm.failed(items[each])), "")


def _cold_names(mutant: Mutant, reach: Reach) -> list[str]:
    """What tells by importing anew: first tests in files that name what is changed, then what comes by it."""
    names: dict[str, None] = {}
    for module, spans in _mentions(mutant).items():
        proxy = Mutant(module, "", "", (0, 0), "", "", "", "")
        names |= dict.fromkeys(reach.touching(proxy, spans))
    named = _files_naming(_changed_names(mutant), reach)
    tests = sorted(
        (each for each in {*names, *named} if not each.startswith(SEED)),
        key=lambda each: (each not in named, reach.seconds[each], each),
    )
    return [*tests[:COLD_TESTS_MAX], *(each for each in names if each.startswith(SEED))]


def _files_naming(changed: set[str], reach: Reach) -> set[str]:
    """The tests in files in which one of these names stands."""
    tests = {each for each in reach.seconds if not each.startswith(SEED)}
    texts = {file: (warm.ROOT / file).read_text("utf-8") for file in {each.split("::")[0] for each in tests}}
    there = {file for file, text in texts.items() if any(re.search(rf"\b{each}\b", text) for each in changed)}
    return {each for each in tests if each.split("::")[0] in there}


def _mentions(mutant: Mutant) -> dict[str, list[tuple[int, int]]]:
    """The functions, by module, that mention what a mutant outside of any function changes."""
    names = _changed_names(mutant)
    found: dict[str, list[tuple[int, int]]] = {mutant.module: []}
    for module in modules():
        text = Path(str(import_module(module).__file__)).read_text(encoding="utf-8")
        lines = text.splitlines()
        for low, high in _functions(text):
            body = "\n".join(lines[low - 1 : high])
            if any(re.search(rf"\b{name}\b", body) for name in names):
                found.setdefault(module, []).append((low, high))
    return found


def _changed_names(mutant: Mutant) -> set[str]:
    """The constant, field, argument's function or class that lies at a mutant's lines."""
    tree = ast.parse(Path(str(import_module(mutant.module).__file__)).read_text(encoding="utf-8"))
    names: set[str] = set()
    for each in ast.walk(tree):
        if not isinstance(each, ast.stmt) or not each.lineno <= mutant.lines[0] <= (each.end_lineno or 0):
            continue
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(each.name)
        elif isinstance(each, ast.Assign | ast.AnnAssign):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            names |= {one.id for one in targets if isinstance(one, ast.Name)}
    return names


def _functions(text: str) -> Iterable[tuple[int, int]]:
    for each in ast.walk(ast.parse(text)):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield each.lineno, each.end_lineno or each.lineno

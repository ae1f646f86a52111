"""Planting: a bug takes the place of what is there; then stories are told until one shows it."""

import ast
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from benchmarks.mutation import children, placing
from benchmarks.mutation.mutants import Mutant
from benchmarks.mutation.stories import EXCEPTIONS, found
from benchmarks.planted.bugs import Bug, Change

CPU_S, ASLEEP_S = 3600.0, 300.0


class Showing(NamedTuple):
    """What shows a bug: the first seed, and the checkers that tell. `seed` 0: none of those tried."""

    bug: str
    seed: int
    checkers: tuple[str, ...]
    tried: int
    cpu_s: float


class ChangedTextError(Exception):
    """A piece of text that a bug changes is not there exactly once: the bug has to follow the source."""


def plant(bug: Bug, undo: ExitStack | None = None) -> None:
    """Put a bug in its place in this process; `undo` is given what takes it away again.

    Raises:
        ChangedTextError: what it changes is not there (any more), or more than once.
    """
    for mutant in mutants(bug):
        assert placing.place(mutant, undo), f"{bug.name} cannot be put in its place in {mutant.module}"


def told(seed: int, length_s: float) -> frozenset[str]:
    """The checkers that tell of something in a story; what only breaks down is told by none."""
    try:
        return frozenset(found(seed, length_s) - EXCEPTIONS)
    except Exception:  # noqa: BLE001 - whatever breaks is the bug's doing, and no checker's merit
        return frozenset()


def mutants(bug: Bug) -> Iterator[Mutant]:
    """The functions and constants that a bug changes, each with all of the bug's changes in its module."""
    for module, changes in groupby(sorted(bug.changes), key=lambda each: each.module):
        source = Path(str(import_module(module).__file__)).read_text(encoding="utf-8")
        listed = list(changes)
        changed = source
        for each in listed:
            if source.count(each.before) != 1:
                raise ChangedTextError(
                    f"{bug.name}: {each.before!r} is there {source.count(each.before)} times"
                )
            changed = changed.replace(each.before, each.after)
        for each in listed:
            yield _mutant(bug, each, source, changed)


def shown(bugs: Iterable[Bug], seeds: Iterable[int], length_s: float, jobs: int) -> Iterator[Showing]:
    """Plant each bug in a child of its own and tell stories until a checker tells of it, as they end.

    Args:
        bugs: what is planted, one at a time.
        seeds: of the stories, in their order.
        length_s: how long faults go on in each story.
        jobs: how many bugs at once.
    """
    tried = list(seeds)
    work = partial(_shown, seeds=tried, length_s=length_s)
    for ended in children.each(bugs, work, jobs=jobs, cpu_s=CPU_S, asleep_s=ASLEEP_S):
        if ended.answer is None:
            raise RuntimeError(f"{ended.task.name}: {ended.why}")
        name, seed, checkers, *rest = ended.answer
        yield Showing(name, seed, tuple(checkers), *rest)


def _shown(bug: Bug, seeds: list[int], length_s: float) -> Showing:
    began = time.process_time()
    for number, seed in enumerate(seeds, start=1):
        with ExitStack() as planted:
            plant(bug, planted)
            checkers = told(seed, length_s)
        if checkers and not told(seed, length_s):  # the same story without the bug is sound
            return Showing(bug.name, seed, tuple(sorted(checkers)), number, time.process_time() - began)
    return Showing(bug.name, 0, (), len(seeds), time.process_time() - began)


def _mutant(bug: Bug, change: Change, source: str, changed: str) -> Mutant:
    line = source[: source.index(change.before)].count("\n") + 1
    line += len(change.before) - len(change.before.lstrip("\n"))
    function = _function(ast.parse(source), line, "")
    return Mutant(
        change.module, bug.name, "planted", (line, line), function, change.before, change.after, changed
    )


def _function(node: ast.AST, line: int, path: str) -> str:
    """The full name of the outermost function around a line, empty if there is none."""
    for each in getattr(node, "body", ()):
        if not each.lineno <= line <= (each.end_lineno or 0):
            continue
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            return path + each.name
        if isinstance(each, ast.ClassDef):
            return _function(each, line, f"{path}{each.name}.")
    return ""

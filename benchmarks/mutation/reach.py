"""Reach: which lines of the mutated modules each test comes by. Stories come by all of them."""

import hashlib
import importlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from benchmarks.mutation import children, warm
from benchmarks.mutation.mutants import Mutant, modules

SEED = "seed "
"""Stories are named by their seeds, beside the ids of tests."""
CPU_S, ASLEEP_S = 3600.0, 300.0
TRACED_S = 3.0
"""What takes longer, traced, is taken to come by everything, and so are stories."""
EVERYWHERE, NOWHERE = 0, frozenset[int]()
"""In the place of a line: all of them."""
STORY_S = 1.0


@dataclass(slots=True)
class Reach:
    """By name of a test or a story: the seconds that it takes, and the lines of each module it comes by."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[str, set[int]]] = field(default_factory=dict)
    unsound: list[str] = field(default_factory=list)

    told: dict[str, Counter[str]] = field(default_factory=dict)
    """By function: how many of its mutants each test has told so far."""
    tellers: Counter[str] = field(default_factory=Counter)
    """How many mutants each test has told, wherever they were."""

    def touching(self, mutant: Mutant, spans: Iterable[tuple[int, int]]) -> list[str]:
        """The tests and stories that come by any of these lines of a mutant's module, the likeliest first."""
        wanted = {line for low, high in spans for line in range(low, high + 1)}
        wanted.add(EVERYWHERE)
        names = [name for name, seen in self.lines.items() if seen.get(mutant.module, NOWHERE) & wanted]
        told = self.told.get(f"{mutant.module}:{mutant.function}", Counter())
        cost = {name: self.seconds[name] / (1 + self.tellers[name]) for name in names}
        return sorted(names, key=lambda name: (-told[name], cost[name], name))

    def forget(self, test: str) -> None:
        """Leave a test out from here on: it has failed with nothing changed."""
        if self.lines.pop(test, None) is not None:
            self.unsound.append(test)

    def learn(self, mutant: Mutant, test: str) -> None:
        """Note that a test has told a mutant; it comes first for others of the same function."""
        self.told.setdefault(f"{mutant.module}:{mutant.function}", Counter())[test] += 1
        self.tellers[test] += 1


def reach(
    items: list[pytest.Item], seeds: Iterable[int], jobs: int, progress: Callable[[str], None]
) -> Reach:
    """Run each test once, watched; what was seen of this very tree before is taken from a file."""
    seeds = list(seeds)
    kept = warm.ROOT / "build" / "mutation" / f"reach-{_tree()}.json"
    if not kept.exists():
        progress(f"looking which lines {len(items)} tests come by")
        tasks = [list(range(start, len(items), 8)) for start in range(8)]
        said = []
        for ended in children.each(
            tasks, lambda task: _watched(task, items), jobs=jobs, cpu_s=CPU_S, asleep_s=ASLEEP_S
        ):
            assert ended.answer is not None, ended.why
            said.append(ended.answer)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps([row for rows in said for row in rows]), encoding="utf-8")
    there = {each.nodeid for each in items}
    made = _read([row for row in json.loads(kept.read_text(encoding="utf-8")) if row[0] in there])
    for each in seeds:
        made.seconds[f"{SEED}{each}"] = STORY_S
        made.lines[f"{SEED}{each}"] = {name: {EVERYWHERE} for name in modules()}
    return made


def _read(rows: list[Any]) -> Reach:
    made = Reach()
    for name, seconds, lines, bad in rows:
        if bad:
            made.unsound.append(name)
            continue
        made.seconds[name] = seconds
        made.lines[name] = {module: set(numbers) for module, numbers in lines.items()}
    return made


def _watched(task: list[Any], items: list[pytest.Item]) -> list[Any]:
    files = {str(importlib.import_module(each).__file__): each for each in modules()}
    warm.settle_in(items[0])
    rows = []
    for which in task:
        tracer = _Tracer(files)
        with tracer:
            bad, seconds = warm.timed(partial(warm.failed, items[which], CPU_S))
        rows.append((items[which].nodeid, seconds, tracer.lines(), bad))
    return rows


class _Tracer:
    """Notes the lines that are run, in any thread; a code object of which all are known is let be."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files
        self.seen: dict[str, set[int]] = {}
        self._left: dict[CodeType, set[int]] = {}

        self._ends_at = time.process_time() + TRACED_S
        self._cut = False

    def lines(self) -> dict[str, list[int]]:
        """The lines of each module that were seen."""
        if self._cut:
            return {each: [EVERYWHERE] for each in self._files.values()}
        return {each: sorted(filter(None, seen)) for each, seen in self.seen.items()}

    def __enter__(self) -> None:
        threading.settrace(self._call)
        sys.settrace(self._call)

    def __exit__(self, *_error: object) -> None:
        sys.settrace(None)
        threading.settrace(None)

    def _call(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if time.process_time() > self._ends_at:
            self._cut = True
            sys.settrace(None)
            return None
        code = frame.f_code
        module = self._files.get(code.co_filename)
        if module is None:
            return None
        left = self._left.get(code)
        if left is None:
            left = self._left[code] = {line for *_, line in code.co_lines() if line}
            self.seen.setdefault(module, set()).add(code.co_firstlineno)
        if not left:
            return None
        seen = self.seen[module]

        def line(inner: FrameType, _event: str, _argument: object) -> Any:
            seen.add(inner.f_lineno)
            left.discard(inner.f_lineno)
            return line

        return line


def _tree() -> str:
    """A digest of everything that could change what is reached."""
    total = hashlib.sha256()
    for folder in ("src/lamplighter", "tests/unit", "tests/simulation"):
        for path in sorted((warm.ROOT / folder).rglob("*.py")):
            total.update(str(path.relative_to(warm.ROOT)).encode() + path.read_bytes())
    return total.hexdigest()[:16]


def tree_of(folder: Path) -> str:
    """A digest of the Python files below a folder."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()[:16]

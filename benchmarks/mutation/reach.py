"""Reach: which lines of the mutated modules each test and each story comes by."""

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
from benchmarks.mutation.stories import found

SEED = "seed "
"""Stories are named by their seeds, beside the ids of tests."""
CPU_S, ASLEEP_S = 3600.0, 300.0
TRACED_S = 3.0
"""A test that takes longer, traced, is taken to come by everything."""
EVERYWHERE, NOWHERE = 0, frozenset[int]()
"""In the place of a line: all of them."""
PARTS = 16


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
    """Run each test and story once, watched; of which nothing has changed since is read from a file."""
    kept = warm.ROOT / "build" / "mutation" / "reach.json"
    stamps = _stamps([*(each.nodeid for each in items), *(f"{SEED}{each}" for each in seeds)])
    rows = _known(kept, stamps)
    left = [name for name in stamps if name not in rows]
    if left:
        progress(f"looking which lines {len(left)} tests and stories come by")
        named = {each.nodeid: each for each in items}
        tasks = [left[start::PARTS] for start in range(min(PARTS, len(left)))]
        for ended in children.each(
            tasks, lambda task: _watched(task, named), jobs=jobs, cpu_s=CPU_S, asleep_s=ASLEEP_S
        ):
            assert ended.answer is not None, ended.why
            rows |= {row[0]: (stamps[row[0]], *row[1:]) for row in ended.answer}
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(rows), encoding="utf-8")
    return _read(rows)


def _known(kept: Path, stamps: dict[str, str]) -> dict[str, Any]:
    rows = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    return {name: row for name, row in rows.items() if stamps.get(name) == row[0]}


def _read(rows: dict[str, Any]) -> Reach:
    made = Reach()
    for name, (_, seconds, lines, bad) in rows.items():
        if bad:
            made.unsound.append(name)
            continue
        made.seconds[name] = seconds
        made.lines[name] = {module: set(numbers) for module, numbers in lines.items()}
    return made


def _watched(names: list[str], items: dict[str, pytest.Item]) -> list[Any]:
    files = {str(importlib.import_module(each).__file__): each for each in modules()}
    warm.settle_in(next(iter(items.values())))
    rows = []
    for name in names:
        tracer = _Tracer(files, TRACED_S if name in items else CPU_S)
        with tracer:
            bad, seconds = warm.timed(partial(_fails, name, items))
        rows.append((name, seconds, tracer.lines(), bad))
    return rows


def _fails(name: str, items: dict[str, pytest.Item]) -> bool:
    if name in items:
        return warm.failed(items[name], CPU_S)
    return bool(found(int(name.removeprefix(SEED))))


class _Tracer:
    """Notes the lines that are run, in any thread; a code object of which all are known is let be."""

    def __init__(self, files: dict[str, str], within_s: float) -> None:
        self._files = files
        self.seen: dict[str, set[int]] = {}
        self._left: dict[CodeType, set[int]] = {}

        self._ends_at = time.process_time() + within_s
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


def _stamps(names: Iterable[str]) -> dict[str, str]:
    """For each test and story, a digest of what could change which lines it comes by.

    That is the sources, what tests share, and the file that a test is in.
    """
    shared = hashlib.sha256(tree_of(warm.ROOT / "src" / "lamplighter").encode())
    for path in sorted((warm.ROOT / "tests").rglob("*.py")):
        if not path.name.startswith("test_"):
            shared.update(path.read_bytes())
    files: dict[str, str] = {}
    for name in names:
        file = "" if name.startswith(SEED) else name.split("::")[0]
        if file not in files:
            text = (warm.ROOT / file).read_bytes() if file else b""
            files[file] = hashlib.sha256(shared.digest() + text).hexdigest()[:16]
    return {name: files["" if name.startswith(SEED) else name.split("::")[0]] for name in names}


def tree_of(folder: Path) -> str:
    """A digest of the Python files below a folder."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()[:16]

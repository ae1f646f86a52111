"""Mutants: one small, plausible bug each, as a change of the text of one module.

Positions are those of the syntax tree, so a mutant reads as a difference of one place. What only words
a message, annotates a type or checks an invariant is left alone. Knows nothing of tests.
"""

import ast
import hashlib
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

from benchmarks.mutation import expressions, statements
from benchmarks.mutation.places import Edit, Place, outline

PACKAGES = ("lamplighter.engine", "lamplighter.controllers")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug. `lines` are what it touches; `function` is where it lies, empty outside of any.

    `key` names it for as long as its module stays as it is.
    """

    module: str
    key: str
    operator: str
    lines: tuple[int, int]
    function: str
    before: str
    after: str
    source: str

    @property
    def text(self) -> str:
        """The first line that differs, and what it becomes."""
        return f"{self.module}:{self.lines[0]} [{self.operator}]\n  - {self.before}\n  + {self.after}"


def modules() -> tuple[str, ...]:
    """The names of all modules that are mutated."""
    found = []
    for name in PACKAGES:
        package = importlib.import_module(name)
        found += [name, *(f"{name}.{each.name}" for each in pkgutil.iter_modules(package.__path__))]
    return tuple(sorted(found))


def mutants(module: str) -> list[Mutant]:
    """All mutants of one module, in the order of its text; none compiles to what is there already."""
    live = importlib.import_module(module)
    assert live.__file__ is not None
    source = Path(live.__file__).read_text(encoding="utf-8")
    tree, made = ast.parse(source), dict[str, Mutant]()
    parts = [_Part(source, each) for each in tree.body]
    for place in outline(tree, live):
        part = next(each for each in parts if each.first <= place.lines[0] <= each.last)
        for operator, edit in _edits(place, live):
            mutant = _mutant(module, source, place, operator, edit)
            if part.differs(mutant.source):
                made.setdefault(mutant.source, mutant)
    return list(made.values())


class _Part:
    """One statement of a module, to be compiled by itself: that is much faster than the whole."""

    def __init__(self, source: str, statement: ast.stmt) -> None:
        decorators = getattr(statement, "decorator_list", [])
        self.first = min([statement.lineno, *(each.lineno for each in decorators)])
        self.last = statement.end_lineno or statement.lineno
        self._after = len(source.splitlines()) - self.last
        self._plain = self._compiled(source)

    def differs(self, source: str) -> bool:
        """Whether this part does something else in a changed text of the module, and can be compiled."""
        try:
            return not same_code(self._compiled(source), self._plain)
        except (SyntaxError, ValueError):
            return False

    def _compiled(self, source: str) -> CodeType:
        lines = source.splitlines()
        return compile("\n".join(lines[self.first - 1 : len(lines) - self._after]), "part", "exec")


def same_code(one: CodeType, other: CodeType) -> bool:
    """Whether two code objects do the same, wherever they stand."""
    if (one.co_code, one.co_names, one.co_varnames) != (other.co_code, other.co_names, other.co_varnames):
        return False
    if len(one.co_consts) != len(other.co_consts):
        return False
    return all(_same_constant(*pair) for pair in zip(one.co_consts, other.co_consts, strict=True))


def _same_constant(one: object, other: object) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return same_code(one, other)
    return type(one) is type(other) and one == other


def _edits(place: Place, live: ModuleType) -> Iterator[tuple[str, Edit]]:
    if isinstance(place.node, ast.expr):
        yield from expressions.edits(place, live)
    else:
        yield from statements.edits(place, live)


def _mutant(module: str, source: str, place: Place, operator: str, edit: Edit) -> Mutant:
    changed = edit.applied(source)
    before, after = _difference(source, changed, edit)
    key = hashlib.sha256(f"{module}\0{source}\0{changed}".encode()).hexdigest()[:16]
    return Mutant(module, key, operator, place.lines, place.function, before, after, changed)


def _difference(source: str, changed: str, edit: Edit) -> tuple[str, str]:
    """The lines that an edit touches, before and after, each as one line without indentation."""
    old = source.splitlines()[edit.start[0] - 1 : edit.end[0]]
    tail = len(source.splitlines()) - edit.end[0]
    lines = changed.splitlines()
    new = lines[edit.start[0] - 1 : len(lines) - tail]
    return " ".join(each.strip() for each in old), " ".join(each.strip() for each in new)

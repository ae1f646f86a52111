"""Places: every node of a module at which something may be changed, with what surrounds it.

Left out are docstrings, annotations, assertions, decorators, and whatever only ends up in a message.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

Position = tuple[int, int]
Function = ast.FunctionDef | ast.AsyncFunctionDef

PROSE = frozenset({"message", "why", "detail", "because", "reason", "gain"})
"""Names that hold words for people, as variables and as arguments."""
TELLERS = frozenset({"log", "_say"})
SKIPPED = (ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom)


@dataclass(frozen=True, slots=True)
class Edit:
    """A span of a module's text (line from 1, column in bytes), and what takes its place."""

    start: Position
    end: Position
    text: str

    def applied(self, source: str) -> str:
        """The module's text with this change made."""
        lines = source.encode().splitlines(keepends=True)
        head = b"".join(lines[: self.start[0] - 1]) + lines[self.start[0] - 1][: self.start[1]]
        tail = lines[self.end[0] - 1][self.end[1] :] + b"".join(lines[self.end[0] :])
        return (head + self.text.encode() + tail).decode()


@dataclass(frozen=True, slots=True)
class Place:
    """A node, the statement it stands in, and the functions around it, the outermost's name in full."""

    node: ast.AST
    statement: ast.stmt | None = None
    parent: ast.AST | None = None
    function: str = ""
    around: tuple[Function, ...] = field(default=())

    @property
    def lines(self) -> tuple[int, int]:
        """The lines that a tracer sees when this is run."""
        node: Any = self.node.pattern if isinstance(self.node, ast.match_case) else self.node
        return node.lineno, node.end_lineno

    def edit(self, text: str) -> Edit:
        """The change that puts a text in this node's place."""
        return replaced(self.node, text)


def replaced(node: ast.AST, text: str) -> Edit:
    """The change that puts a text in a node's place."""
    start = (node.lineno, node.col_offset)  # type: ignore[attr-defined]
    return Edit(start, (node.end_lineno, node.end_col_offset), text)  # type: ignore[attr-defined]


def outline(tree: ast.Module, live: ModuleType) -> Iterator[Place]:
    """Every place of a module, outer ones first."""
    for each in tree.body:
        yield from _inside(each, Place(tree), "", live)


def _inside(node: ast.AST, parent: Place, path: str, live: ModuleType) -> Iterator[Place]:
    if isinstance(node, SKIPPED) or _prose(node, parent):
        return
    statement = node if isinstance(node, ast.stmt) else parent.statement
    place = Place(node, statement, parent.node, parent.function, parent.around)
    if isinstance(node, ast.stmt | ast.expr | ast.match_case | ast.ExceptHandler):
        yield place
    inner = place
    if isinstance(node, ast.ClassDef):
        if any(getattr(each, "id", "") == "Protocol" for each in node.bases):
            return
        path += f"{node.name}."
    if isinstance(node, Function):
        for default in (*node.args.defaults, *(each for each in node.args.kw_defaults if each)):
            yield from _inside(default, place, path, live)
        name = parent.function or path + node.name
        inner = Place(node, statement, parent.node, name, (*parent.around, node))
    for each in _children(node):
        yield from _inside(each, inner, path, live)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """What is inside, without annotations, decorators, and the names that are bound."""
    if isinstance(node, Function | ast.ClassDef):
        yield from node.body
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "target", "targets", "pattern"):
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST):
                yield each


def _prose(node: ast.AST, parent: Place) -> bool:
    """Whether a node only words something for people."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.keyword):
        return node.arg in PROSE or _invariant(node, parent)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {each.id for each in targets if isinstance(each, ast.Name)}
        if isinstance(node.value, ast.Subscript) and not parent.around and not any(map(str.isupper, names)):
            return True  # another name for a type
        return bool(names) and all(_told(each, parent.around) for each in names)
    if isinstance(node, ast.Call):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        return name in TELLERS or isinstance(parent.node, ast.Raise)
    return False


def _invariant(node: ast.keyword, parent: Place) -> bool:
    """Whether this checks, as an assertion does, that what is gone through together is as long."""
    called = getattr(parent.node, "func", None)
    strict = node.arg == "strict" and isinstance(node.value, ast.Constant) and node.value.value is True
    return strict and isinstance(called, ast.Name) and called.id == "zip"


def _told(name: str, around: tuple[Function, ...]) -> bool:
    """Whether a variable is used in nothing but messages."""
    if name in PROSE or name in ("__all__", "__slots__"):
        return True
    if not around:
        return False
    uses = _uses(around[-1], name, told=False)
    return bool(uses) and all(uses)


def _uses(node: ast.AST, name: str, *, told: bool) -> list[bool]:
    """For each use of a variable below a node, whether it is in a message."""
    if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
        return [told]
    worded = told or isinstance(node, ast.JoinedStr | ast.Raise)
    worded = worded or (isinstance(node, ast.keyword) and node.arg in PROSE)
    if isinstance(node, ast.Assign):
        worded = worded or any(getattr(each, "id", "") in PROSE for each in node.targets)
    return [use for each in ast.iter_child_nodes(node) for use in _uses(each, name, told=worded)]

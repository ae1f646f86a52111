"""Mutations of expressions: comparisons, arithmetic, conditions, calls, what is put together or cut."""

import ast
import builtins
import enum
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from benchmarks.mutation.places import Edit, Place, replaced

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
}
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "ceil": "floor", "floor": "ceil"}
UNWRAPPED = {"sorted": "list", "reversed": "list", "abs": "", "round": "", "ceil": "", "set": "list"}
SOURCES = ("PROCESSES", "HEALTH", "TRAFFIC", "MACHINE")
ATOMS = (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript, ast.List, ast.Dict, ast.Set)

Found = Iterator[tuple[str, str]]


def edits(place: Place, live: ModuleType) -> Iterator[tuple[str, Edit]]:
    """All changes of one expression, each with the name of its kind."""
    node = place.node
    for kind, operator in OPERATORS:
        if isinstance(node, kind):
            for name, text in operator(node, live):
                yield name, place.edit(text)
    if isinstance(node, ast.comprehension):
        return
    for generator in getattr(node, "generators", ()):
        for each in generator.ifs:
            yield "filter-dropped", replaced(each, forced(each, "True"))
            yield "filter-closed", replaced(each, forced(each, "False"))


def text(node: ast.AST) -> str:
    """The text of an expression, in brackets where it might fall apart in another's place."""
    plain = ast.unparse(node)
    return plain if isinstance(node, ATOMS) else f"({plain})"


def forced(test: ast.expr, value: str) -> str:
    """A condition that always comes out the same; what it binds is bound all the same."""
    binds = any(isinstance(each, ast.NamedExpr) for each in ast.walk(test))
    return f"(({ast.unparse(test)}), {value})[1]" if binds else value


def _compare(node: ast.Compare, _live: ModuleType) -> Found:
    for at, sign in enumerate(node.ops):
        other = COMPARED.get(type(sign))
        if other is not None:
            signs = [*node.ops[:at], other(), *node.ops[at + 1 :]]
            yield "comparison", text(ast.Compare(node.left, signs, node.comparators))
    right = node.comparators[0]
    if len(node.ops) > 1 or not isinstance(right, ast.Constant) or not isinstance(right.value, bool):
        return
    if isinstance(node.ops[0], ast.Is):  # None counts as the one that was asked for
        yield "unknown-counts", f"({ast.unparse(node.left)} is not {not right.value})"
    if isinstance(node.ops[0], ast.IsNot):
        yield "unknown-counts", f"({ast.unparse(node.left)} is {not right.value})"


def _binary(node: ast.BinOp, live: ModuleType) -> Found:
    other = COUNTED.get(type(node.op))
    if other is not None:
        yield "arithmetic", text(ast.BinOp(node.left, other(), node.right))
    yield "operand-dropped", text(node.left)
    if not isinstance(node.op, ast.Sub | ast.Div | ast.Mod | ast.FloorDiv):
        yield "operand-dropped", text(node.right)
    if isinstance(node.op, ast.BitOr) and not _of_kinds(node, live):
        yield "union-order", text(ast.BinOp(node.right, node.op, node.left))


def _of_kinds(node: ast.expr, live: ModuleType) -> bool:
    """Whether this is a union of classes: these are a set, in whichever order they stand."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _of_kinds(node.left, live) and _of_kinds(node.right, live)
    if not isinstance(node, ast.Name):
        return False
    return isinstance(getattr(live, node.id, getattr(builtins, node.id, None)), type)


def _bool(node: ast.BoolOp, _live: ModuleType) -> Found:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield "and-or", text(ast.BoolOp(other, node.values))
    for at, each in enumerate(node.values):
        if any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(each)):
            continue
        left = [*node.values[:at], *node.values[at + 1 :]]
        yield "operand-dropped", text(left[0] if len(left) == 1 else ast.BoolOp(node.op, left))


def _unary(node: ast.UnaryOp, _live: ModuleType) -> Found:
    yield ("not-dropped" if isinstance(node.op, ast.Not) else "sign"), text(node.operand)


def _choice(node: ast.IfExp, _live: ModuleType) -> Found:
    for value in ("True", "False"):
        yield "condition-forced", text(ast.IfExp(ast.Name(forced(node.test, value)), node.body, node.orelse))


def _constant(node: ast.Constant, _live: ModuleType) -> Found:
    value = node.value
    if isinstance(value, bool):
        yield "constant", str(not value)
    elif isinstance(value, int):
        yield "constant", str(value + 1)
        if value:
            yield "constant", str(value - 1)
    elif isinstance(value, float):
        yield "constant", repr(value * 2 if value else 1.0)
        if value:
            yield "constant", "0.0"


def _call(node: ast.Call, live: ModuleType) -> Found:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name in CALLED:
        yield "function", ast.unparse(ast.Call(ast.Name(CALLED[name]), node.args, node.keywords))
    if name in UNWRAPPED and node.args:
        inner = text(node.args[0])
        yield "call-dropped", f"{UNWRAPPED[name]}({ast.unparse(node.args[0])})" if UNWRAPPED[name] else inner
    if name in ("min", "max") and len(node.args) > 1:
        for at in range(len(node.args)):
            left = [*node.args[:at], *node.args[at + 1 :]]
            alone = len(left) == 1 and not isinstance(left[0], ast.Starred)
            yield (
                "argument-dropped",
                text(left[0]) if alone else ast.unparse(ast.Call(node.func, left, node.keywords)),
            )
    if name in ("get", "pop", "next") and len(node.args) == 2:
        yield "argument-dropped", ast.unparse(ast.Call(node.func, node.args[:1], []))
    yield from _arguments(node, name, live)


def _arguments(node: ast.Call, name: str, live: ModuleType) -> Found:
    """Named arguments left out where that is no error at once, and neighbours of one type exchanged."""
    known = _parameters(node.func, live)
    for at, each in enumerate(node.keywords):
        left = [*node.keywords[:at], *node.keywords[at + 1 :]]
        given = known.get(each.arg or "")
        optional = name == "replace" or (given is not None and given.default is not inspect.Parameter.empty)
        if each.arg is None or not optional:
            continue
        bare = name == "replace" and not left
        yield (
            "argument-dropped",
            text(node.args[0]) if bare else ast.unparse(ast.Call(node.func, node.args, left)),
        )
    kinds = [str(each.annotation) for each in known.values()]
    for at in range(len(node.args) - 1):
        same = at + 1 < len(kinds) and kinds[at] == kinds[at + 1] and "Any" not in kinds[at]
        if same and not any(isinstance(each, ast.Starred) for each in node.args):
            order = [*node.args[:at], node.args[at + 1], node.args[at], *node.args[at + 2 :]]
            yield "arguments-swapped", ast.unparse(ast.Call(node.func, order, node.keywords))


def _parameters(called: ast.expr, live: ModuleType) -> dict[str, inspect.Parameter]:
    found: Any = live
    try:
        for part in ast.unparse(called).split("."):
            found = getattr(found, part)
        return dict(inspect.signature(found).parameters)
    except (AttributeError, TypeError, ValueError):
        return {}


def _sequence(node: ast.Tuple | ast.Set | ast.List, _live: ModuleType) -> Found:
    if not isinstance(node.ctx if hasattr(node, "ctx") else ast.Load(), ast.Load) or len(node.elts) < 2:
        return
    starred = any(isinstance(each, ast.Starred) for each in node.elts)
    listed = isinstance(node, ast.Set) or all(isinstance(each, ast.Constant | ast.Name) for each in node.elts)
    if not (starred or listed):
        return
    for at in range(len(node.elts)):
        left = [*node.elts[:at], *node.elts[at + 1 :]]
        yield "element-dropped", ast.unparse(type(node)(left))
    if starred and len(node.elts) == 2 and not isinstance(node, ast.Set):
        yield "union-order", ast.unparse(type(node)(node.elts[::-1]))


def _dict(node: ast.Dict, _live: ModuleType) -> Found:
    if None not in node.keys or len(node.keys) < 2:
        return
    for at in range(len(node.keys)):
        keys, values = [*node.keys], [*node.values]
        del keys[at], values[at]
        yield "element-dropped", ast.unparse(ast.Dict(keys, values))
    yield "union-order", ast.unparse(ast.Dict(node.keys[::-1], node.values[::-1]))


def _subscript(node: ast.Subscript, _live: ModuleType) -> Found:
    if not isinstance(node.slice, ast.Slice) or not isinstance(node.ctx, ast.Load):
        return
    low, high = node.slice.lower, node.slice.upper
    yield "slice-dropped", text(node.value)
    if (low is None) != (high is None):
        yield "slice-turned", ast.unparse(ast.Subscript(node.value, ast.Slice(high, low), node.ctx))
    if high is not None:
        more = ast.BinOp(high, ast.Add(), ast.Constant(1))
        yield "slice-bound", ast.unparse(ast.Subscript(node.value, ast.Slice(low, more), node.ctx))


def _attribute(node: ast.Attribute, live: ModuleType) -> Found:
    """Another member of the same enumeration."""
    found = getattr(live, node.value.id, None) if isinstance(node.value, ast.Name) else None
    if isinstance(found, enum.EnumMeta):
        members = list(found.__members__)
        if node.attr in members:
            other = members[(members.index(node.attr) + 1) % len(members)]
            yield "member", f"{ast.unparse(node.value)}.{other}"


def _name(node: ast.Name, live: ModuleType) -> Found:
    """Another source of facts."""
    if node.id in SOURCES and isinstance(node.ctx, ast.Load) and hasattr(live, node.id):
        other = SOURCES[(SOURCES.index(node.id) + 1) % len(SOURCES)]
        yield "source", repr(other.lower())


OPERATORS: tuple[tuple[Any, Callable[[Any, ModuleType], Found]], ...] = (
    (ast.Compare, _compare),
    (ast.BinOp, _binary),
    (ast.BoolOp, _bool),
    (ast.UnaryOp, _unary),
    (ast.IfExp, _choice),
    (ast.Constant, _constant),
    (ast.Call, _call),
    (ast.Tuple | ast.Set | ast.List, _sequence),
    (ast.Dict, _dict),
    (ast.Subscript, _subscript),
    (ast.Attribute, _attribute),
    (ast.Name, _name),
)

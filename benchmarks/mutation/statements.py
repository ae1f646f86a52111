"""Mutations of statements: conditions forced, steps and arms left out, other things returned."""

import ast
from collections.abc import Iterator
from types import ModuleType

from benchmarks.mutation.expressions import forced, text
from benchmarks.mutation.places import Edit, Function, Place, replaced

AUGMENTED: dict[type[ast.operator], str] = {ast.Add: "-=", ast.Sub: "+=", ast.BitOr: "&=", ast.Mult: "/="}
EMPTY = {"str": '""', "int": "0", "float": "0.0", "list": "[]", "dict": "{}", "frozenset": "frozenset()"}


def edits(place: Place, _live: ModuleType) -> Iterator[tuple[str, Edit]]:
    """All changes of one statement, each with the name of its kind."""
    match node := place.node:
        case ast.If(test=test):
            yield "condition-forced", replaced(test, forced(test, "True"))
            yield "condition-forced", replaced(test, forced(test, "False"))
        case ast.While(test=test):
            yield "condition-forced", replaced(test, forced(test, "False"))
        case ast.For(iter=over):
            yield "loop-empty", replaced(over, "()")
            yield "loop-once", replaced(over, f"list({ast.unparse(over)})[:1]")
        case ast.Return(value=value) if value is not None and place.around:
            for other in _returned(value, place.around[-1]):
                yield "return", replaced(value, other)
        case ast.match_case():
            yield from _arm(node)
        case ast.ExceptHandler():
            yield "handler-dropped", _body(node.body, "raise")
        case ast.Try() if node.finalbody:
            yield "finally-dropped", _body(node.finalbody, "pass")
        case ast.AugAssign():
            yield from _augmented(node, place)
        case _:
            yield from _left_out(place)


def _left_out(place: Place) -> Iterator[tuple[str, Edit]]:
    if _may_go(place.node, place):
        yield "statement-dropped", place.edit("pass")


def _augmented(node: ast.AugAssign, place: Place) -> Iterator[tuple[str, Edit]]:
    yield "statement-dropped", place.edit("pass")
    if type(node.op) in AUGMENTED:
        parts = ast.unparse(node.target), AUGMENTED[type(node.op)], ast.unparse(node.value)
        yield "arithmetic", place.edit(" ".join(parts))
        yield "arithmetic", place.edit(f"{parts[0]} = {parts[2]}")


def _body(body: list[ast.stmt], other: str) -> Edit:
    first, last = body[0], body[-1]
    assert last.end_lineno is not None
    assert last.end_col_offset is not None
    return Edit((first.lineno, first.col_offset), (last.end_lineno, last.end_col_offset), other)


def _arm(node: ast.match_case) -> Iterator[tuple[str, Edit]]:
    pattern = node.pattern
    if node.guard is not None:
        yield "condition-forced", replaced(node.guard, "True")
        yield "arm-dropped", replaced(node.guard, "False")
        return
    yield "arm-dropped", replaced(pattern, f"{ast.unparse(pattern)} if False")
    if isinstance(pattern, ast.MatchOr):
        for each in pattern.patterns:
            left = [other for other in pattern.patterns if other is not each]
            yield "arm-dropped", replaced(pattern, " | ".join(ast.unparse(other) for other in left))


def _may_go(node: ast.AST, place: Place) -> bool:
    """Whether a statement can be left out with nothing breaking at once for want of a name."""
    if isinstance(node, ast.Expr | ast.Continue | ast.Break | ast.Raise | ast.Delete):
        return True
    if not isinstance(node, ast.Assign | ast.AnnAssign) or not place.around or node.value is None:
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if any(isinstance(each, ast.Attribute | ast.Subscript) for each in targets):
        return place.around[-1].name != "__init__"
    names = {inner.id for each in targets for inner in ast.walk(each) if isinstance(inner, ast.Name)}
    return names <= _bound_before(place.around[-1], node.lineno)


def _bound_before(function: Function, line: int) -> set[str]:
    arguments = function.args
    names = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    for each in ast.walk(function):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store) and each.lineno < line:
            names.add(each.id)
    return names


def _returned(value: ast.expr, function: Function) -> Iterator[str]:
    """What else of the same type might have been returned."""
    if function.returns is None:
        return
    kind = ast.unparse(function.returns)
    alike = [
        each.arg for each in function.args.args if each.annotation and ast.unparse(each.annotation) == kind
    ]
    others = [*alike, *_values(kind)]
    if isinstance(value, ast.Tuple) and isinstance(function.returns, ast.Subscript):
        yield from _elements(value, function)
    for each in others:
        if each != ast.unparse(value):
            yield each


def _values(kind: str) -> Iterator[str]:
    parts = [part.strip() for part in kind.split(" | ")]
    if "bool" in parts:
        yield from ("True", "False")
    if "None" in parts:
        yield "None"
    for part in parts:
        bare = part.split("[")[0]
        if bare in EMPTY:
            yield EMPTY[bare]
        if bare == "tuple" and part.endswith("...]"):
            yield "()"


def _elements(value: ast.Tuple, function: Function) -> Iterator[str]:
    """The same tuple with one element left as it came in, or empty."""
    assert isinstance(function.returns, ast.Subscript)
    kinds = getattr(function.returns.slice, "elts", [])
    if len(kinds) != len(value.elts):
        return
    for at, kind in enumerate(kinds):
        given = [
            each.arg
            for each in function.args.args
            if each.annotation and ast.unparse(each.annotation) == ast.unparse(kind)
        ]
        for other in (*given, *_values(ast.unparse(kind))):
            if other != ast.unparse(value.elts[at]):
                yield ", ".join(other if at == rank else text(each) for rank, each in enumerate(value.elts))

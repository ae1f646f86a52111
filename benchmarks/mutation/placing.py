"""Placing: a mutant takes the place of what is there, in this process alone; no file is touched."""

import ast
import functools
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from types import CodeType, FunctionType, ModuleType
from typing import Any

from benchmarks.mutation.mutants import Mutant


def place(mutant: Mutant, undo: ExitStack | None = None) -> bool:
    """Put a mutant in the place of what is loaded; False if it has to be imported instead.

    Args:
        mutant: what is put there.
        undo: is given what brings back what was there.
    """
    module, undo = importlib.import_module(mutant.module), undo or ExitStack()
    if not mutant.function:
        return _bind(mutant, module, undo)
    there = [each for each in _functions(module) if each.__code__.co_qualname == mutant.function]
    assert module.__file__ is not None
    new = _code(compile(mutant.source, module.__file__, "exec"), mutant.function)
    if not there or new is None or new.co_freevars != there[0].__code__.co_freevars:
        return False
    if not mutant.lines[0] >= min(each.__code__.co_firstlineno for each in there):
        return False
    for each in there:
        undo.callback(setattr, each, "__code__", each.__code__)
        each.__code__ = new
    return True


def _bind(mutant: Mutant, module: ModuleType, undo: ExitStack) -> bool:
    """Bind a module's constant, or a function's defaults, anew, wherever they were imported."""
    for each in ast.parse(mutant.source).body:
        if not each.lineno <= mutant.lines[0] <= (each.end_lineno or 0):
            continue
        names = dict(vars(module))
        if isinstance(each, ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.AsyncFunctionDef):
            exec(compile(ast.Module([each], []), mutant.module, "exec"), names)  # noqa: S102 - that is the point
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            there, new = vars(module)[each.name], names[each.name]
            undo.callback(setattr, there, "__defaults__", there.__defaults__)
            undo.callback(setattr, there, "__kwdefaults__", there.__kwdefaults__)
            there.__defaults__, there.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
            return True
        target = each.targets[0] if isinstance(each, ast.Assign) else getattr(each, "target", None)
        if isinstance(target, ast.Name):
            _rebind(target.id, vars(module)[target.id], names[target.id], undo)
            return True
    return False


def _rebind(name: str, old: object, new: object, undo: ExitStack) -> None:
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get(name) is old:
            undo.callback(setattr, module, name, old)
            setattr(module, name, new)


def import_instead(mutant: Mutant) -> None:
    """Let the next import of a mutant's module give the mutant."""
    sys.meta_path.insert(0, _Finder(mutant))


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, with another text."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._origin = str(importlib.import_module(mutant.module).__file__)

    def find_spec(
        self, name: str, _path: object, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._mutant.module:
            return None
        package = self._origin.endswith("__init__.py")
        spec = importlib.machinery.ModuleSpec(name, self, origin=self._origin, is_package=package)
        if package:
            spec.submodule_search_locations = [self._origin.rpartition("/")[0]]
        return spec

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._origin
        exec(compile(self._mutant.source, self._origin, "exec"), module.__dict__)  # noqa: S102 - that is the point


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        yield from _of(value, module.__name__)


def _of(value: Any, module: str) -> Iterator[FunctionType]:
    if isinstance(value, type):
        if value.__module__ == module:
            for each in vars(value).values():
                yield from _of(each, module)
        return
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, functools.cached_property):
        value = value.func
    value = getattr(value, "__func__", value)
    value = getattr(value, "__wrapped__", value)
    if isinstance(value, FunctionType) and value.__module__ == module:
        yield value


def _code(code: CodeType, name: str) -> CodeType | None:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            found = each if each.co_qualname == name else _code(each, name)
            if found is not None:
                return found
    return None

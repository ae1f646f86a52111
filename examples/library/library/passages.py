"""The text itself: passages cut from docstrings, help topics and source.

Source files are read and parsed, never imported; what is written in C (`builtins` and a few more) is
asked for its docstrings. The selection is fixed, so one interpreter always gives the same passages.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import math
import os
import posix
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from pydoc_data.topics import topics
from types import ModuleType

__all__ = ["MODULES", "Passage", "gather", "sources"]

# A bounded choice: what people ask about, 3 MB of source. More makes the start slower, not better.
MODULES = (  # noqa: SIM905 - names, one after another, read better than eighty quoted ones
    "_pydatetime abc argparse asyncio/locks asyncio/queues asyncio/runners asyncio/streams "
    "asyncio/subprocess asyncio/taskgroups asyncio/tasks asyncio/timeouts base64 bisect bz2 calendar "
    "cmd code collections/__init__ concurrent/futures/_base concurrent/futures/process "
    "concurrent/futures/thread configparser contextlib copy csv dataclasses datetime difflib "
    "email/message email/utils enum filecmp fileinput fnmatch fractions functools getpass "
    "glob graphlib gzip hashlib heapq hmac html/__init__ html/parser http/client "
    "http/server importlib/__init__ io json/__init__ json/decoder json/encoder keyword "
    "logging/__init__ logging/handlers lzma mimetypes multiprocessing/pool operator os "
    "pathlib pathlib/__init__ pathlib/_local pickle platform posixpath pprint queue random re re/__init__ "
    "reprlib runpy sched secrets selectors shelve shlex shutil signal smtplib socket socketserver "
    "sqlite3/__init__ stat statistics string string/__init__ struct subprocess tempfile textwrap threading "
    "timeit traceback types unittest/case urllib/error urllib/parse urllib/request uuid "
    "venv/__init__ warnings wave weakref webbrowser xml/etree/ElementTree zipapp zipfile zipfile/__init__ "
    "zoneinfo/__init__"
).split()
_WRITTEN_IN_C: dict[str, ModuleType] = {
    "builtins": builtins,
    "itertools": itertools,
    "math": math,
    "os": posix,
    "struct": struct,
    "sys": sys,
    "time": time,
}
_TYPES_WITH_METHODS = (str, bytes, int, float, list, dict, set, tuple)
_STDLIB = Path(os.__file__).parent
_PASSAGE_CHARS = 1500
_SOURCE_LINES = 15
_Scope = tuple[str, str, str]  # the owner's dotted name, its module, its file
_RULES = frozenset("*=-~^\"'#")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that can be an answer.

    Args:
        kind: module, class, function, method, topic or source (an undocumented function).
        title: the dotted name or the topic and its heading, for people.
        module: where it belongs; "topics" for help topics.
        text: what is indexed and quoted, at most about 1500 characters.
        where: how to get there: a file and line below the standard library, or a call of `help`.
    """

    kind: str
    title: str
    module: str
    text: str
    where: str


def gather() -> list[Passage]:
    """All passages, in an order that depends on the interpreter's version alone."""
    found = [*_from_topics(), *itertools.chain.from_iterable(map(_from_c, _WRITTEN_IN_C))]
    for name in MODULES:
        found.extend(_from_source(name))
    return found


def sources() -> list[Path]:
    """The source files that `gather` reads in this version of Python, in its order."""
    return [path for path in map(_path, MODULES) if path.is_file()]


def _path(name: str) -> Path:
    return _STDLIB / f"{name}.py"


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Cut a text between paragraphs into (heading, piece), each piece of about `_PASSAGE_CHARS`."""
    heading, size = "", 0
    held: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        title = _heading(paragraph)
        if held and (title or size + len(paragraph) > _PASSAGE_CHARS):
            yield heading, "\n\n".join(held)
            held, size = [], 0
        heading = title or heading
        if not title:
            held.append(paragraph)
            size += len(paragraph)
    if held:
        yield heading, "\n\n".join(held)


def _heading(paragraph: str) -> str:
    lines = paragraph.strip().splitlines()
    ruled = len(lines) == 2 and len(set(lines[1].strip())) == 1 and lines[1].strip()[0] in _RULES  # noqa: PLR2004
    return lines[0].strip() if ruled else ""


def _from_topics() -> Iterator[Passage]:
    """Help topics, the most special first: long topics repeat short ones, and a text is kept once."""
    seen = set()
    for topic, text in sorted(topics.items(), key=lambda held: (len(held[1]), held[0])):
        for heading, piece in _pieces(text):
            if piece not in seen:
                seen.add(piece)
                title = f"{topic}: {heading}" if heading else topic
                yield Passage("topic", title, "topics", piece, f"help({topic!r})")


def _from_c(name: str) -> Iterator[Passage]:
    """Docstrings of a module that has no source file; of the types people ask about, methods too."""
    module = _WRITTEN_IN_C[name]
    yield from _documented("module", name, name, module.__doc__, f"help({name!r})")
    for key, value in sorted(vars(module).items()):
        if key.startswith("_") or not callable(value):
            continue
        kind = "class" if isinstance(value, type) else "function"
        yield from _documented(kind, f"{name}.{key}", name, value.__doc__, f"help({name}.{key})")
    if module is builtins:
        yield from _methods_of_builtins()


def _methods_of_builtins() -> Iterator[Passage]:
    for owner in _TYPES_WITH_METHODS:
        for key, value in sorted(vars(owner).items()):
            if not key.startswith("_") and callable(value):
                title = f"{owner.__name__}.{key}"
                yield from _documented("method", title, "builtins", value.__doc__, f"help({title})")


def _documented(kind: str, title: str, module: str, text: str | None, where: str) -> Iterator[Passage]:
    for _, piece in _pieces(cleandoc(text)) if text else ():
        yield Passage(kind, title, module, piece, where)


def _from_source(name: str) -> Iterator[Passage]:
    """What one source file of the standard library says; nothing if this version has no such file."""
    path = _path(name)
    if not path.is_file():
        return
    module = _module_name(name)
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    place = path.relative_to(_STDLIB).as_posix()
    yield from _documented("module", module, module, ast.get_docstring(tree), f"{place}:1")
    yield from _definitions(tree.body, (module, module, place), text.splitlines())


def _module_name(name: str) -> str:
    """How people import what a file holds: some are parts of the module they are known by."""
    return name.removeprefix("_py").removesuffix("/__init__").removesuffix("/_local").replace("/", ".")


def _definitions(body: Iterable[ast.stmt], scope: _Scope, lines: list[str]) -> Iterator[Passage]:
    """Public classes and functions of a body, and of the classes in it."""
    owner, module, place = scope
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_"):
            continue
        title, where = f"{owner}.{node.name}", f"{place}:{node.lineno}"
        doc = ast.get_docstring(node)
        kind = "class" if isinstance(node, ast.ClassDef) else "function" if owner == module else "method"
        if doc:
            yield from _documented(kind, title, module, doc, where)
        elif kind != "class":
            last = min(node.end_lineno or node.lineno, node.lineno + _SOURCE_LINES)
            yield Passage("source", title, module, "\n".join(lines[node.lineno - 1 : last]), where)
        if isinstance(node, ast.ClassDef):
            yield from _definitions(node.body, (title, module, place), lines)

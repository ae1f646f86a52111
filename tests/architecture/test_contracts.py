"""The structure holds: what may import what, what may not be called where, and how large things are."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "lamplighter"
PURE = ("model", "ports", "spec", "planning", "controllers", "behaviour")
BANNED_CALLS = {"datetime.now", "datetime.utcnow", "time.time", "uuid.uuid4", "uuid4"}
BANNED_CALLS_ALLOWED_IN = ("adapters", "faces", "app", "targets/local")
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
HOT_LOOPS = {"runtime/agents/host.py run": 80}
"""Written out, since a call costs as much as a step of them; nothing else may be as long."""


def modules(*folders: str) -> Iterator[Path]:
    """Yield the Python files below the folders given, or below the whole source."""
    for folder in folders or ("",):
        yield from sorted((SOURCE / folder).rglob("*.py"))


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of each call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


@pytest.mark.parametrize("folder", PURE)
def test_pure_packages_import_no_time_chance_or_loop(folder: str) -> None:
    """What decides imports neither asyncio, random, time nor anything that acts."""
    banned = {"asyncio", "random", "time", "socket", "subprocess", "threading", "sqlite3", "os", "pathlib"}
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in modules(folder)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and _roots(node) & banned
    ]
    assert [] == found


def test_wall_time_and_chance_stay_outside_what_decides() -> None:
    """Wall time and random ids are read only at the edges, so that a recording replays."""
    found = [
        f"{path.relative_to(SOURCE)}:{line} {name}"
        for path in modules()
        if not str(path.relative_to(SOURCE)).startswith(BANNED_CALLS_ALLOWED_IN)
        for line, name in calls(ast.parse(path.read_text()))
        if name in BANNED_CALLS or name.startswith("random.")
    ]
    assert [] == found


def test_no_module_is_a_junk_drawer() -> None:
    """Modules are named by their role."""
    found = [
        str(path.relative_to(SOURCE)) for path in modules() if set(path.with_suffix("").parts) & BANNED_NAMES
    ]
    assert [] == found


def test_functions_and_files_stay_readable() -> None:
    """No function is longer than 70 lines (but for named hot loops), no file longer than 600."""
    long_files = [
        str(path.relative_to(SOURCE))
        for path in modules()
        if len(path.read_text().splitlines()) > FILE_LINES_MAX
    ]
    functions = [
        (f"{path.relative_to(SOURCE)} {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long_functions = [name for name, lines in functions if lines > HOT_LOOPS.get(name, FUNCTION_LINES_MAX)]
    assert ([], []) == (long_files, long_functions)


def test_no_path_or_host_of_a_developers_machine_is_in_the_repository() -> None:
    """Nothing in the sources or documents names a machine-specific path."""
    root = SOURCE.parents[1]
    banned = ("/wor" + "k/", "/roo" + "t/", "/op" + "t/pypi")
    files = [
        path
        for folder in ("src", "tests", "docs", "examples", "benchmarks", "requirements", ".ci")
        for path in (root / folder).rglob("*")
        if path.is_file() and path.suffix in {".py", ".md", ".txt", ".toml", ".yaml", ".json", ".svg", ""}
    ]
    found = [str(path.relative_to(root)) for path in files if any(each in _text(path) for each in banned)]
    assert [] == found


def _roots(node: ast.Import | ast.ImportFrom) -> set[str]:
    names = [each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {name.split(".")[0] for name in names}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""

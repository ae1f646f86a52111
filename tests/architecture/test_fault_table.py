"""The table of faults says only what a test has tried."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "faults.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows() -> list[str]:
    """Return the rows of all tables of the page, without heads and rules."""
    lines = [each for each in PAGE.read_text().splitlines() if each.startswith("| ")]
    return [each for each in lines if not re.match(r"\| (fault|program) \|", each)]


def tried_in(file: str) -> set[str]:
    """Return the names of the tests that a file of the acceptance tests has."""
    tree = ast.parse((ROOT / "tests" / "acceptance" / file).read_text())
    functions = (each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return {each.name for each in functions if each.name.startswith("test_")}


def test_every_row_names_a_test_that_exists() -> None:
    """No sentence of the table stands on nothing."""
    missing = [
        f"{file}::{name}"
        for row in rows()
        for file, name in NAMED.findall(row) or [("", row)]
        if not file or name not in tried_in(file)
    ]
    assert ([], True) == (missing, len(rows()) > 30)


def test_every_fault_test_is_in_the_table() -> None:
    """What was tried is told."""
    named = set(NAMED.findall(PAGE.read_text()))
    files = sorted((ROOT / "tests" / "acceptance" / "faults").glob("test_*.py"))
    tried = {(f"faults/{each.name}", name) for each in files for name in tried_in(f"faults/{each.name}")}
    assert set() == tried - named

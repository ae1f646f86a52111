"""The documents: made pages are true, links lead somewhere, commands are ones that `lamp` understands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from lamplighter.controllers.kinds import KINDS
from lamplighter.faces.cli.parser import parser
from lamplighter.faces.cli.reference import reference
from lamplighter.model.actions import Action
from lamplighter.spec import parse

ROOT = Path(__file__).parents[3]
PAGES = [*(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING", "CHANGELOG"))]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
ENDS_A_COMMAND = {"|", ";", "&&", "||", ">", "&"}


def fences(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the language and the text of each fenced block."""
    yield from FENCE.findall(page.read_text())


def commands(page: Path) -> Iterator[str]:
    """Yield each call of `lamp` in a fenced block; where the block shows a prompt, only what follows one."""
    for language, text in fences(page):
        prompt = r"\$ " if re.search(r"^ *\$ ", text, re.MULTILINE) else ""
        if language in ("", "sh"):
            yield from re.findall(rf"^ *{prompt}(lamp [-a-z].*)$", text, re.MULTILINE)


def links(page: Path) -> Iterator[str]:
    """Yield each relative link outside of code."""
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def slug(heading: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def test_command_reference_is_as_the_grammar_makes_it() -> None:
    """docs/reference/cli.md is what `python -m lamplighter.faces.cli.reference` prints."""
    assert (ROOT / "docs" / "reference" / "cli.md").read_text() == reference()


def test_every_finding_is_explained() -> None:
    """The page of findings has each kind with its severity and its meaning, and no other kind."""
    page = (ROOT / "docs" / "reference" / "actions.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (note|warning|urgent) \| (.+) \|$", page, re.MULTILINE)
    assert [(name, str(each.severity), each.meaning) for name, each in KINDS.items()] == rows


def test_every_action_is_explained() -> None:
    """The page of actions has each kind of action, and no other."""
    page = (ROOT / "docs" / "reference" / "actions.md").read_text()
    told = set(re.findall(r"^\| `([a-z]+)`.* \|.*\|.*\|.*\|.*\|$", page, re.MULTILINE))
    assert {each.__struct_config__.tag for each in get_args(Action)} == told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link points to a file that exists, and to a heading in it where it names one."""
    broken = []
    for target in links(page):
        name, _, anchor = target.partition("#")
        place = page.parent / name if name else page
        headings = {slug(each) for each in HEADING.findall(place.read_text())} if anchor else set()
        if not place.exists() or (anchor and anchor not in headings):
            broken.append(target)
    assert [] == broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every `lamp ...` line in a fenced block parses with the program's own grammar."""
    refused = []
    for line in commands(page):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)[1:]
        ends = [place for place, word in enumerate(words) if word in ENDS_A_COMMAND]
        try:
            parser().parse_args(words[: ends[0]] if ends else words)
        except SystemExit as end:
            if end.code:
                refused.append(f"{line}: {capsys.readouterr().err}")
    assert [] == refused


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_whole_specs_are_sound(page: Path) -> None:
    """Every fenced spec that names its system is read without a fault."""
    for language, text in fences(page):
        if language == "yaml" and re.search(r"^system:", text, re.MULTILINE):
            parse(text.encode(), file=page.name)

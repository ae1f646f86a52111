"""Part `replay`: the demo is recorded, its results deleted, and every decision made again (figure 6)."""

import ast
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import lamplighter
from benchmarks.local.demo import Told, told
from benchmarks.local.stand import Ran, StandError, command, lamp_command
from benchmarks.report import Figures, Options, at_least, exactly
from lamplighter.adapters.recordings import FILE, SqliteRecordings
from lamplighter.model.decisions import Decision
from lamplighter.model.value import whole

DIFFERS = 3

Decided = dict[int, list[Any]]
"""By pass, each decision as plain data with every field, as `lamp replay --json` prints it."""
BOUNDS = {
    "replay_decisions": at_least(8),
    "replay_maintainers": at_least(2),
    "replay_reproduced_share": exactly(1),
    "replay_edits_reported_share": exactly(1),
}


async def measure(figures: Figures, options: Options) -> None:
    """Run the demo, its maintainer killed on the way; save what was decided, delete it, make it again."""
    with tempfile.TemporaryDirectory(prefix="lamp-replay-") as folder:
        recorded, bare = Path(folder) / FILE, Path(folder) / "bare.sqlite"
        async with told("--keep", *(["--quick"] if options.quick else [])) as story:
            options.progress(f"replay: the demo ended with {story.ran.code} after {story.ran.took_s:.0f} s")
            figures.put("replay_maintainers", _maintainers(story))
            _copied(_only(story, FILE), recorded)
        _copied(recorded, bare)
        _forgotten(bare)
        _compare(figures, _saved(recorded), _decided(await _replayed(bare)))
        reported = [await _reported(recorded, name) for name in EDITS]
        figures.put("replay_edits_reported_share", sum(each["reported"] for each in reported) / len(reported))
        figures.parts["replay"]["edits"] = reported


def _only(story: Told, name: str) -> Path:
    found = [each for each in story.temporary.rglob(name) if each.is_file()]
    if len(found) != 1:
        raise StandError(f"the demo kept {len(found)} files named {name}: {story.ran.err[-1500:]}")
    return found[0]


def _maintainers(story: Told) -> int:
    """Return how many maintainers there were, as the ledger has it: one more than were killed."""
    with closing(sqlite3.connect(_only(story, "ledger.sqlite"))) as ledger:
        return int(ledger.execute("SELECT max(token) FROM leases").fetchone()[0])


def _copied(source: Path, copy: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)


def _saved(path: Path) -> Decided:
    """Return the decisions as they were recorded, by pass."""
    opened = SqliteRecordings(path, read_only=True)
    try:
        found = {each.number: each.result for each in opened.passes()}
    finally:
        opened.close()
    return {number: _plain(it.decisions) for number, it in found.items() if it is not None and it.decisions}


def _forgotten(path: Path) -> None:
    opened = SqliteRecordings(path)
    opened.forget_results()
    opened.close()
    assert not _saved(path), "nothing that came out of a pass may be left"


async def _replayed(recording: Path, modules: Path | None = None) -> Ran:
    """Run `lamp replay` in a process of its own, with other modules put before the installed ones."""
    words = [lamp_command(), "replay", "--json", "--recording", str(recording)]
    ran = await command(words, recording.parent, _environment(modules))
    if ran.code not in (0, DIFFERS):
        raise StandError(f"lamp replay ended with {ran.code}: {ran.err[-1500:]}")
    return ran


def _decided(ran: Ran) -> Decided:
    return {each["pass"]: each["decisions"] for each in json.loads(ran.out)["decided"]}


def _compare(figures: Figures, saved: Decided, again: Decided) -> None:
    whole = sum(len(each) for each in saved.values())
    passes = saved.keys() | again.keys()
    unlike = sorted(each for each in passes if saved.get(each) != again.get(each))
    lost = sum(max(len(saved.get(each, ())), len(again.get(each, ()))) for each in unlike)
    figures.put("replay_decisions", whole)
    figures.put("replay_reproduced_share", (whole - lost) / whole if whole else None)
    figures.parts["replay"] = {
        "decisions": whole,
        "unlike": [{"pass": each, "was": saved.get(each), "now": again.get(each)} for each in unlike[:5]],
    }


async def _reported(recording: Path, name: str) -> dict[str, Any]:
    """Edit one controller in a copy of the package, replay with it, and see whether that is said."""
    file, find, put = EDITS[name]
    modules = recording.parent / name.replace(" ", "-")
    package = modules / "lamplighter"
    shutil.copytree(Path(lamplighter.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    text = (package / file).read_text(encoding="utf-8")
    (package / file).write_text(edited(text, find, put), encoding="utf-8")
    await _require_used(modules)
    ran = await _replayed(recording, modules)
    unlike = sum(each["same"] is False for each in json.loads(ran.out)["decided"])
    report = json.loads(ran.out)["report"]
    return {
        "edit": name,
        "reported": ran.code == DIFFERS,
        "code": ran.code,
        "unlike": unlike,
        "report": report,
    }


def edited(text: str, find: Callable[[ast.Module], list[ast.expr]], put: str) -> str:
    """Return a module's text with the one expression that `find` finds replaced.

    Raises:
        StandError: there is none, or more than one: the module has changed, and the edit must change too.
    """
    found = find(ast.parse(text))
    if len(found) != 1:
        raise StandError(f"{find.__doc__} is there {len(found)} times; name another edit")
    old, lines = found[0], text.splitlines(keepends=True)
    assert old.lineno == old.end_lineno, "an expression on one line"
    line = lines[old.lineno - 1].encode()
    line = line[: old.col_offset] + put.encode() + line[old.end_col_offset :]
    lines[old.lineno - 1] = line.decode()
    return "".join(lines)


def _scales_up_at(module: ast.Module) -> list[ast.expr]:
    """The value of the constant UP_AT"""  # noqa: D415 - the beginning of a sentence
    return [
        each.value
        for each in module.body
        if isinstance(each, ast.Assign) and [ast.unparse(one) for one in each.targets] == ["UP_AT"]
    ]


def _goes_over_the_dead(module: ast.Module) -> list[ast.expr]:
    """The loop over the dead replicas"""  # noqa: D415 - the beginning of a sentence
    loops = (each for each in ast.walk(module) if isinstance(each, ast.For))
    return [each.iter for each in loops if ast.unparse(each.iter) == "dead"]


EDITS = {
    "a constant": ("controllers/scaling.py", _scales_up_at, "3.0"),
    "a branch": ("controllers/repair.py", _goes_over_the_dead, "()"),
}


async def _require_used(modules: Path) -> None:
    words = [sys.executable, "-c", "import lamplighter; print(lamplighter.__file__)"]
    ran = await command(words, modules, _environment(modules))
    if not ran.out.startswith(str(modules)):
        raise StandError(f"the edited package would not be used, but {ran.out.strip()}")


def _environment(modules: Path | None) -> dict[str, str]:
    return {**os.environ, **({} if modules is None else {"PYTHONPATH": str(modules)})}


def _plain(decisions: tuple[Decision, ...]) -> list[Any]:
    found: list[Any] = json.loads(json.dumps(whole(decisions)))
    return found

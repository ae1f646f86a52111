"""Part `replay`: a story is recorded, its results deleted, and every decision made again (figure 6)."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE
from dataclasses import replace
from pathlib import Path
from typing import Any

import lamplighter
from benchmarks.load import Stage, running, strike
from benchmarks.local.loads import traffic
from benchmarks.local.processes import MAINTAINER
from benchmarks.local.spec import SERVICE, Wish
from benchmarks.local.stand import Ran, Stand, StandError, stand
from benchmarks.report import Figures, Options, at_least, exactly
from lamplighter.adapters.recordings import FILE, SqliteRecordings
from lamplighter.faces.cli.render.output import whole
from lamplighter.model.decisions import Decision

WISH = Wish(replicas=(2, 6), window_s=6.0, drain_s=5.0, bake_s=2.0)
CALM_RATE, HIGH_RATE = 20.0, 260.0
HIGH_S = 12.0
LONGEST_S = 300.0
EDITS = {
    "a constant": ("controllers/scaling.py", "UP_AT = 1.1", "UP_AT = 3.0"),
    "a branch": ("controllers/repair.py", "    for replica in dead:\n", "    for replica in ():\n"),
}
DIFFERS = 3

Decided = dict[int, list[Any]]
"""By pass, each decision as plain data with every field, as `lamp replay --json` prints it."""
BOUNDS = {
    "replay_decisions": at_least(8),
    "replay_reproduced_share": exactly(1),
    "replay_edits_reported_share": exactly(1),
}


async def measure(figures: Figures, options: Options) -> None:
    """Live through a story, save what was decided, delete it from a copy, and have it made again."""
    with tempfile.TemporaryDirectory(prefix="lamp-replay-") as folder:
        recording = Path(folder) / FILE
        async with stand(WISH) as site:
            await _story(site, options)
            await site.down()
            shutil.copy(site.state / FILE, recording)
            shutil.copy(recording, Path(folder) / "whole.sqlite")
            saved = await asyncio.to_thread(_saved, recording)
            await asyncio.to_thread(_forgotten, recording)
            again = _decided(await _replayed(site, recording))
            _compare(figures, saved, again)
            reported = [await _reported(site, Path(folder), name) for name in EDITS]
        figures.put("replay_edits_reported_share", sum(each["reported"] for each in reported) / len(reported))
        figures.parts["replay"]["edits"] = reported


async def _story(site: Stand, options: Options) -> None:
    """Kill a replica, raise the load, kill the maintainer, roll a release out and back, let it drain."""
    stages = [Stage(6.0, CALM_RATE), Stage(HIGH_S, HIGH_RATE), Stage(LONGEST_S, CALM_RATE)]
    async with running(traffic(site, "replay", stages, options)) as run:
        await asyncio.sleep(2.0)
        strike(min(await site.ready()))
        await asyncio.sleep(8.0)
        maintainer = await site.owner(MAINTAINER)
        assert maintainer is not None, "there is one until it is killed"
        strike(maintainer)
        await site.must("up", "-d", "-y")
        await site.up(replace(WISH, mark="second"))
        await site.must("rollback", SERVICE)
        await site.settled(2)
        report = await run.stop()
        options.progress(f"replay: the story is over: {report.requests} requests, {report.failed} failed")


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


async def _replayed(site: Stand, recording: Path, modules: Path | None = None) -> Ran:
    """Run `lamp replay` in a process of its own, with other modules put before the installed ones."""
    env = {} if modules is None else {"PYTHONPATH": str(modules)}
    ran = await site.lamp("replay", "--json", "--recording", str(recording), env=env)
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


async def _reported(site: Stand, folder: Path, name: str) -> dict[str, Any]:
    """Edit one controller in a copy of the package, replay with it, and see whether that is said."""
    file, before, after = EDITS[name]
    modules = folder / name.replace(" ", "-")
    package = modules / "lamplighter"
    shutil.copytree(Path(lamplighter.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    text = (package / file).read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{file} has no {before!r} to edit any more; name another edit"
    (package / file).write_text(text.replace(before, after), encoding="utf-8")
    await _require_used(site, modules)
    ran = await _replayed(site, folder / "whole.sqlite", modules)
    unlike = sum(each["same"] is False for each in json.loads(ran.out)["decided"])
    report = json.loads(ran.out)["report"]
    return {
        "edit": name,
        "reported": ran.code == DIFFERS,
        "code": ran.code,
        "unlike": unlike,
        "report": report,
    }


async def _require_used(site: Stand, modules: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import lamplighter; print(lamplighter.__file__)",
        env={**os.environ, "PYTHONPATH": str(modules)}, stdout=PIPE, cwd=site.project,
    )  # fmt: skip
    out, _ = await process.communicate()
    if not out.decode().startswith(str(modules)):
        raise StandError(f"the edited package would not be used, but {out.decode().strip()}")


def _plain(decisions: tuple[Decision, ...]) -> list[Any]:
    found: list[Any] = json.loads(json.dumps(whole(decisions)))
    return found

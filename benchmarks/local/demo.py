"""Part `demo`: the whole story as a user runs it, and what it leaves behind (figure 1)."""

import asyncio
import importlib.util
import os
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, STDOUT
from pathlib import Path

from benchmarks.local.processes import end_all, marked
from benchmarks.report import ROOT, Figures, Options, at_most, exactly

LONGEST_S = 180.0
GIVE_UP_S = 400.0


class NotThereError(Exception):
    """The demo is not written yet."""


BOUNDS = {
    "demo_s": at_most(LONGEST_S),
    "demo_exit_code": exactly(0),
    "demo_processes_left": exactly(0),
    "demo_files_left": exactly(0),
}


async def measure(figures: Figures, options: Options) -> None:
    """Run it with a home, a TMPDIR and a state folder of its own; look at all three afterwards."""
    if importlib.util.find_spec("examples.demo") is None:
        raise NotThereError("there is no examples.demo")
    folder = Path(tempfile.mkdtemp(prefix="lamp-demo-"))
    options.progress("demo: the story runs; it takes a minute or two")
    try:
        await _story(folder, figures)
    finally:
        await asyncio.to_thread(end_all, folder / "tmp")
        shutil.rmtree(folder, ignore_errors=True)


async def _story(folder: Path, figures: Figures) -> None:
    temporary, home = folder / "tmp", folder / "home"
    for each in (temporary, home):
        each.mkdir()
    shared_before = _shared()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LAMP_", "XDG_"))}
    env |= {"TMPDIR": str(temporary), "HOME": str(home)}
    log, began = folder / "demo.log", time.monotonic()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "examples.demo", cwd=ROOT, env=env,
            stdin=DEVNULL, stdout=output, stderr=STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(GIVE_UP_S):
            code = await process.wait()
    figures.put("demo_s", time.monotonic() - began)
    figures.put("demo_exit_code", code)
    left = marked(temporary)
    files = [each for place in (temporary, home) for each in place.rglob("*") if not each.is_dir()]
    figures.put("demo_processes_left", len(left))
    figures.put("demo_files_left", len(files) + len(_shared() - shared_before))
    figures.parts["demo"] = {
        "said": log.read_text(errors="replace")[-6000:],
        "processes_left": [f"{each.role} {each.pid}" for each in left],
        "files_left": [str(each) for each in files[:20]],
    }


def _shared() -> set[str]:
    place = Path("/dev/shm")  # noqa: S108 - looked at, not written to
    return {each.name for each in place.glob("lamplighter-*")} if place.is_dir() else set()

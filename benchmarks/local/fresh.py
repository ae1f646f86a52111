"""Part `fresh`: `make demo` in a fresh clone, its virtual environment made on the way (figure 1)."""

import asyncio
import os
import tempfile
import time
from asyncio.subprocess import DEVNULL, STDOUT
from pathlib import Path

from benchmarks.report import ROOT, CannotRunError, Figures, Options, at_most, exactly

LONGEST_S = 180.0
GIVE_UP_S = 900.0
BOUNDS = {"fresh_demo_s": at_most(LONGEST_S), "fresh_demo_exit_code": exactly(0)}


async def measure(figures: Figures, options: Options) -> None:
    """Clone the committed state and run the one command there; the package index should be warm.

    Raises:
        CannotRunError: this is no git repository.
    """
    with tempfile.TemporaryDirectory(prefix="lamp-fresh-") as folder:
        clone, home = Path(folder) / "clone", Path(folder) / "home"
        home.mkdir()
        if await _run("git", "clone", "-q", str(ROOT), str(clone), cwd=ROOT, log=Path(folder) / "git.log"):
            raise CannotRunError(f"{ROOT} cannot be cloned; the part fresh needs a git repository")
        options.progress("fresh: cloned; make demo runs")
        began, log = time.monotonic(), Path(folder) / "demo.log"
        code = await _run("make", "demo", cwd=clone, log=log)
        figures.put("fresh_demo_s", time.monotonic() - began)
        figures.put("fresh_demo_exit_code", code)
        figures.parts["fresh"] = {"said": log.read_text(errors="replace")[-4000:]}


async def _run(*command: str, cwd: Path, log: Path) -> int:
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, env=env, stdin=DEVNULL, stdout=output, stderr=STDOUT
        )
        async with asyncio.timeout(GIVE_UP_S):
            return await process.wait()

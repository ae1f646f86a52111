"""Part `demo`: the whole story as a user runs it, and what it leaves behind (figure 1)."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.local.processes import end_all, marked
from benchmarks.local.stand import Ran, command
from benchmarks.report import ROOT, Figures, Options, at_most, exactly

LONGEST_S = 180.0
LOOK_S = 1.0
MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not written to
BOUNDS = {
    "demo_s": at_most(LONGEST_S),
    "demo_exit_code": exactly(0),
    "demo_processes_left": exactly(0),
    "demo_files_left": exactly(0),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A run of the demo: how it ended, the folders that were its TMPDIR and its home, the sites it had."""

    ran: Ran
    temporary: Path
    home: Path
    sites: set[str]


async def measure(figures: Figures, options: Options) -> None:
    """Run it with a home and a TMPDIR of its own, then look at what is left in them and in memory."""
    options.progress("demo: the story runs; it takes a minute or two")
    async with told() as story:
        left = marked(story.temporary)
        places = (story.temporary, story.home)
        files = [str(each) for place in places for each in place.rglob("*") if not each.is_dir()]
        files += _in_memory(story.sites)
        figures.put("demo_s", story.ran.took_s)
        figures.put("demo_exit_code", story.ran.code)
        figures.put("demo_processes_left", len(left))
        figures.put("demo_files_left", len(files))
        figures.parts["demo"] = {
            "said": story.ran.out[-6000:],
            "complained": story.ran.err[-2000:],
            "processes_left": [f"{each.role} {each.pid}" for each in left],
            "files_left": files[:20],
        }


@asynccontextmanager
async def told(*arguments: str) -> AsyncIterator[Told]:
    """Run the demo and give what came of it; whatever it left is then ended and removed."""
    folder = Path(tempfile.mkdtemp(prefix="lamp-bench-"))
    temporary, home = folder / "tmp", folder / "home"
    looking: asyncio.Task[None] | None = None
    sites: set[str] = set()
    try:
        for each in (temporary, home):
            each.mkdir()
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LAMP_", "XDG_"))}
        env |= {"TMPDIR": str(temporary), "HOME": str(home)}
        looking = asyncio.create_task(_sites(temporary, sites))
        ran = await command([sys.executable, "-m", "examples.demo", *arguments], ROOT, env)
        yield Told(ran, temporary, home, sites)
    finally:
        if looking is not None:
            looking.cancel()
        await asyncio.to_thread(end_all, temporary)
        shutil.rmtree(folder, ignore_errors=True)


async def _sites(temporary: Path, found: set[str]) -> None:
    """Note which sites the run has while it lasts; by them its files in memory are told from others'."""
    while True:
        found |= {each.site for each in await asyncio.to_thread(marked, temporary) if each.site}
        await asyncio.sleep(LOOK_S)


def _in_memory(sites: set[str]) -> list[str]:
    return [str(each) for site in sorted(sites) for each in MEMORY.glob(f"*{site}*")]

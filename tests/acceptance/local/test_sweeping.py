"""Gateway folders in memory whose state folder is gone are removed by the user's next supervisor."""

import os
import shutil
from pathlib import Path

from tests.acceptance.local.site import Site, on_a_site

from lamplighter.targets.local.supervisor import room
from lamplighter.targets.local.supervisor.room import STALE_S


async def left_behind(folder: Path) -> Path:
    """Bring a site up, kill all of it and delete its state; return its gateway's folder, as of long ago."""
    site = Site(folder)
    try:
        await site.serving()
        behind = (site.folder / "gateway").readlink()
        kept = folder / "kept"
        shutil.copytree(behind, kept, ignore=shutil.ignore_patterns("*.sock"))
    finally:
        site.kill_all()
    shutil.copytree(kept, behind)
    behind.chmod(0o700)
    shutil.rmtree(site.folder)
    os.utime(behind, (0, behind.stat().st_mtime - STALE_S - 1))
    return behind


@on_a_site
async def test_what_nobody_took_down_is_swept(site: Site) -> None:
    """Only that: the folder of a system that is up stays, whoever sweeps."""
    await site.serving()
    mine = (site.folder / "gateway").readlink()
    os.utime(mine, (0, mine.stat().st_mtime - STALE_S - 1))
    behind = await left_behind(site.folder.parent.parent / "other")
    room.sweep()
    assert (False, True) == (behind.exists(), mine.exists())

"""The story of a disk that fills up; run by a test, in a mount namespace where the disk is a small one."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from tests.acceptance.local.site import Site, find, on_a_site
from tests.acceptance.local.test_life_and_death import get


@on_a_site
async def story(site: Site) -> None:
    """Fill the disk, kill a replica, replace it, and ask."""
    (web,) = await site.serving()
    release = (await site.replica(web)).release
    fill(site.folder / "hog")
    for _ in range(3):
        os.kill((await site.replica(web)).pid, signal.SIGKILL)
        await site.exited(web)
        new = await site.replace(release, web)
        await site.until(lambda facts, new=new: bool(find(facts, new).ready))
        assert new == get(site)["replica"]
        fill(site.folder / "hog")
        web = new
    (site.folder / "hog").unlink()
    await site.shift()
    assert () == (await site.observed()).faults


def fill(place: Path) -> None:
    """Write until there is no room."""
    with suppress(OSError), place.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)


if __name__ == "__main__":
    story(Path(sys.argv[1]))

"""A system on a disk that may hold a few hundred files, all of them used up; run on such a disk.

`python -m tests.acceptance.faults.no_inodes FOLDER` (FOLDER is a tmpfs); prints nothing if all held.
"""

import itertools
import sys
from contextlib import suppress
from pathlib import Path

from tests.acceptance.faults.rig import Rig, kill, rigged, traffic, until

HELD = 5


def story(folder: Path) -> None:
    """Use every inode up, kill a replica, ask for a change, and make room."""
    with rigged(folder) as rig:
        hog = folder / "hog"
        hog.mkdir()
        first, _ = sorted(rig.replicas())
        with traffic(rig) as sent:
            use_up(hog)
            kill(rig.pid(first))
            until(lambda: rig.whole(first), "it is replaced")
            use_up(hog)
            rig.edit("max: 4", "max: 3")
            ran = rig.lamp("up", "-d", "-y", "--wait", "5")
            assert HELD == ran.code, ran.out + ran.err
            for each in hog.iterdir():
                each.unlink()
            rig.up()
        assert {"ok"} == set(sent.fates()), sent.fates()
        assert 0 == rig.lamp("ledger", "--verify").code


def use_up(hog: Path) -> None:
    """Make files until none can be made."""
    with suppress(OSError):
        for number in itertools.count(len(list(hog.iterdir()))):
            (hog / str(number)).touch()


if __name__ == "__main__":
    story(Path(sys.argv[1]))
    assert Rig

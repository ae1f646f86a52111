"""Where the gateway's files stand: in memory, so that a full disk cannot keep it from hearing of a change.

They are some ten kilobytes, and written anew by every supervisor. In the state folder a link leads to
them, and a file among them says which state folder that is. Where this machine has no memory to write
files to, they stand in the state folder itself.
"""

import os
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path

from lamplighter.targets.local.supervisor.processes import marked

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in there, checked to be ours
FAILURES = "failures.log"
HOME = "home"
"""Tells in which pid namespace, and which path links to the folder."""
STALE_S = 60.0
"""A folder that was changed less long ago may be one that another supervisor is just making."""


def enter(place: Path, site: str) -> None:
    """Have a folder behind `place`, for this user only.

    Raises:
        OSError: neither there nor in memory can one be made.
    """
    if place.is_dir() and not place.is_symlink():
        return
    behind = MEMORY / f"lamplighter-{os.getuid()}-{site}"
    if not _ours(behind):
        place.unlink(missing_ok=True)
        place.mkdir(mode=0o700)
        return
    if not place.is_symlink() or place.readlink() != behind:
        place.unlink(missing_ok=True)
        place.symlink_to(behind)
    with suppress(OSError):
        (behind / HOME).write_bytes(_namespace() + b"\n" + os.fsencode(place.absolute()))


def sweep() -> tuple[str, ...]:
    """Remove this user's folders that no state folder leads to any more and no process uses.

    Such are left where a state folder was deleted and never taken down. One that another container made is
    left alone, since its processes cannot be seen from here.

    Returns:
        The names of those removed.
    """
    start = f"lamplighter-{os.getuid()}-"
    with suppress(OSError):
        found = [each for each in MEMORY.iterdir() if each.name.startswith(start) and _ours(each)]
        left = [each for each in found if _is_left(each, each.name.removeprefix(start))]
        for each in left:
            shutil.rmtree(each, ignore_errors=True)
        return tuple(each.name for each in left)
    return ()


def leave(place: Path, logs: Path) -> None:
    """Remove what `enter` made; what the gateway noted of failures is kept with the logs."""
    with suppress(OSError):
        shutil.copyfile(place / FAILURES, logs / "gateway-failures.log")
    with suppress(OSError):
        shutil.rmtree(place.resolve())
        place.unlink(missing_ok=True)


def _is_left(behind: Path, site: str) -> bool:
    if time.time() - behind.stat().st_mtime < STALE_S:
        return False
    try:
        namespace, _, path = (behind / HOME).read_bytes().partition(b"\n")
    except OSError:
        return False
    place = Path(os.fsdecode(path))
    linked = place.is_symlink() and place.readlink() == behind
    return namespace == _namespace() and not linked and not marked(site)


def _namespace() -> bytes:
    return os.fsencode(Path("/proc/self/ns/pid").readlink())


def _ours(behind: Path) -> bool:
    """Make the folder, or see that it is one, this user's, and closed to others."""
    try:
        with suppress(FileExistsError):
            behind.mkdir(mode=0o700)
        found = behind.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077

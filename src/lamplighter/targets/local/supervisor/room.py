"""Where the gateway's files stand: in memory, so that a full disk cannot keep it from hearing of a change.

They are some ten kilobytes, and written anew by every supervisor. In the state folder a link leads to
them. Where this machine has no memory to write files to, they stand in the state folder itself.
"""

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in there, checked to be ours
FAILURES = "failures.log"


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
    elif not place.is_symlink() or place.readlink() != behind:
        place.unlink(missing_ok=True)
        place.symlink_to(behind)


def leave(place: Path, logs: Path) -> None:
    """Remove what `enter` made; what the gateway noted of failures is kept with the logs."""
    with suppress(OSError):
        shutil.copyfile(place / FAILURES, logs / "gateway-failures.log")
    with suppress(OSError):
        shutil.rmtree(place.resolve())
        place.unlink(missing_ok=True)


def _ours(behind: Path) -> bool:
    """Make the folder, or see that it is one, this user's, and closed to others."""
    try:
        with suppress(FileExistsError):
            behind.mkdir(mode=0o700)
        found = behind.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077

"""A system whose disk fills up while it is maintained; run on a small disk of its own.

`python -m tests.acceptance.cli.full_disk FOLDER` (FOLDER is a tmpfs of some MiB); prints nothing if all held.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.cli.conftest import Prototype


def story(folder: Path) -> None:
    """Fill the disk under a running system: traffic and repair go on by the reserve, and it is said."""
    prototype = Prototype(folder)
    app = prototype.folder / "app.py"
    # An app that fails when its own log cannot be written would fail on a full disk whoever runs it.
    app.write_text(app.read_text().replace('    print("asked for", scope["path"], flush=True)\n', ""))
    assert 0 == prototype.lamp("up", "-d", "-y").code
    hog = folder / "hog"
    until(
        lambda: fill(hog) or "disk-full" in prototype.lamp("status").out, "status says that the disk is full"
    )
    first, *_ = prototype.pids()
    os.kill(first, signal.SIGKILL)
    assert {"one"} == {prototype.get() for _ in range(20)}
    until(lambda: fill(hog) or len(set(prototype.pids()) - {first}) == 2, "there are two again")
    hog.unlink()
    until(lambda: "disk-full" not in prototype.lamp("status").out, "status is good again")
    assert 0 == prototype.lamp("ledger", "--verify").code
    assert 0 == prototype.lamp("replay").code
    assert 0 == prototype.lamp("down").code


def fill(place: Path) -> bool:
    """Take every byte that is left; return False."""
    with place.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return False


def until(holds: Callable[[], bool], what: str, within_s: float = 90) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.2)


if __name__ == "__main__":
    story(Path(sys.argv[1]))

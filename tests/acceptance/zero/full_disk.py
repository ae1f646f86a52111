"""A service at zero on a disk that is full to the last byte; run on a small disk of its own.

`python -m tests.acceptance.zero.full_disk FOLDER` (a tmpfs of some MiB); prints nothing if all held.
"""

import asyncio
import sys
from pathlib import Path

from tests.acceptance.cli.conftest import Prototype
from tests.acceptance.cli.full_disk import fill, until
from tests.acceptance.gateway.rig import ask
from tests.acceptance.zero.test_lamp import sleeping


def story(folder: Path) -> None:
    """Fill the disk while the service sleeps, ask for something, and make room."""
    prototype, hog = Prototype(folder), folder / "hog"
    # An app that fails when its own log cannot be written would fail on a full disk whoever runs it.
    app = prototype.folder / "app.py"
    app.write_text(app.read_text().replace('    print("asked for", scope["path"], flush=True)\n', ""))
    sleeping(prototype)
    until(lambda: fill(hog) or "disk-full" in prototype.lamp("status").out, "it is said")
    fill(hog)
    answer = asyncio.run(ask(prototype.port, "/", patience_s=60))
    assert (200, True) == (answer.status, b"one" in answer.body), answer
    hog.unlink()
    until(lambda: "disk-full" not in prototype.lamp("status").out, "status is good again")
    assert 0 == prototype.lamp("ledger", "--verify").code
    assert 0 == prototype.lamp("replay").code
    assert 0 == prototype.lamp("down").code


if __name__ == "__main__":
    story(Path(sys.argv[1]))

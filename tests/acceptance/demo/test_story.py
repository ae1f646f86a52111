"""The demo as its users run it: a process of its own, a terminal's signals, everything real."""

import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
UP = "from now on"
MEMORY = Path("/dev/shm")  # noqa: S108 - only looked at


@contextmanager
def demo(temporary: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start the demo with its temporary files below a folder of the test's."""
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.demo", "--quick", *options],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def carriers(temporary: Path) -> list[str]:
    """Return the processes that carry the test's folder in their environment, but for the test's own."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            marked = os.fsencode(f"TMPDIR={temporary}/lamp-demo-") in place.read_bytes()
        except OSError:
            continue
        found += [place.parent.name] if marked else []
    return found


def test_whole_story_holds_and_leaves_nothing(tmp_path: Path) -> None:
    """Every promise of the story is kept, the table says so, and neither process nor file is left."""
    temporary, picture = tmp_path / "t", tmp_path / "demo.svg"
    temporary.mkdir()
    with demo(temporary, "--picture", str(picture)) as running:
        told = running.communicate(timeout=170)[0]
    assert "Everything held" in told, told
    assert (0, [], []) == (running.returncode, carriers(temporary), list(temporary.iterdir()))
    assert [] == [
        row for row in ("questions", "repairs", "held", "replayed", "ledger", "actions") if row not in told
    ]
    assert "NO  " not in told
    assert str(tmp_path) not in picture.read_text()
    assert ET.parse(picture).getroot().tag.endswith("svg")  # noqa: S314 - drawn here


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    """An interrupt in the middle ends whatever was started, removes the folder, and says 130."""
    with demo(tmp_path) as running:
        assert running.stdout is not None
        began = next((line for line in running.stdout if UP in line), "")
        before = carriers(tmp_path)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=60)[0]
    assert began, "the system came up"
    assert len(before) >= 4, "maintainer, supervisor, gateway and replicas run"
    assert (130, [], []) == (running.returncode, carriers(tmp_path), list(tmp_path.iterdir())), said
    assert "Traceback" not in said

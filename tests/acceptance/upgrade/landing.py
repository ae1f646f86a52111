"""The previous landing: its source from this repository's own history, installed beside this one.

`previous.txt` holds the commit. It is moved at each landing, with the stores that are kept of it:
`python -m tests.recordings.make COMMIT`.
"""

import functools
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NAMED = HERE / "previous.txt"
UV = Path(sys.executable).with_name("uv")
INSTALL_S = 300.0
"""A download of the gateway's program takes most of it, once; from uv's cache all of it takes 3 s."""


@functools.cache
def commit() -> str:
    """Return the commit of the previous landing."""
    return NAMED.read_text(encoding="ascii").strip()


def full(of: str) -> str:
    """Return the whole name of a commit."""
    return _git("rev-parse", f"{of}^{{commit}}").stdout.decode().strip()


def absence(of: str = "") -> str:
    """Return why the previous landing cannot be had here, empty if it can."""
    try:
        known = _git("cat-file", "-e", f"{of or commit()}^{{commit}}")
    except FileNotFoundError:
        return "git is not installed"
    if known.returncode:
        return f"the history here does not reach back to {of or commit()} (an archive, or a shallow clone)"
    return ""


def install(folder: Path, of: str = "") -> Path:
    """Install a landing from the history, with what it was locked to; return the folder of its commands.

    Args:
        folder: made; gets the source and a virtual environment of its own.
        of: the commit, or "" for the previous landing.
    """
    source, environment = folder / "source", folder / "environment"
    packed = _git("archive", of or commit())
    packed.check_returncode()
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(source, filter="data")
    python = environment / "bin" / "python"
    _run(UV, "venv", "-q", "--python", sys.executable, environment)
    into = (UV, "pip", "install", "-q", "--python", python)
    _run(*into, "--require-hashes", "-r", source / "requirements" / "core.txt")
    _run(*into, "--no-deps", source)
    return environment / "bin"


def _git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, check=False)


def _run(*command: str | Path) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    assert ran.returncode == 0, f"{command[0]} {command[1]}: {ran.stderr[-2000:]}"

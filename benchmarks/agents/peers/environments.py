"""A peer's own environment: made by uv from its pinned versions, once, under the user's cache.

The peers' dependencies collide with each other and with ours, so each has its own, and none is in our lock.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from uv import find_uv_bin

VERSIONS = Path(__file__).parent / "versions"
BUILD_S = 900.0
READY = "ready"


class AbsentError(Exception):
    """A peer cannot be had here; the message says why. The benchmark goes on without it."""


def cache() -> Path:
    """Return where environments stand unless the user names a folder (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lamplighter" / "peers"


def made(name: str, folder: Path, versions: Path | None = None) -> Path:
    """Return the interpreter of an environment in `folder`, making it where there is none yet.

    The environment's name has the digest of its pinned versions and the interpreter's, which is ours.

    Args:
        name: of the environment; its versions are pinned in `NAME.txt`.
        folder: where environments stand.
        versions: the folder of pinned versions; the peers' by default.

    Raises:
        AbsentError: uv could not make it, with the end of what it said. Retry when the index is reachable.
    """
    pins = (versions or VERSIONS) / f"{name}.txt"
    digest = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = folder / f"{name}-{digest}"
    python = place / "bin" / "python"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        if not (place / READY).exists():
            shutil.rmtree(place, ignore_errors=True)
            _uv("venv", "--quiet", "--python", sys.executable, str(place))
            pinned = ("--require-hashes", "--python", str(python), str(pins))
            _uv("pip", "sync", "--quiet", "--compile-bytecode", *pinned)
            (place / READY).touch()
    return python


def pin(name: str, requires: Sequence[str], versions: Path = VERSIONS) -> None:
    """Pin the newest versions of these packages and of what they need in `versions`, with hashes."""
    with tempfile.NamedTemporaryFile("w", suffix=".in") as wanted:
        wanted.write("\n".join(requires))
        wanted.flush()
        quiet = ("--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
        python = ("--python", sys.executable, "--generate-hashes", "--upgrade")
        _uv("pip", "compile", *quiet, *python, wanted.name, "-o", str(versions / f"{name}.txt"))


def versions_of(name: str) -> dict[str, str]:
    """Return the pinned packages of a peer's environment, name to version."""
    lines = (VERSIONS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.rstrip(" \\").split("==") for line in lines if "==" in line]
    return {package: version.split(" ")[0] for package, version in pins}


def _uv(*arguments: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    command = [str(find_uv_bin()), *arguments]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=BUILD_S, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AbsentError(f"uv did not run: {error}") from error
    if ran.returncode != 0:
        raise AbsentError(f"uv {arguments[0]} failed: {ran.stderr.strip()[-600:]}")


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""Python environments: one per lock-file digest, built by uv, shared by all releases that name it.

An environment is ready once its marker file exists; a build that was cut short is built anew. Two
builders of one environment wait for each other.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import lamplighter
from lamplighter.model.errors import EnvironmentFault, UserError
from lamplighter.model.system import Python

BUILD_TIMEOUT_S = 1800
COMPILE_TIMEOUT_S = 120
READY = "lamplighter-ready"
SERVERS: dict[str, tuple[str, ...]] = {
    "app": ("uvicorn", "websockets"),
    "agents": ("uvicorn", "httptools", "msgspec"),
}
"""What serves each kind of workload, added where the lock file does not bring it, at our own versions.

Agents need our runtime besides, which is copied: what is installed here need not be on any index.
"""
RUNTIME = ("__init__.py", "py.typed", "model", "runtime")

_OURS = Path(lamplighter.__file__).parent
Say = Callable[[str], None]


def environment_digest(python: Python, tree: Path, *, runs: str) -> str:
    """Return the digest of all that shapes an environment: lock file, interpreter, server, machine.

    Raises:
        UserError: the lock file is not in the release's tree (`no-lock-file`).
    """
    lock = _lock(python, tree)
    parts = [lock.name, _interpreter(python), sys.platform, os.uname().machine]
    parts += [*_server(runs), *([_runtime_digest()] if runs == "agents" else [])]
    whole = hashlib.blake2b(lock.read_bytes(), digest_size=8)
    whole.update("\n".join(parts).encode())
    if lock.name == "uv.lock":
        whole.update(_beside(lock).read_bytes())
    return whole.hexdigest()


def build(python: Python, tree: Path, place: Path, *, runs: str, say: Say) -> None:
    """Build the environment at `place` unless it is there already.

    Args:
        python: lock file and interpreter.
        tree: the release's files.
        place: where it shall stand; its name is its digest.
        runs: the kind of workload that it is for; what serves that is added.
        say: told in one line what is being done, before anything slow.

    Raises:
        UserError: uv refused the lock file (`environment-not-built`), with the end of what it said.
        EnvironmentFault: uv is missing, or did not end within BUILD_TIMEOUT_S.
    """
    with _alone(place):
        if (place / READY).exists():
            return
        shutil.rmtree(place, ignore_errors=True)
        say(f"building the Python environment of {python.requirements} (once)")
        _uv("venv", "--quiet", "--python", _interpreter(python), str(place))
        for arguments in _installs(python, tree, place, runs=runs):
            _uv(*arguments, environment={"UV_PROJECT_ENVIRONMENT": str(place)})
        if runs == "agents":
            _keep_runtime(place)
        (place / READY).touch()


def _installs(python: Python, tree: Path, place: Path, *, runs: str) -> Iterator[tuple[str, ...]]:
    lock = _lock(python, tree)
    target = ("--quiet", "--compile-bytecode", "--python", str(place / "bin" / "python"))
    if lock.name == "uv.lock":
        yield (
            "sync",
            "--quiet",
            "--compile-bytecode",
            "--frozen",
            "--no-dev",
            "--no-install-project",
            "--project",
            str(lock.parent),
        )
    else:
        yield ("pip", "install", *target, "-r", str(lock))
    if runs in SERVERS:
        have = {
            each.name.split("-")[0].lower() for each in place.glob("lib/python*/site-packages/*.dist-info")
        }
        lacking = [each for each in _server(runs) if each.split("==")[0] not in have]
        if lacking:
            yield ("pip", "install", *target, *lacking)


def _server(runs: str) -> list[str]:
    return [f"{each}=={version(each)}" for each in SERVERS.get(runs, ())]


def _keep_runtime(place: Path) -> None:
    """Put what runs agents into an environment, unless its lock file brings Lamplighter itself."""
    for packages in place.glob("lib/python*/site-packages"):
        beside = packages / "lamplighter"
        if beside.exists():
            continue
        for part in RUNTIME:
            source = _OURS / part
            if source.is_dir():
                shutil.copytree(source, beside / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                beside.mkdir(exist_ok=True)
                shutil.copy2(source, beside / part)
        compile_tree(beside, place / "bin" / "python")


def _runtime_digest() -> str:
    whole = hashlib.blake2b(digest_size=8)
    for each in sorted(path for part in RUNTIME for path in _files(_OURS / part)):
        whole.update(f"{each.relative_to(_OURS)}\n".encode() + each.read_bytes())
    return whole.hexdigest()


def _files(part: Path) -> Iterator[Path]:
    yield from part.rglob("*.py") if part.is_dir() else (part,) if part.exists() else ()


def _interpreter(python: Python) -> str:
    return python.version or ".".join(map(str, sys.version_info[:3]))


def _lock(python: Python, tree: Path) -> Path:
    lock = tree / python.requirements
    if not lock.is_file():
        raise UserError(
            f"python.requirements names {python.requirements}, which is not among the release's files",
            code="no-lock-file",
            mend="add the file to git (or take it out of .lampignore), or correct the name in lamp.yaml",
        )
    return lock


def _beside(lock: Path) -> Path:
    project = lock.with_name("pyproject.toml")
    if not project.is_file():
        raise UserError(
            f"{lock.name} needs the pyproject.toml that it was made from, and there is none beside it",
            code="no-lock-file",
            mend="add pyproject.toml to git (or take it out of .lampignore)",
        )
    return project


def compile_tree(tree: Path, python: Path) -> None:
    """Compile the modules of a release once, so that no start of a replica has to.

    What cannot be compiled (a template, code for another Python) is left as it is: it may never be run.
    """
    if next(tree.rglob("*.py"), None) is None:
        return
    command = [str(python), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(tree)]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, timeout=COMPILE_TIMEOUT_S, check=False)


def _uv(*arguments: str, environment: dict[str, str] | None = None) -> None:
    command = [_find_uv(), *arguments]
    whole = {**os.environ, "UV_NO_PROGRESS": "1", **(environment or {})}
    whole.pop("VIRTUAL_ENV", None)
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False, env=whole
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(f"uv did not run: {error}", code="uv-failed", mend="try again") from error
    if ran.returncode != 0:
        raise UserError(
            f"uv {arguments[0]} could not build the environment: {ran.stderr.strip()[-1500:]}",
            code="environment-not-built",
            mend="mend the lock file, then run the command again; nothing was changed",
        )


def _find_uv() -> str:
    from uv import find_uv_bin  # noqa: PLC0415 - only needed when an environment is built

    return str(find_uv_bin())


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

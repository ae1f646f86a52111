"""Source trees: which files of a working folder belong to a release, and a faithful copy of them.

In a git checkout these are the files that git lists (tracked ones, and new ones that it does not
ignore); elsewhere all files but those that `.lampignore` names. A copy is addressed by the digest of its
paths, modes and contents, so that the same sources are the same tree.
"""

import fnmatch
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lamplighter.model.errors import EnvironmentFault, UserError
from lamplighter.ports import EXCERPT_MARK

SIZE_MAX_BYTES = 2 * 1024**3
"""A larger tree is refused: it most often holds data or weights, which do not belong in a release."""

ALWAYS_LEFT_OUT = frozenset({".git", ".venv", "venv", "__pycache__", "node_modules", ".lamp", ".mypy_cache"})
SPEC = "lamp.yaml"
"""What it says of a workload is part of the release by itself; its text is not, so that a changed bound on
replicas is no new release."""
PLAN_FORMAT = "lamplighter-plan-1"
_PLAN_BEGINS = f'{{"format":"{PLAN_FORMAT}"'.encode()
GIT_TIMEOUT_S = 30
ATTEMPTS = 3


def listed(folder: Path) -> list[Path]:
    """Return the files of `folder` that belong to a release, as sorted relative paths.

    Raises:
        UserError: the folder does not exist (`no-folder`), or cannot be read (`not-readable`).
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}", code="no-folder", mend="check `folder:` in lamp.yaml")
    try:
        found = _listed_by_git(folder)
        if found is None:
            found = _walked(folder, _patterns(folder / ".lampignore"))
        return sorted(each for each in found if _is_part(folder / each))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(error) from error


def tree_digest(folder: Path, files: list[Path]) -> str:
    """Return the digest of the paths, execute bits and contents of `files`, as 16 hex digits.

    Raises:
        UserError: a file cannot be read (`not-readable`).
    """
    try:
        return _digest(folder, files)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unreadable(error) from error


def _digest(folder: Path, files: list[Path]) -> str:
    whole = hashlib.blake2b(digest_size=8)
    for each in files:
        place = folder / each
        whole.update(os.fsencode(each) + b"\0")
        if place.is_symlink():
            whole.update(b"l" + os.fsencode(place.readlink()) + b"\0")
            continue
        with place.open("rb") as file:
            executable = bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR)
            content = hashlib.file_digest(file, "blake2b").digest()
        whole.update((b"x" if executable else b"f") + content)
    return whole.hexdigest()


def keep_tree(folder: Path, trees: Path) -> str:
    """Copy the files of `folder` into `trees/<digest>` and return the digest.

    The copy itself is digested, so that a file that changes meanwhile cannot make a tree that does not
    match its name.

    Raises:
        UserError: larger than SIZE_MAX_BYTES (`tree-too-large`), or it keeps changing (`tree-changing`).
    """
    for _ in range(ATTEMPTS):
        files = listed(folder)
        _refuse_too_large(folder, files)
        wanted = tree_digest(folder, files)
        if (trees / wanted).is_dir():
            return wanted
        if _copy(folder, files, trees, wanted):
            return wanted
    raise UserError(
        f"files in {folder} keep changing while they are copied",
        code="tree-changing",
        mend="stop what writes there, or name its output in .gitignore or .lampignore",
    )


def _copy(folder: Path, files: list[Path], trees: Path, wanted: str) -> bool:
    beside = Path(tempfile.mkdtemp(prefix=f"{wanted}.", dir=trees))
    try:
        for each in files:
            place = beside / each
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / each, place, follow_symlinks=False)
        if tree_digest(beside, files) != wanted:
            return False
        os.sync()
        beside.rename(trees / wanted)
        return True  # noqa: TRY300 - the handlers below end otherwise
    except FileNotFoundError:
        return False
    except OSError as error:
        if (trees / wanted).is_dir():
            return True
        raise EnvironmentFault(
            f"cannot copy the release to {trees}: {error.strerror}",
            code="release-not-kept",
            mend="free some disk space, or set LAMP_STATE_DIR",
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _refuse_too_large(folder: Path, files: list[Path]) -> None:
    sizes = {each: (folder / each).lstat().st_size for each in files if (folder / each).exists()}
    if sum(sizes.values()) > SIZE_MAX_BYTES:
        largest = max(sizes, key=lambda each: sizes[each])
        raise UserError(
            f"the files of {folder} add up to more than {SIZE_MAX_BYTES >> 30} GiB; the largest is {largest}",
            code="tree-too-large",
            mend="name data and weights in .gitignore or .lampignore",
        )


def _listed_by_git(folder: Path) -> list[Path] | None:
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        found = subprocess.run(command, capture_output=True, timeout=GIT_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if found.returncode != 0:
        return None
    return [Path(os.fsdecode(each)) for each in found.stdout.split(b"\0") if each]


def _unreadable(error: OSError | UnicodeDecodeError) -> UserError:
    return UserError(
        f"a file of the release cannot be read: {error}",
        code="not-readable",
        mend="make it readable, or name it in .gitignore or .lampignore",
    )


def _is_part(place: Path) -> bool:
    """Leave out what git lists but is gone, folders (submodules), the spec, and what `lamp` writes there."""
    if place.is_symlink():
        return True
    return place.is_file() and place.name != SPEC and not _is_plan(place) and not _is_excerpt(place)


def _is_plan(place: Path) -> bool:
    if place.suffix != ".json":
        return False
    with place.open("rb") as file:
        return file.read(len(_PLAN_BEGINS)) == _PLAN_BEGINS


def _is_excerpt(place: Path) -> bool:
    """Whether this is an excerpt of a recording, by what SQLite's file format has at its head."""
    with place.open("rb") as file:
        head = file.read(72)
    return head.startswith(b"SQLite format 3") and head[68:] == EXCERPT_MARK


def _patterns(ignore: Path) -> list[str]:
    lines = ignore.read_text().splitlines() if ignore.is_file() else []
    return [each.strip() for each in lines if each.strip() and not each.lstrip().startswith("#")]


def _walked(folder: Path, patterns: list[str]) -> list[Path]:
    return list(_walk(folder, folder, patterns))


def _walk(root: Path, folder: Path, patterns: list[str]) -> Iterator[Path]:
    for each in os.scandir(folder):
        path = Path(each.path).relative_to(root)
        if each.name in ALWAYS_LEFT_OUT or _ignored(
            path, patterns, folder=each.is_dir(follow_symlinks=False)
        ):
            continue
        if each.is_dir(follow_symlinks=False):
            yield from _walk(root, Path(each.path), patterns)
        else:
            yield path


def _ignored(path: Path, patterns: list[str], *, folder: bool) -> bool:
    """Match as .gitignore does in its plain cases: names at any depth, `a/b` from the root, `dir/`."""
    for pattern in patterns:
        plain = pattern.rstrip("/")
        if pattern.endswith("/") and not folder:
            continue
        anchored = "/" in plain
        subject = str(path) if anchored else path.name
        if fnmatch.fnmatch(subject, plain.lstrip("/")):
            return True
    return False

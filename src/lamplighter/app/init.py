"""`lamp init`: look at a prototype's folder and write a first lamp.yaml.

Files are read, never imported or run. What is looked at is bounded, so that a folder with a data set
or a virtual environment in it costs nothing.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from lamplighter.model.errors import EnvironmentFault, Fault, UserError
from lamplighter.model.value import Value
from lamplighter.spec import check
from lamplighter.spec.firstspec import first_spec, saw
from lamplighter.spec.prototype import FOREIGN_LOCKS, LOCKS, guess

SPEC = "lamp.yaml"
FILES_MAX = 2000
BYTES_MAX = 400_000
DEPTH_MAX = 6
SKIPPED = frozenset(
    {"node_modules", "venv", "env", "build", "dist", "site-packages", "__pycache__", "data", "datasets"}
)
READ = frozenset(
    {"Procfile", "Dockerfile", ".python-version", ".env", ".env.example", ".env.sample", ".env.local"}
) | {*LOCKS, *FOREIGN_LOCKS}


class Begun(Value):
    """What `lamp init` did: the file written, its text, what was seen, and what to mind."""

    path: str
    text: str
    found: bool
    saw: tuple[str, ...] = ()
    warnings: tuple[Fault, ...] = ()


def init(folder: Path, *, force: bool = False) -> Begun:
    """Look at a folder and write a first lamp.yaml into it.

    Args:
        folder: the prototype's.
        force: overwrite a lamp.yaml that is there.

    Raises:
        UserError: `no-folder`, or `spec-exists` without `force`; nothing was written.
        EnvironmentFault: the folder cannot be read or written.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder", code="no-folder", mend="name the prototype's folder")
    path = folder / SPEC
    if path.exists() and not force:
        mend = "lamp init --force overwrites it; lamp check says whether it is sound"
        raise UserError(f"{path} is there already", code="spec-exists", mend=mend)
    guessed = guess(dict(_texts(folder)), folder.resolve().name)
    text = first_spec(guessed)
    warnings = check(text, file=str(path)).warnings
    _write(path, text)
    return Begun(
        path=str(path),
        text=text,
        found=bool(guessed.ways or guessed.agents),
        saw=saw(guessed),
        warnings=warnings,
    )


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the path below the folder and the text of each file worth a look; links are not followed."""
    count = 0
    for here, folders, files in os.walk(folder, onerror=_unreadable):
        place = Path(here)
        depth = len(place.relative_to(folder).parts)
        kept = sorted(each for each in folders if each not in SKIPPED and not each.startswith("."))
        folders[:] = (
            [each for each in kept if not (place / each / "pyvenv.cfg").exists()] if depth < DEPTH_MAX else []
        )
        for name in sorted(files):
            top = depth == 0 and name in READ
            if not (top or name.endswith(".py")) or count >= FILES_MAX:
                continue
            count += 1
            yield (place / name).relative_to(folder).as_posix(), _text(place / name)


def _text(path: Path) -> str:
    """Return the beginning of a file; what cannot be read is empty."""
    try:
        if path.is_symlink() or not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""


def _unreadable(error: OSError) -> None:
    if isinstance(error, PermissionError):
        return
    raise EnvironmentFault(f"cannot read {error.filename}: {error.strerror}", code="not-readable") from error


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        mend = "choose a folder that can be written"
        raise EnvironmentFault(
            f"cannot write {path}: {error.strerror}", code="not-writable", mend=mend
        ) from error

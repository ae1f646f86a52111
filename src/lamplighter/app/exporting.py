"""Exporting: from a system's recording to a small file that can be kept as a test or given to others."""

import os
import secrets
import tempfile
from pathlib import Path

from lamplighter.adapters.recordings import Limits, SqliteRecordings
from lamplighter.app.reading import recording
from lamplighter.engine.excerpt import Excerpt, excerpt
from lamplighter.engine.step import step
from lamplighter.model.errors import EnvironmentFault, UserError

ALL = Limits(total_bytes=2**62, age_s=float("inf"))


def export(state: Path, into: Path, *, source: str = "", first: int = 0, last: int | None = None) -> Excerpt:
    """Write passes `first` to `last` of a recording, without what is private, into a new file.

    Args:
        state: the system's own state folder.
        into: the new file.
        source: another recording than the system's own.
        first: the first pass.
        last: the last pass; None for the newest.

    Raises:
        UserError: there is nothing recorded, the file exists (`export-exists`), or the passes would decide
            otherwise without what is private (`not-exported`).
        EnvironmentFault: the file cannot be written (`not-writable`).
    """
    if into.exists():
        raise UserError(f"{into} exists", code="export-exists", mend="name a new file, or delete that one")
    with recording(state, source) as whole, _beside(into) as folder:
        made = SqliteRecordings(Path(folder) / "recording.sqlite", limits=ALL)
        try:
            told = excerpt(whole, step, made, secrets.token_bytes(32), first=first, last=last)
            made.copy_to(Path(folder) / "copy.sqlite")
        finally:
            made.close()
        os.replace(Path(folder) / "copy.sqlite", into)  # noqa: PTH105 - into another folder of one disk
    return told


def _beside(into: Path) -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(dir=into.absolute().parent, prefix=".export-")
    except OSError as error:
        raise EnvironmentFault(f"cannot write {into}: {error.strerror}", code="not-writable") from error

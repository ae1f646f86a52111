"""The release store: a folder of immutable records, source trees and Python environments.

    records/<release id>.json     one Release each
    trees/<digest>/               the files of a release, as they were when it was cut
    environments/<digest>/        one virtual environment per lock-file digest

Everything appears whole or not at all: it is written beside its place, synced and renamed.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lamplighter.model.errors import EnvironmentFault, UserError
from lamplighter.model.release import Release
from lamplighter.model.value import encode


class ReleaseStore:
    """Releases kept under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.records = root / "records"
        self.trees = root / "trees"
        self.environments = root / "environments"

    def prepare(self) -> None:
        """Make the folders. Raises EnvironmentFault where this user may not write."""
        for folder in (self.records, self.trees, self.environments):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise EnvironmentFault(
                    f"cannot write to {folder}: {error.strerror}",
                    code="state-not-writable",
                    mend="set LAMP_STATE_DIR to a folder that you may write to",
                ) from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else cut or prune meanwhile: what is being cut is not yet kept by a record."""
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def put(self, release: Release) -> None:
        """Keep a release. Keeping it again changes nothing."""
        place = self.records / f"{release.id}.json"
        if place.exists():
            return
        handle, beside = tempfile.mkstemp(dir=self.records)
        with os.fdopen(handle, "wb") as file:
            file.write(encode(release))
            file.flush()
            os.fsync(file.fileno())
        Path(beside).rename(place)

    def has(self, release: str) -> bool:
        """Return whether a release of this id is kept."""
        return (self.records / f"{release}.json").exists()

    def get(self, release: str) -> Release:
        """Return a release by its id.

        Raises:
            UserError: no such release is kept here (`unknown-release`).
        """
        try:
            return msgspec.json.decode((self.records / f"{release}.json").read_bytes(), type=Release)
        except FileNotFoundError as error:
            raise UserError(
                f"there is no release {release} in {self.root}",
                code="unknown-release",
                mend="`lamp status` lists the releases of each service",
            ) from error

    def all(self, workload: str = "") -> list[Release]:
        """Return the releases kept, oldest first, of one workload or of all."""
        records = sorted(self.records.glob("r-*.json"), key=lambda each: each.stat().st_mtime_ns)
        releases = [self.get(each.stem) for each in records]
        return [each for each in releases if workload in ("", each.workload)]

    def prune(self, keep: set[str]) -> list[str]:
        """Delete releases other than `keep`, and the trees and environments that none of those uses.

        Returns:
            The ids of the releases that were deleted.
        """
        kept = [each for each in self.all() if each.id in keep]
        gone = [each.id for each in self.all() if each.id not in keep]
        for release in gone:
            (self.records / f"{release}.json").unlink(missing_ok=True)
        _sweep(self.trees, {each.tree for each in kept})
        _sweep(self.environments, {each.environment for each in kept})
        return gone


def _sweep(folder: Path, used: set[str]) -> None:
    for each in folder.iterdir():
        if each.is_dir() and each.name not in used and "." not in each.name:
            shutil.rmtree(each, ignore_errors=True)

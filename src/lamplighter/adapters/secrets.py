"""Secrets on this machine: read from the environment or a file, kept by version while a release needs them.

A version is a keyed digest of the value, so that it tells values apart and tells nothing of them. Kept
values stand in files of mode 0600 in a folder of mode 0700, so that a replica of an earlier release
restarts with the value of its own release. Nothing here prints, logs or raises a value.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from lamplighter.model.errors import EnvironmentFault
from lamplighter.model.system import SecretSource

VERSION_LENGTH = 12


class LocalSecrets:
    """The secrets of one system, as its spec names them, with the versions kept in `folder`."""

    def __init__(self, folder: Path, sources: Mapping[str, SecretSource]) -> None:
        self._folder = folder
        self._sources = sources

    def version(self, name: str) -> str:
        """Return the version of the value now in force.

        Raises:
            EnvironmentFault: the source has no such variable or file (`secret-missing`).
        """
        return hmac.new(self._key(), self._read(name).encode(), hashlib.sha256).hexdigest()[:VERSION_LENGTH]

    def keep(self, name: str) -> str:
        """Keep the value now in force, so that `value` has it later, and return its version.

        Raises:
            EnvironmentFault: as `version`.
        """
        version = self.version(name)
        self._keep(f"{name}.{version}", self._read(name).encode())
        return version

    def value(self, name: str, version: str = "") -> str:
        """Return a value: of the version asked for, else the one now in force.

        Raises:
            EnvironmentFault: it is not kept, and the source no longer has it (`secret-missing`).
        """
        if not version:
            return self._read(name)
        try:
            return (self._folder / f"{name}.{version}").read_text()
        except OSError as error:
            raise EnvironmentFault(
                f"version {version} of secret {name} is not kept here",
                code="secret-missing",
                mend="deploy again with the secret set; a new release is cut",
            ) from error

    def prune(self, used: set[tuple[str, str]]) -> None:
        """Delete kept values other than the (name, version) pairs in `used`."""
        names = {f"{name}.{version}" for name, version in used} | {"key"}
        for each in self._folder.glob("*"):
            if each.name not in names:
                each.unlink(missing_ok=True)

    def _read(self, name: str) -> str:
        source = self._sources[name]
        value = os.environ.get(source.key) if source.source == "env" else _file(source.key)
        if not value:
            place = f"environment variable {source.key}" if source.source == "env" else f"file {source.key}"
            raise EnvironmentFault(
                f"secret {name} is not set: the {place} is missing or empty",
                code="secret-missing",
                mend=f"set it, then run the command again ({source.source}: {source.key})",
            )
        return value

    def _key(self) -> bytes:
        place = self._folder / "key"
        if not place.exists():
            self._keep("key", secrets.token_bytes(32))
        return place.read_bytes()

    def _keep(self, name: str, content: bytes) -> None:
        try:
            self._write(name, content)
        except OSError as error:
            raise EnvironmentFault(
                f"cannot keep secret versions in {self._folder}: {error.strerror}",
                code="state-not-writable",
                mend="set LAMP_STATE_DIR to a folder that you may write to",
            ) from error

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = self._folder / name
        if place.exists():
            return
        beside = place.with_name(f".{name}.{os.getpid()}")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(place)


def _file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError):
        return ""

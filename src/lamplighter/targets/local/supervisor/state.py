"""What the supervisor must not forget: replicas, shares, the gateway's table, the highest token.

Written whole beside its place and renamed, with a digest in front: a reader sees the old state, the new
one, or knows that there is none. It is not synced: what it tells of processes means nothing after a power
cut, and a busy disk must not hold up the parent of everything. Only the fence, which outlives all of it,
is. No secret and no environment is ever part of it.
"""

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from lamplighter.targets.local.gateway.table import Table
from lamplighter.targets.local.supervisor.processes import Identity
from lamplighter.targets.local.supervisor.protocol import Phase, Reply

ACTIONS_MAX = 256
"""Action ids remembered: far more than can be pending at one time."""
RESERVE_BYTES = 1 << 20
FORM = 1
"""The number of this form of the state. A later form gets the next one if an earlier supervisor must not
take it up; a field that may be missing or ignored needs none."""


class NewerStateError(Exception):
    """The state was kept by a newer version, in a form that this one cannot read."""


class Replica(msgspec.Struct, kw_only=True):
    """The record of one replica. Times are CLOCK_MONOTONIC seconds of the boot in its state."""

    id: str
    workload: str
    release: str
    port: int
    started_at: float
    phase: Phase = "intended"
    identity: Identity | None = None
    draining_since: float | None = None
    drain_until: float = 0.0
    exited_at: float | None = None
    code: int | None = None
    signal: int | None = None
    cause: str = ""


class State(msgspec.Struct, kw_only=True):
    """All that is kept. `dismantle_s` is the grace of a dismantling under way.

    `awake`: services that may go to zero and whose requests go straight to a replica.
    """

    version: int = FORM
    boot: str = ""
    token: int = 0
    configured: str = ""
    table: Table | None = None
    replicas: dict[str, Replica] = {}
    shares: dict[str, dict[str, float]] = {}
    actions: dict[str, Reply] = {}
    gateway: Identity | None = None
    gateway_since: float = 0.0
    dismantle_s: float | None = None
    awake: tuple[str, ...] = ()

    def remember(self, action_id: str, reply: Reply) -> None:
        """Keep the reply to an action, and no more than ACTIONS_MAX of them."""
        self.actions[action_id] = reply
        while len(self.actions) > ACTIONS_MAX:
            del self.actions[next(iter(self.actions))]


class _Form(msgspec.Struct):
    """As much of a state as any version can read."""

    version: int = 1


class Reserve:
    """Disk space set aside, given up when the disk is full so that small files can still be replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self) -> None:
        """Set the space aside, if it is not and there is room."""
        with contextlib.suppress(OSError):
            if self._path.exists() and self._path.stat().st_size == RESERVE_BYTES:
                return
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)

    def spend(self) -> None:
        """Give the space up."""
        self._path.unlink(missing_ok=True)


class StateFile:
    """Where the state is kept."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.json"
        self._fence = folder / "fence"

    def load(self) -> State | None:
        """Return the state, or None if there is none, it is torn, or it is not ours to read.

        Raises:
            NewerStateError: a newer version kept it; it must stay as it is.
        """
        try:
            digest, _, body = self.path.read_bytes().partition(b"\n")
            if digest.decode() != _digest(body):
                return None
            form = msgspec.json.decode(body, type=_Form).version
            if form <= FORM:
                return msgspec.json.decode(body, type=State)
        except (OSError, ValueError):
            return None
        raise NewerStateError(f"{self.path.name} was written by a newer version (form {form})")

    def save(self, state: State) -> None:
        """Replace the state.

        Raises:
            OSError: it cannot be written; the old one still stands.
        """
        body = msgspec.json.encode(state)
        _replace(self.path, _digest(body).encode() + b"\n" + body, sync=False)

    def drop(self) -> None:
        """Remove socket and state; the fence stays, so that an old maintainer cannot come back."""
        for each in (*self.path.parent.glob("*.sock"), self.path):
            each.unlink(missing_ok=True)

    def fence(self) -> int:
        """Return the highest token ever seen, which outlives the state."""
        try:
            return int(self._fence.read_text())
        except (OSError, ValueError):
            return 0

    def raise_fence(self, token: int) -> None:
        """Keep a higher token. Raises OSError when it cannot be written."""
        _replace(self._fence, str(token).encode(), sync=True)


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _replace(path: Path, content: bytes, *, sync: bool) -> None:
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    beside.rename(path)

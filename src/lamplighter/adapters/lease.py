"""The lease in SQLite: exactly one maintainer acts on a system, and every new one has a higher token.

A holder is known by its pid, its start time (field 22 of /proc/<pid>/stat), the boot and the pid namespace.
One that is proven gone is succeeded at once; one that lives is never pushed aside, even if it is stopped.
Where pids cannot be compared (another container, another boot) a lock that the kernel drops at the holder's
death decides.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Literal

import msgspec

from lamplighter.adapters.database import Database
from lamplighter.model.errors import OwnedError
from lamplighter.model.value import Value, encode
from lamplighter.ports import Clock, Lease

LOCK = "maintainer.lock"
PROC = Path("/proc")
COMMAND_LENGTH = 120
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0

Standing = Literal["alive", "stopped", "gone", "elsewhere"]


class Identity(Value):
    """What tells a process from every other one that ever was: start time in clock ticks since boot."""

    pid: int
    started_ticks: int
    boot: str
    namespace: str


class Tenancy(Value):
    """The lease as it stands in the store. `since_monotonic` is a reading of CLOCK_MONOTONIC."""

    token: int
    held: bool
    holder: Identity
    command: str
    since: str
    since_monotonic: float


class SqliteLeases:
    """Leases kept in the ledger's file; see `LeaseStore`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Use the ledger's file; the lock stands beside it."""
        self._database = database
        self._clock = clock
        self._lock_path = database.path.with_name(LOCK)
        self._lock = -1

    def acquire(self, system: str) -> Lease:
        """Take the lease.

        Raises:
            OwnedError: another maintainer lives; the message names its pid, command and age.
            HeldError: the disk is full, so that it cannot be written.
        """
        me = _identity(os.getpid())
        with self._database.transaction() as connection:
            current = self.current(system)
            if current and current.held:
                self._refuse_unless_gone(system, current)
            token = current.token + 1 if current else 1
            lease = Lease(
                system=system, token=token, holder=encode(me).decode(), pid=me.pid, since=self._clock.wall()
            )
            connection.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, 1, ?, ?, ?, ?, ?)",
                (system, token, me.pid, lease.holder, command_of(me.pid), lease.since, time.monotonic()),
            )
            self._take_lock()
        return lease

    def held(self, lease: Lease) -> bool:
        """Return whether this lease is still the newest and has not been given back."""
        current = self.current(lease.system)
        return current is not None and current.held and current.token == lease.token

    def release(self, lease: Lease) -> None:
        """Give the lease back, if it is still ours."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE leases SET held = 0 WHERE system = ? AND token = ?", (lease.system, lease.token)
            )
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def current(self, system: str) -> Tenancy | None:
        """Return the lease as it stands, held or given back; None if there never was one."""
        rows = self._database.rows(
            "SELECT token, held, holder, command, since, since_monotonic FROM leases WHERE system = ?", system
        )
        if not rows:
            return None
        token, held, holder, command, since, monotonic = rows[0]
        fields = {"token": token, "held": bool(held), "command": command, "since": since}
        identity = msgspec.json.decode(str(holder))
        return msgspec.convert(fields | {"holder": identity, "since_monotonic": monotonic}, type=Tenancy)

    def _refuse_unless_gone(self, system: str, current: Tenancy) -> None:
        how = standing(current.holder)
        if how == "gone" or (how == "elsewhere" and self._can_lock()):
            return
        raise _owned(system, current, how)

    def _can_lock(self) -> bool:
        handle = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(handle)
        return True

    def _take_lock(self) -> None:
        """Hold the lock for life. That a dead holder's child may still have it does not matter here."""
        if self._lock < 0:
            self._lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return


def standing(holder: Identity) -> Standing:
    """Tell whether a process that held a lease still is, from what the kernel says of its pid now.

    `gone` is proven: no such process, a zombie, or another one under the same pid. `elsewhere`: its pid
    means nothing here (another boot, or another pid namespace).
    """
    if (holder.boot, holder.namespace) != (_boot(), _namespace()):
        return "elsewhere"
    try:
        state, started_ticks = _stat(holder.pid)
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    if started_ticks != holder.started_ticks or state in "ZXx":
        return "gone"
    return "stopped" if state in "Tt" else "alive"


def command_of(pid: int) -> str:
    """Return the command line of a process, cut to a readable length; empty if it may not be read."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return " ".join(raw.replace(b"\0", b" ").decode(errors="replace").split())[:COMMAND_LENGTH]


def _owned(system: str, current: Tenancy, how: Standing) -> OwnedError:
    pid = current.holder.pid
    age = f" for {_words(time.monotonic() - current.since_monotonic)}" if how != "elsewhere" else ""
    mends = {
        "stopped": f"it is stopped: let it go on (kill -CONT {pid}) or end it (kill -KILL {pid})",
        "elsewhere": "it runs in another container or on another machine; end it there",
    }
    return OwnedError(
        f"system {system} is held by pid {pid} ({current.command}){age}, since {current.since}",
        mend=mends.get(how, f"use it as it is, or end it first (kill {pid}); the workloads go on meanwhile"),
        pid=pid,
        since=current.since,
        token=current.token,
    )


def _words(seconds: float) -> str:
    for size, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _identity(pid: int) -> Identity:
    return Identity(pid=pid, started_ticks=_stat(pid)[1], boot=_boot(), namespace=_namespace())


def _stat(pid: int) -> tuple[str, int]:
    """Return a process's state and start time. The command in field 2 may hold spaces and brackets."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _namespace() -> str:
    return str((PROC / "self/ns/pid").readlink())

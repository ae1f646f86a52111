"""Processes of this machine: who is who, who is still alive, who belongs to whom. Linux 5.3 or later.

A process is identified by pid, start time and boot, since a pid alone is used again. A pidfd is opened
first and the start time compared after, so that what was compared is what the descriptor stands for.
"""

import contextlib
import fcntl
import os
import select
import signal
import struct
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from lamplighter.targets.local.supervisor.lineage import is_of_site, lineage, mark_in

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STATE, _SESSION, _USER_TICKS, _SYSTEM_TICKS, _STARTED, _EXIT_CODE = 0, 3, 11, 12, 19, 49
"""Fields of /proc/<pid>/stat, counted from the one after the name (proc(5) counts from 1, so less 3)."""
_GET_INFO = 3 << 30 | 64 << 16 | 0xFF << 8 | 11
_INFO_EXIT = 1 << 3
_INFO_BYTES, _INFO_CODE_AT = 64, 60
"""PIDFD_GET_INFO of linux/pidfd.h, its first published form; PIDFD_INFO_EXIT is there since Linux 6.15."""


class Identity(msgspec.Struct, frozen=True):
    """One process, for good: `started` is in clock ticks since boot, `boot` the kernel's boot id."""

    pid: int
    started: int
    boot: str


class Marked(msgspec.Struct, frozen=True):
    """A process that carries our marks in its environment. `leads`: it leads its session.

    `lineage`: one that has emptied its environment, known by its limits alone; else 0.
    """

    pid: int
    started: int
    leads: bool
    marks: dict[str, str]
    lineage: int = 0

    @property
    def identity(self) -> Identity:
        """Who it is."""
        return Identity(self.pid, self.started, boot_id())


@cache
def boot_id() -> str:
    """Return the id of this boot of the kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """Return who `pid` is now, or None if it is gone or a zombie."""
    fields = _stat(pid)
    if fields is None or fields[_STATE] in "ZX":
        return None
    return Identity(pid, int(fields[_STARTED]), boot_id())


def open_live(identity: Identity) -> int | None:
    """Return a pidfd of exactly this process, or None if it is gone, a zombie, or another by now."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return None
    if identify(identity.pid) == identity and not ended(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def ended(pidfd: int) -> bool:
    """Return whether the process of a pidfd has exited (reaped or not)."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def exit_status(pidfd: int, pid: int) -> int | None:
    """Return the exit code of a process that ended and is not our child, negative for a signal.

    Known from Linux 6.15 on; before, only as long as its parent has not reaped it. Else None.
    """
    status = _zombie_status(pid)
    if status is None:
        status = _reaped_status(pidfd)
    return None if status is None else os.waitstatus_to_exitcode(status)


def used_ticks(pid: int) -> tuple[str, int] | None:
    """Return a process's state and the processor time of all its threads in ticks; None if it is gone."""
    fields = _stat(pid)
    return None if fields is None else (fields[_STATE], int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS]))


def started_at(ticks: int) -> float:
    """Convert a start time in ticks since boot to CLOCK_MONOTONIC seconds."""
    return ticks / TICKS_PER_S - time.clock_gettime(time.CLOCK_BOOTTIME) + time.monotonic()


def marked(site: str) -> list[Marked]:
    """Return all live processes that carry a mark of this site, oldest first."""
    found = [each for pid in _pids() if (each := _marks(pid, site)) is not None]
    return sorted(found, key=lambda each: (each.started, each.pid))


def family(site: str, replica: str, session: int = 0) -> list[Identity]:
    """Return a replica's live processes: those that carry a mark of it, and the members of its session.

    Pass a session only while its leader cannot have been replaced (it lives, or is not reaped yet).
    """
    of = [pid for pid in _pids() if _session(pid) == session != 0 or _is_of(pid, site, replica)]
    return [each for pid in of if (each := identify(pid)) is not None]


def send(processes: Iterable[Identity], number: signal.Signals) -> None:
    """Signal exactly these processes, those of them that still live."""
    for each in processes:
        descriptor = open_live(each)
        if descriptor is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(descriptor, number)
            os.close(descriptor)


def _pids() -> list[int]:
    own = os.getpid()
    with os.scandir("/proc") as entries:
        return [int(each.name) for each in entries if each.name.isdigit() and int(each.name) != own]


def _stat(pid: int) -> list[str] | None:
    """Return the fields after the name, which may itself hold spaces and parentheses."""
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    return text[text.rindex(b")") + 2 :].decode().split()


def _session(pid: int) -> int:
    """Return the session of a live process, -1 for none."""
    fields = _stat(pid)
    return -1 if fields is None or fields[_STATE] in "ZX" else int(fields[_SESSION])


def _is_of(pid: int, site: str, replica: str) -> bool:
    marks = _environment(pid)
    if f"LAMP_SITE={site}".encode() in marks:
        return f"LAMP_REPLICA={replica}".encode() in marks
    return _lineage(pid) == lineage(site, replica)


def _marks(pid: int, site: str) -> Marked | None:
    entries = _environment(pid)
    ours = f"LAMP_SITE={site}".encode() in entries
    mark = 0 if ours else _lineage(pid)
    if not ours and not is_of_site(mark, site):
        return None
    fields = _stat(pid)
    if fields is None or fields[_STATE] in "ZX":
        return None
    pairs = (entry.decode(errors="replace").partition("=") for entry in entries if ours)
    marks = {name: value for name, _, value in pairs if name.startswith("LAMP_") or name == "PORT"}
    return Marked(pid, int(fields[_STARTED]), int(fields[_SESSION]) == pid, marks, mark)


def _environment(pid: int) -> list[bytes]:
    """Return a process's environment; empty if it is gone, another user's, or the kernel's."""
    try:
        return _read(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return []


def _lineage(pid: int) -> int:
    """Return the mark in a process's limits, 0 for none, or if it is not ours to signal."""
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():  # noqa: PTH116 - a third of the cost of a Path
            return 0
        return mark_in(_read(f"/proc/{pid}/limits"))
    except OSError:
        return 0


def _reaped_status(pidfd: int) -> int | None:
    info = bytearray(_INFO_BYTES)
    struct.pack_into("=Q", info, 0, _INFO_EXIT)
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info)
    except OSError:
        return None  # an older kernel
    told = struct.unpack_from("=Q", info)[0] & _INFO_EXIT
    return int(struct.unpack_from("=i", info, _INFO_CODE_AT)[0]) if told else None


def _zombie_status(pid: int) -> int | None:
    """Return the status of one that has ended and is there still: to be reaped, or just being reaped."""
    fields = _stat(pid)
    return int(fields[_EXIT_CODE]) if fields is not None and fields[_STATE] in "ZX" else None


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)

"""Processes of one run, found by a mark in their environment, whoever is their parent by now.

The mark is the run's own TMPDIR, which everything that `lamp` starts passes on; so nothing that a run left
behind can hide, and nothing of anybody else is ever touched.
"""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
END_WAIT_S = 10.0
LOOK_S = 0.05
MAINTAINER, SUPERVISOR, GATEWAY, REPLICA, OTHER = "maintainer", "supervisor", "gateway", "replica", "other"
_ROLES = {b"lamplighter.faces.http": MAINTAINER, b"lamplighter.targets.local.supervisor": SUPERVISOR}
_AFTER_NAME = 2
_STATE, _SESSION, _USER_TICKS, _SYSTEM_TICKS = 0, 3, 11, 12


@dataclass(frozen=True, slots=True)
class Process:
    """One live process of a run: its part in it, the replica's id if it is one, and its LAMP_SITE if any."""

    pid: int
    role: str
    replica: str = ""
    leads: bool = True
    site: str = ""


def marked(folder: Path) -> list[Process]:
    """Return the live processes whose TMPDIR is `folder` or below it, in order of their pids."""
    mark = b"TMPDIR=" + os.fsencode(folder) + b"/"
    found = (_process(int(each.name), mark) for each in os.scandir("/proc") if each.name.isdigit())
    return sorted((each for each in found if each is not None), key=lambda each: each.pid)


def of_role(processes: Iterable[Process], role: str) -> list[int]:
    """Return the pids of the session leaders of one part; a healthy run has one maintainer."""
    return [each.pid for each in processes if each.role == role and each.leads]


def doubled(processes: Iterable[Process]) -> list[str]:
    """Return what is there twice: replica ids, and parts of which there must be one."""
    names = [each.replica or each.role for each in processes if each.leads and each.role != OTHER]
    return sorted({each for each in names if names.count(each) > 1})


def end_all(folder: Path) -> list[Process]:
    """Kill whatever of the run still lives, those that start others first; return what that was."""
    found = marked(folder)
    order = (MAINTAINER, SUPERVISOR, GATEWAY, REPLICA, OTHER)
    until = time.monotonic() + END_WAIT_S
    left = found
    while left and time.monotonic() < until:
        for each in sorted(left, key=lambda one: order.index(one.role)):
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
        time.sleep(LOOK_S)
        left = marked(folder)
    return found


def prefer(pids: Iterable[int], nice: int) -> None:
    """Give the sessions of processes a priority among all sessions, where the kernel shares by session.

    With autogroups (sched(7)) a nice value only counts within a session, and every replica has its own.
    """
    for pid in pids:
        with suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(str(nice), encoding="ascii")


def cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used so far, in user and system mode."""
    fields = _fields(pid)
    assert fields is not None, f"process {pid} is gone"
    return (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / TICKS_PER_S


def pss_bytes(pid: int) -> int:
    """Return the proportional set size of a process: its memory, shared pages counted in part (proc(5))."""
    return _rollup(pid, "Pss:")


def own_bytes(pid: int) -> int:
    """Return the part of it that no file stands behind: heaps, stacks, arenas.

    The share in a library's pages goes up whenever another process that has them too goes away.
    """
    return _rollup(pid, "Pss_Anon:")


def _rollup(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def busy_share() -> tuple[float, float]:
    """Return the machine's busy and its whole processor time so far, in seconds of one core."""
    first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    ticks = [int(each) for each in first.split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICKS_PER_S, sum(ticks) / TICKS_PER_S


def _process(pid: int, mark: bytes) -> Process | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    fields = _fields(pid)
    if (
        fields is None
        or fields[_STATE] in "ZX"
        or not any((each + b"/").startswith(mark) for each in environment)
    ):
        return None
    replica, site = (_value(environment, name) for name in (b"LAMP_REPLICA=", b"LAMP_SITE="))
    role = REPLICA if replica else next((_ROLES[each] for each in line if each in _ROLES), OTHER)
    if role == OTHER and b"LAMP_GATEWAY=1" in environment:
        role = GATEWAY
    return Process(pid, role, replica, leads=int(fields[_SESSION]) == pid, site=site)


def _value(environment: list[bytes], name: bytes) -> str:
    return next((each[len(name) :].decode() for each in environment if each.startswith(name)), "")


def _fields(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat after the name, which may hold spaces and parentheses."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + _AFTER_NAME :].split()

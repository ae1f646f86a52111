"""This machine and the processes on it, as /proc tells: room, memory, processor time.

Cheap: one small file per process and reading, and a full search for members only now and then.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple

from lamplighter.model.facts import Machine

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MEMBERS_KEPT_S = 5.0
"""How long it is remembered which processes a replica has: new workers are rare."""
INTERVAL_MIN_S = 0.25
_SESSION, _USER_TICKS, _SYSTEM_TICKS, _RSS_PAGES = 3, 11, 12, 21


def machine(folder: Path) -> Machine:
    """Return the room that this machine has, and the disk that holds `folder`."""
    memory = _meminfo()
    disk = os.statvfs(folder if folder.exists() else "/")
    return Machine(
        cores=float(len(os.sched_getaffinity(0))),
        memory_bytes=memory.get("MemTotal"),
        memory_free_bytes=memory.get("MemAvailable"),
        disk_free_bytes=disk.f_bavail * disk.f_frsize,
    )


class _Used(NamedTuple):
    at: float
    seconds: float
    cores: float | None


class Usage:
    """Memory and processor time of replicas, each with all processes of its session."""

    def __init__(self) -> None:
        self._members: dict[int, list[int]] = {}
        self._searched = float("-inf")
        self._before: dict[int, _Used] = {}

    def read(self, pids: list[int]) -> dict[int, tuple[int, float | None]]:
        """Return memory in bytes and cores used since the last reading, by the replica's pid.

        Memory is resident memory; of several processes, their proportional share, since forked workers
        share most of it. Cores are None at the first reading. A replica that is gone is left out.
        """
        now = time.monotonic()
        if now - self._searched > MEMBERS_KEPT_S or set(pids) - set(self._members):
            self._members, self._searched = _sessions(set(pids)), now
        found: dict[int, tuple[int, float | None]] = {}
        before, self._before = self._before, {}
        for pid in pids:
            stats = {each: stat for each in self._members[pid] if (stat := _stat(each)) is not None}
            if pid not in stats:
                continue
            used = sum(int(each[_USER_TICKS]) + int(each[_SYSTEM_TICKS]) for each in stats.values())
            self._before[pid] = _since(before.get(pid), now, used / TICKS_PER_S)
            found[pid] = (_memory(stats), self._before[pid].cores)
        return found


def _since(before: _Used | None, now: float, seconds: float) -> _Used:
    """Over less than INTERVAL_MIN_S a clock of 10 ms says little: the last figure stands."""
    if before is None:
        return _Used(now, seconds, None)
    if now - before.at < INTERVAL_MIN_S:
        return before
    return _Used(now, seconds, round(max(0.0, seconds - before.seconds) / (now - before.at), 3))


def _memory(stats: dict[int, list[str]]) -> int:
    if len(stats) == 1:
        return int(next(iter(stats.values()))[_RSS_PAGES]) * PAGE_BYTES
    return sum(_proportional(pid, stat) for pid, stat in stats.items())


def _proportional(pid: int, stat: list[str]) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # gone, or not ours to look into: the resident size is what is left
    return int(stat[_RSS_PAGES]) * PAGE_BYTES


def _sessions(leaders: set[int]) -> dict[int, list[int]]:
    members: dict[int, list[int]] = {each: [each] for each in leaders}
    for name in os.listdir("/proc"):  # noqa: PTH208 - a third of the cost of a Path for each
        if name.isdigit() and int(name) not in leaders and (stat := _stat(int(name))) is not None:
            session = int(stat[_SESSION])
            if session in members:
                members[session].append(int(name))
    return members


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return text[text.rindex(b")") + 2 :].decode().split()


def _meminfo() -> dict[str, int]:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return {
        name: int(rest.split()[0]) * 1024
        for name, _, rest in (line.partition(":") for line in lines)
        if rest.endswith("kB")
    }

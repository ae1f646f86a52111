"""What a tree of processes uses, read from /proc: processor time by part, and memory.

The root is a subreaper (prctl(2)), so that nothing below it can leave the tree, and what ended is counted
by whoever waited for it, or is still there as a zombie.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.local.processes import TICKS_PER_S, pss_bytes

_AFTER_NAME = 2
_PARENT, _USER, _SYSTEM, _ENDED_USER, _ENDED_SYSTEM, _STARTED = 1, 11, 12, 13, 14, 19


@dataclass(frozen=True, slots=True)
class One:
    """A process: parent, own and waited-for children's processor time in ticks, start in ticks since boot."""

    parent: int
    own: int
    ended: int
    started: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds so far of the root itself and of all below it, and which processes there are."""

    root_s: float
    below_s: float
    processes: frozenset[tuple[int, int]]


def usage(root: int) -> Usage:
    """Read what the tree of this root has used, children that ended included."""
    found = tree(root)
    own, ended = (found[root].own, found[root].ended) if root in found else (0, 0)
    below = sum(each.own + each.ended for pid, each in found.items() if pid != root)
    return Usage(own / TICKS_PER_S, (below + ended) / TICKS_PER_S, identities(found))


def identities(found: Mapping[int, One]) -> frozenset[tuple[int, int]]:
    """Return the processes by pid and start, which together no other process can have."""
    return frozenset((pid, each.started) for pid, each in found.items())


def memory_bytes(root: int) -> int:
    """Return the proportional set size of the whole tree; what ends meanwhile counts nothing."""
    return sum(_memory(pid) for pid in tree(root))


def tree(root: int) -> dict[int, One]:
    """Return the root and all its descendants by pid."""
    everybody = {pid: one for pid in _pids() if (one := _read(pid)) is not None}
    children: dict[int, list[int]] = {}
    for pid, one in everybody.items():
        children.setdefault(one.parent, []).append(pid)
    found, todo = {}, [root]
    while todo:
        pid = todo.pop()
        if pid in everybody:
            found[pid] = everybody[pid]
            todo += children.get(pid, [])
    return found


def still(identity: tuple[int, int]) -> bool:
    """Whether this very process is still there, as more than a zombie."""
    one = _read(identity[0])
    return one is not None and one.started == identity[1] and _state(identity[0]) not in "ZX"


def _pids() -> list[int]:
    return [int(each.name) for each in os.scandir("/proc") if each.name.isdigit()]


def _memory(pid: int) -> int:
    try:
        return pss_bytes(pid)
    except (OSError, StopIteration):  # it ended, or is a zombie and has none
        return 0


def _read(pid: int) -> One | None:
    fields = _fields(pid)
    if not fields:
        return None
    own = int(fields[_USER]) + int(fields[_SYSTEM])
    ended = int(fields[_ENDED_USER]) + int(fields[_ENDED_SYSTEM])
    return One(int(fields[_PARENT]), own, ended, int(fields[_STARTED]))


def _state(pid: int) -> str:
    return (_fields(pid) or ["X"])[0]


def _fields(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text[text.rindex(")") + _AFTER_NAME :].split()

"""What a run has started, found by the mark in its environment; proof that it is gone, or its end by force.

The mark is the path of the run's own folder, which no other process has in its environment or command line.
"""

import os
import select
import shutil
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lamplighter.targets.local.supervisor import room
from lamplighter.targets.local.supervisor.core import site_mark

END_S = 15.0
"""From the first SIGKILL until nothing is left; only a process stuck in the kernel takes this long."""
QUIET_S = 0.1
_STARTED = 19
"""Field of /proc/<pid>/stat after the name (proc(5): starttime)."""


class Process(NamedTuple):
    """One process for good: a pid alone is used again."""

    pid: int
    started: int


def processes(folder: Path) -> set[Process]:
    """Return the live processes that carry the folder's path in their environment or command line."""
    mark = os.fsencode(folder)
    pids = (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())
    found = (identify(pid) for pid in pids if pid != os.getpid() and _carries(pid, mark))
    return {each for each in found if each is not None}


def identify(pid: int) -> Process | None:
    """Return who a pid is now; None if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else Process(pid, int(fields[_STARTED]))


def left(folder: Path, seen: set[Process], port: int, memory: Path) -> list[str]:
    """Return, in words, all that is left of a run; nothing if it is all gone.

    Args:
        folder: the run's folder.
        seen: every process that was ever seen to belong to it.
        port: the gateway's.
        memory: the folder in memory that the gateway's files stood in.
    """
    alive = {each for each in seen if identify(each.pid) == each} | processes(folder)
    found = [f"process {each.pid} ({_command(each.pid)})" for each in sorted(alive)]
    found += [f"port {port}"] if _answers(port) else []
    found += [f"socket {each}" for each in sorted(_sockets(folder))]
    return found + ([f"folder {memory}"] if memory.exists() else [])


def memory_of(state: Path) -> Path:
    """Return the folder in memory that a system's gateway has its files in, there or not."""
    return room.MEMORY / f"lamplighter-{os.getuid()}-{site_mark(state)}"


def end_all(folder: Path, memory: Path) -> None:
    """End whatever carries the folder's mark, at once, and remove what it keeps in memory.

    Looks again until nothing is found twice in a row: what is about to start another is itself found.
    """
    until, quiet = time.monotonic() + END_S, 0
    while quiet < 2 and time.monotonic() < until:  # noqa: PLR2004 - twice in a row
        found = processes(folder)
        for each in found:
            _kill(each)
        quiet = 0 if found else quiet + 1
        time.sleep(QUIET_S)
    shutil.rmtree(memory, ignore_errors=True)


def _kill(process: Process) -> None:
    with suppress(OSError):
        descriptor = os.pidfd_open(process.pid)
        try:
            if identify(process.pid) == process:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                select.select([descriptor], [], [], 1.0)
        finally:
            os.close(descriptor)


def _carries(pid: int, mark: bytes) -> bool:
    for name in ("environ", "cmdline"):
        with suppress(OSError):
            if mark in Path(f"/proc/{pid}/{name}").read_bytes():
                return True
    return False


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "gone by now"
    return " ".join(each for each in words[:4] if each)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _sockets(folder: Path) -> set[str]:
    """Return unix sockets that are open on, or stand in, the folder."""
    listed = {line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
    standing = {str(each) for each in folder.rglob("*") if each.is_socket()}
    return {each for each in listed if str(folder) in each} | standing

"""What this machine must offer before anything is started: Linux, and a port that nobody else has."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from lamplighter.model.errors import EnvironmentFault
from lamplighter.targets.local.supervisor.ports import can_listen

SUGGESTIONS = 100
COMMAND_WORDS = 3
_LISTENING = "0A"


class Owner(NamedTuple):
    """Who listens on a port, as far as this user may know."""

    pid: int
    command: str


def require_platform() -> None:
    """Raise EnvironmentFault (`platform`) unless this is Linux 5.3 or later."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open") or not _pidfd_works():
        raise EnvironmentFault(
            f"the local target needs Linux 5.3 or later; this is {os.uname().sysname} {os.uname().release}",
            code="platform",
            mend="run it on such a machine, or choose another site in lamp.yaml",
        )


def require_port(host: str, port: int) -> None:
    """Raise EnvironmentFault (`port-taken`) if the gateway could not listen there now."""
    if not can_listen(host, port):
        raise EnvironmentFault(
            port_taken(host, port), code="port-taken", mend=f"set gateway: {{port: {free_port(host, port)}}}"
        )


def port_taken(host: str, port: int) -> str:
    """Return, in words, who holds a port (as far as this user may know) and which one is free."""
    owner = port_owner(port)
    who = f"process {owner.pid} ({owner.command})" if owner else "a process that this user may not look at"
    return f"port {port} of {host} is taken by {who}; port {free_port(host, port)} is free"


def free_port(host: str, port: int) -> int:
    """Return a port after `port` that is free now, 0 if there is none near."""
    near = range(port + 1, min(port + SUGGESTIONS, 65_535))
    return next((each for each in near if can_listen(host, each)), 0)


def port_owner(port: int) -> Owner | None:
    """Return who listens on a TCP port, None if nobody does or it is not ours to know."""
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listeners(table, port)}
    if not sockets:
        return None
    for folder in Path("/proc").glob("[0-9]*/fd"):
        pid = int(folder.parent.name)
        if _holds(folder, sockets):
            return Owner(pid, _command(pid))
    return None


def _listeners(table: str, port: int) -> list[str]:
    """Return the inodes of listening sockets (proc(5), net/tcp: local address, state, inode)."""
    try:
        lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    except OSError:
        return []
    fields = [line.split() for line in lines]
    return [each[9] for each in fields if each[3] == _LISTENING and each[1].endswith(f":{port:04X}")]


def _holds(folder: Path, sockets: set[str]) -> bool:
    try:
        return any(str(each.readlink()) in sockets for each in folder.iterdir())
    except OSError:
        return False  # gone, or another user's


def _command(pid: int) -> str:
    """Return the start of the command: what comes later, or sets something, might hold a secret."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "unknown"
    return " ".join(each for each in words[:COMMAND_WORDS] if each and "=" not in each)


def _pidfd_works() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True

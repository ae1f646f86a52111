"""The supervisor's children, its own and adopted ones: started, watched, signalled, reaped.

A pidfd in the event loop tells of an exit at once and costs nothing until then. It works for adopted
processes too; how those ended is the kernel's to tell, and not every kernel does.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lamplighter.targets.local.supervisor.logs import open_log
from lamplighter.targets.local.supervisor.processes import Identity, exit_status, identify, open_live


class Ended(NamedTuple):
    """How a child ended: exit code or signal; both None for an adopted one of which it is not known."""

    code: int | None = None
    signal: int | None = None


class _Child:
    def __init__(self, identity: Identity, pidfd: int, started: "subprocess.Popen[bytes] | None") -> None:
        self.identity = identity
        self.pidfd = pidfd
        self.started = started
        self.gone = asyncio.Event()


class Children:
    """Children by key (a replica's id, or the gateway's name)."""

    def __init__(self, on_exit: Callable[[str, Ended], None]) -> None:
        """Start with none.

        Args:
            on_exit: called from the event loop for each child that ended, which is not reaped yet (its
                pid is still its own) and must then be given up with `release`.
        """
        self._on_exit = on_exit
        self._children: dict[str, _Child] = {}

    def spawn(self, key: str, argv: tuple[str, ...], cwd: Path, env: dict[str, str], log: Path) -> Identity:
        """Start a child in a session of its own, its output appended to `log`, if that can be opened.

        Raises:
            OSError: it could not be started (no such program or folder, no memory, no descriptors).
        """
        output = _output(log)
        try:
            started = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(output)
        # Not reaped before we do it, so the pid is its own even if it has ended by now.
        identity = identify(started.pid) or Identity(started.pid, 0, "")
        self._watch(key, _Child(identity, os.pidfd_open(started.pid), started))
        return identity

    def adopt(self, key: str, identity: Identity) -> bool:
        """Watch a process that another started; False if exactly this one is not alive."""
        pidfd = open_live(identity)
        if pidfd is None:
            return False
        self._watch(key, _Child(identity, pidfd, None))
        return True

    def signal(self, key: str, number: signal.Signals) -> None:
        """Signal a child's process group, if it lives; its group is its session's first."""
        child = self._children.get(key)
        if child is None or child.gone.is_set():
            return
        try:
            os.killpg(child.identity.pid, number)
        except ProcessLookupError:
            signal.pidfd_send_signal(child.pidfd, number)

    async def gone(self, key: str, timeout_s: float) -> bool:
        """Wait until a child has ended, `timeout_s` at most; return whether it has."""
        child = self._children.get(key)
        if child is None:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await child.gone.wait()
        except TimeoutError:
            return False
        return True

    def release(self, key: str) -> None:
        """Reap a child that ended and forget it."""
        child = self._children.pop(key)
        assert child.gone.is_set(), "only a child that ended is released"
        os.close(child.pidfd)
        if child.started is not None:
            child.started.wait()

    def __contains__(self, key: str) -> bool:
        return key in self._children

    def _watch(self, key: str, child: _Child) -> None:
        assert key not in self._children, "a key has one child at a time"
        self._children[key] = child
        asyncio.get_running_loop().add_reader(child.pidfd, self._ended, key)

    def _ended(self, key: str) -> None:
        child = self._children[key]
        asyncio.get_running_loop().remove_reader(child.pidfd)
        child.gone.set()
        self._on_exit(key, _status(child))


def _output(log: Path) -> int:
    """Open a log; where there is no room for one nothing of it is kept, and the child starts all the same."""
    try:
        return open_log(log)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _status(child: _Child) -> Ended:
    """Look at the status without reaping, so that the pid is not given to another yet."""
    if child.started is None:
        code = exit_status(child.pidfd, child.identity.pid)
        return Ended() if code is None else Ended(code=code) if code >= 0 else Ended(signal=-code)
    found = os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    if found is None:
        return Ended()
    return Ended(code=found.si_status) if found.si_code == os.CLD_EXITED else Ended(signal=found.si_status)

"""Start a supervisor: `python -m lamplighter.targets.local.supervisor FOLDER SYSTEM`.

Returns to the caller as soon as it is certain that there is one: this one, in the background, or
another that holds the lock already (exit code 3). A folder that cannot be written ends with 4, one in which
a newer version keeps its state with 5.
"""

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import sys
import time
from pathlib import Path

import msgspec

from lamplighter.targets.local.supervisor import lineage
from lamplighter.targets.local.supervisor.core import Supervisor
from lamplighter.targets.local.supervisor.server import SOCKET, bind, serve
from lamplighter.targets.local.supervisor.state import NewerStateError, StateFile

ANOTHER_IS_THERE, NOT_WRITABLE, NEWER = 3, 4, 5
_FILES_MAX = 1 << 17
_LOOK_S = 2.0


def main() -> int:
    """Take the lock, go into the background, and supervise until dismantled or told to go."""
    folder, system = Path(sys.argv[1]), sys.argv[2]
    try:
        for name in ("supervisor", "logs"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "supervisor" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")
        return NOT_WRITABLE
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return ANOTHER_IS_THERE
    try:
        StateFile(folder / "supervisor").load()
    except NewerStateError as error:
        sys.stderr.write(f"{error}\n")
        return NEWER
    if os.fork():
        os._exit(0)  # the lock stays with the child
    _detach(folder)
    asyncio.run(_supervise(folder, system, lock))
    return 0


def _detach(folder: Path) -> None:
    """Leave the caller's session, lineage, folder and streams; let children open as many files as may be."""
    os.setsid()
    lineage.leave()
    os.chdir("/")
    log = os.open(
        folder / "logs" / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
    )
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for number, descriptor in ((0, nothing), (1, log), (2, log)):
        os.dup2(descriptor, number)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = _FILES_MAX if most == resource.RLIM_INFINITY else min(most, _FILES_MAX)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))


async def _supervise(folder: Path, system: str, lock: int) -> None:
    told_to_go = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_go.set)
    async with asyncio.TaskGroup() as tasks:
        supervisor = Supervisor(folder, system, tasks, _say)
        supervisor.start()
        servers = [await serve(supervisor, bind(folder / "supervisor"))]
        found = _stay_found(folder / "supervisor", lock, supervisor, servers)
        beside = [tasks.create_task(each) for each in (found, supervisor.look_after_gateway())]
        ends = [tasks.create_task(each.wait()) for each in (told_to_go, supervisor.dismantled)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for each in servers:
            each.close()
        (folder / "supervisor" / SOCKET).unlink(missing_ok=True)
        if told_to_go.is_set():
            supervisor.leave()
            _say("supervisor-ended", because="signal")  # what it started goes on, and is adopted
            os._exit(0)
        for task in (*ends, *beside):
            task.cancel()


async def _stay_found(folder: Path, lock: int, supervisor: Supervisor, servers: list[asyncio.Server]) -> None:
    """See every other second that lock and socket are still where others look for them.

    1. The lock is gone, deleted with its folder: end, since a successor takes a lock of its own there and
       would be a second. What was started goes on and is adopted.
    2. The socket alone is gone: listen anew. Nobody could reach this supervisor, nor succeed it.
    """
    own = os.fstat(lock).st_ino
    while True:
        await asyncio.sleep(_LOOK_S)
        if _inode(folder / "lock") != own:
            _say("supervisor-ended", because="its folder was deleted")
            os._exit(0)
        if not supervisor.dismantled.is_set() and not _inode(folder / SOCKET):
            _say("socket-gone", because="deleted")
            with contextlib.suppress(OSError):  # a full disk: looked at again
                servers.append(await serve(supervisor, bind(folder)))


def _inode(path: Path) -> int:
    """Return the number of a file, 0 if it is not there."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _say(event: str, **context: object) -> None:
    """Write one line; wall time only labels it."""
    line = {"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **context}
    try:
        os.write(2, msgspec.json.encode(line) + b"\n")
    except OSError:
        return  # a full disk: nothing hangs on this line


if __name__ == "__main__":
    sys.exit(main())

"""The way to the supervisor: one connection a request, each with a deadline; started if it is not there."""

import asyncio
import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TypeVar

import msgspec

from lamplighter.model.errors import EnvironmentFault, UnreachableError
from lamplighter.targets.local.installation import mark
from lamplighter.targets.local.sockets import Incoming
from lamplighter.targets.local.supervisor.protocol import (
    Hint,
    Observe,
    Observed,
    Op,
    Reply,
    Request,
    Watch,
    frame,
    read_frame,
)
from lamplighter.targets.local.supervisor.state import FORM

SOCKET = "supervisor.sock"
MODULE = "lamplighter.targets.local.supervisor"
ASK_DEADLINE_S = 2.0
"""An answer takes about a millisecond; one that takes this long is taken for silence."""
START_DEADLINE_S = 10.0
"""A supervisor is there in 0.2 s on an idle machine."""
START_AGAIN_S = 5.0
"""For so long after one could not be had, the next wait for it is a short one: many may wait in turn."""
START_AGAIN_DEADLINE_S = 0.5
CONNECT_AGAIN_S = 0.02
PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""Of the maintainer's environment; the rest may hold secrets, and none of it concerns the supervisor."""

END_S = 5.0
"""For a supervisor to end when told to: it waits for nothing and takes milliseconds."""

ANOTHER_IS_THERE, NOT_WRITABLE, NEWER = 3, 4, 5
"""Exit codes of the starter."""

Message = TypeVar("Message", bound=msgspec.Struct)


def _holder(lock: Path) -> int:
    """Return the pid of who has the lock's file open: the supervisor alone, since no child inherits it."""
    try:
        found = lock.stat()
    except OSError:
        return 0
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):  # gone, or another user's
            if any(os.path.samestat(found, each.stat()) for each in folder.iterdir()):
                return int(folder.parent.name)
    return 0


class Client:
    """Speaks to the supervisor of one system."""

    def __init__(self, state_dir: Path, system: str) -> None:
        """Take the system's state folder and name; nothing is opened."""
        self._state_dir = state_dir
        self._system = system
        self._starting = asyncio.Lock()
        self._ours = False
        self._missed_at = float("-inf")

    @property
    def expected(self) -> bool:
        """Whether this system has (or had, and never dismantled) a supervisor."""
        folder = self._state_dir / "supervisor"
        return (folder / "state.json").exists() or (folder / SOCKET).exists()

    def alive(self) -> bool:
        """Return whether a supervisor lives, answering or not: it holds its lock for life."""
        try:
            with (self._state_dir / "supervisor" / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def ask(
        self, op: Op, *, token: int = 0, action_id: str = "", deadline_s: float = ASK_DEADLINE_S
    ) -> Reply:
        """Send a request and return its reply.

        Raises:
            UnreachableError: no supervisor, or no reply in time; it may have been carried out.
        """
        request = Request(op=op, token=token, action_id=action_id)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._asked(request)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            why = f"no answer within {deadline_s:g} s" if isinstance(error, TimeoutError) else str(error)
            raise UnreachableError(f"the supervisor does not answer: {why}") from error

    async def watch(self) -> AsyncGenerator[str, None]:
        """Yield hints until the supervisor goes away; ends at once if there is none."""
        try:
            reader, writer = await asyncio.open_unix_connection(sock=self._connected())
        except OSError:
            return
        try:
            writer.write(frame(Request(op=Watch())))
            await writer.drain()
            while True:
                yield msgspec.json.decode(await read_frame(reader), type=Hint).subject
        except (OSError, asyncio.IncompleteReadError, ValueError):
            return
        finally:
            writer.close()

    async def ensure(self, *, anew: bool = True) -> None:
        """Have a supervisor that answers, starting one if there is none. Exactly one results.

        The first time, one that another installation started is ended, and its successor, of this one,
        adopts all that it has. Only whoever holds the system's lease may call this.

        Args:
            anew: also where there was none before; else a dismantled system stays dismantled.

        Raises:
            EnvironmentFault: it cannot be started here (`supervisor-not-started`), or the state folder
                cannot be written (`state-not-writable`), or a newer version keeps it (`store-newer`).
        """
        async with self._starting:
            if await self._answers() and (self._ours or not await self._stepped_down()):
                return
            now = asyncio.get_running_loop().time
            again = now() - self._missed_at < START_AGAIN_S
            deadline = now() + (START_AGAIN_DEADLINE_S if again else START_DEADLINE_S)
            try:
                while now() < deadline:
                    if not anew and not self.expected:
                        return
                    await self._start()
                    for _ in range(10):
                        if await self._answers():
                            self._missed_at = float("-inf")
                            return
                        await asyncio.sleep(CONNECT_AGAIN_S)
            except asyncio.CancelledError:
                self._missed_at = now()
                raise
            self._missed_at = now()
            raise self._not_started("it does not answer")

    async def end_hung(self) -> int:
        """Kill a supervisor that answers nobody; its successor adopts all it has.

        Safe although it may only be slow: no traffic goes through it, and what it accepted is on disk.
        It is who listens on the socket, if that is a supervisor; else who holds the lock.

        Returns:
            The pid of what was killed, 0 if there is none.
        """
        lock = self._state_dir / "supervisor" / "lock"
        return _killed(await self._listener()) or _killed(await asyncio.to_thread(_holder, lock))

    async def _listener(self) -> int:
        """Return the pid of who takes connections on the socket, 0 for nobody."""
        try:
            with self._connected() as end:
                told = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            return 0
        pid, _, _ = struct.unpack("3i", told)
        return int(pid)

    async def _stepped_down(self) -> bool:
        """End a supervisor of another installation; return whether there was one.

        Raises:
            EnvironmentFault: it is of a newer version, whose state this one cannot take up.
        """
        try:
            async with asyncio.timeout(ASK_DEADLINE_S):
                observed = (await self._exchange(Request(op=Observe()))).observed
        except (OSError, asyncio.IncompleteReadError, ValueError):
            return False  # one that hangs is ended when it has been silent for long enough
        assert observed is not None, "an observation is always answered with one"
        if observed.form > FORM:
            raise self._newer(f"its supervisor keeps form {observed.form}, this version knows {FORM}")
        self._ours = True
        if observed.mark == mark():
            return False
        await self._end(observed)
        return True

    async def _end(self, observed: Observed) -> None:
        """Tell a supervisor to go, and wait until it has; what it started goes on."""
        try:
            handle = os.pidfd_open(observed.pid)
        except ProcessLookupError:
            return
        try:
            for number in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(handle, number)
                if (await asyncio.to_thread(select.select, [handle], [], [], END_S))[0]:
                    return
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    async def _answers(self) -> bool:
        try:
            self._connected().close()
        except BlockingIOError:
            return True  # somebody listens, and has many waiting
        except OSError:
            return False
        return True

    async def _asked(self, request: Request) -> Reply:
        """Ask; while a supervisor is being started or succeeded, ask the one that comes."""
        while True:
            try:
                return await self._exchange(request)
            except (FileNotFoundError, ConnectionRefusedError):
                if not self._starting.locked():
                    raise
            async with self._starting:
                pass

    async def _exchange(self, request: Request) -> Reply:
        """Send a request over a connection of its own.

        Not with asyncio's streams: each of their transports refers to itself, so that it is only freed by the
        garbage collector, and this is done at every pass.
        """
        with self._connected() as end:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(end, frame(request))
            return msgspec.json.decode(await read_frame(Incoming(end)), type=Reply)

    async def _start(self) -> None:
        """Run the starter; it returns when the supervisor is in the background and on its own."""
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", MODULE, str(self._state_dir), self._system),
                env={**env, "MALLOC_ARENA_MAX": "1"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:  # no process, descriptor or memory to be had
            raise self._not_started([error.strerror or str(error)]) from error
        _, said = await process.communicate()
        if process.returncode == NOT_WRITABLE:
            raise EnvironmentFault(
                f"cannot write to the state folder {self._state_dir}: {said.decode().strip()}",
                code="state-not-writable",
                mend="set LAMP_STATE_DIR to a folder that you may write to",
            )
        if process.returncode == NEWER:
            raise self._newer(said.decode().strip())
        if process.returncode not in (0, ANOTHER_IS_THERE):
            raise self._not_started(said.decode(errors="replace").strip().splitlines()[-1:] or ["no reason"])

    def _newer(self, why: str) -> EnvironmentFault:
        return EnvironmentFault(
            f"a newer version of Lamplighter runs {self._system}: {why}",
            code="store-newer",
            mend="upgrade lamplighter here to the version that last ran this system",
        )

    def _not_started(self, why: object) -> EnvironmentFault:
        words = why[0] if isinstance(why, list) else why
        return EnvironmentFault(
            f"the supervisor of {self._system} could not be started: {words}",
            code="supervisor-not-started",
            mend=f"look at {self._state_dir / 'logs' / 'supervisor.log'}",
        )

    def _connected(self) -> socket.socket:
        """Connect through the folder's descriptor: its path may be longer than a socket's may be."""
        place = os.open(self._state_dir / "supervisor", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            end.setblocking(False)
            end.connect(f"/proc/self/fd/{place}/{SOCKET}")
        except OSError:
            end.close()
            raise
        finally:
            os.close(place)
        return end


def _killed(pid: int) -> int:
    """Kill a process if it is a supervisor; return its pid, 0 if it is not."""
    try:
        handle = os.pidfd_open(pid) if pid else -1
    except ProcessLookupError:
        return 0
    if handle < 0:
        return 0
    try:
        if not _runs_a_supervisor(pid):
            return 0
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)
    return pid


def _runs_a_supervisor(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return MODULE.encode() in words

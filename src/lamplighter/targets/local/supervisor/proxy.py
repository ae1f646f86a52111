"""The gateway's process: started, adopted, started again on the same port when it ends, shown its table."""

import asyncio
import resource
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGTERM

import msgspec

from lamplighter.targets.local.gateway.bootstrap import ADMIN_SOCKET
from lamplighter.targets.local.gateway.command import command, failure
from lamplighter.targets.local.gateway.files import BOOTSTRAP, put, render, write
from lamplighter.targets.local.gateway.holding import can_hold
from lamplighter.targets.local.gateway.table import Table
from lamplighter.targets.local.supervisor.children import Children, Ended
from lamplighter.targets.local.supervisor.ports import can_listen
from lamplighter.targets.local.supervisor.processes import Identity
from lamplighter.targets.local.supervisor.protocol import SeenGateway
from lamplighter.targets.local.supervisor.pulse import EVERY_S, Pulse

KEY = "gateway"
"""Its key among the children and its name in hints; no replica has it, since theirs end in a number."""

BACKOFF_FIRST_S, BACKOFF_LAST_S = 0.05, 2.0
"""Between an end and the next start: short enough to be back within a second, doubled while it helps not."""
STEADY_S = 1.0
"""A gateway that has run for this long had come up: the next start gets the shortest back-off again."""
MISSING_LOOKS = 3
"""Looks in a row that must find its files missing; a start takes less than that to make its socket."""
FILES_SPARE = 2000
"""Of the files that the gateway may open: for its own, and for asking the activator."""
_STOP_S = 3.0
_LAST_WORDS_BYTES = 2048
_IN_FLIGHT_DEADLINE_S = 1.0


class Gateway:
    """One Envoy, its folder and its table."""

    def __init__(self, folder: Path, log: Path, env: dict[str, str], children: Children) -> None:
        """Take where it lives; nothing is started.

        Args:
            folder: holds its files; it runs in there.
            log: what it writes goes there.
            env: its environment, with our marks.
            children: where it is watched.
        """
        self.identity: Identity | None = None
        self.since = 0.0
        self.fault = ""
        self.restarts = 0
        self._folder = folder
        self._log = log
        self._env = env
        self._children = children
        self._backoff_s = BACKOFF_FIRST_S
        self._table: Table | None = None
        self._bootstrap = ""
        self._again: asyncio.TimerHandle | None = None
        self._asked: asyncio.Future[dict[str, int] | None] | None = None
        self._stuck = ""
        self._changed: Callable[[], None] = lambda: None
        self._lost: Callable[[], None] = lambda: None

    def on_change(self, changed: Callable[[], None], lost: Callable[[], None]) -> None:
        """Set what is called when its process came or went, and when its files were deleted."""
        self._changed, self._lost = changed, lost

    def adopt(self, identity: Identity, since: float) -> bool:
        """Take up the process that an earlier supervisor started, if it still lives."""
        if not self._children.adopt(KEY, identity):
            return False
        self.identity, self.since = identity, since
        return True

    def show(self, table: Table) -> None:
        """Give it a table, and start it if it does not run.

        New listeners need a new process: the old one ends, and the next starts at once. A bootstrap that
        is otherwise another than the running process was started with is of another version: it waits for
        the next start, since a restart would refuse requests.

        Raises:
            OSError: its files cannot be written; it goes on with what it has.
        """
        self._table = table = _affordable(table)
        files = render(table)
        self._bootstrap = files.pop(BOOTSTRAP)
        write(self._folder, files)
        if self.identity is None:
            self._start_soon(0.0)
        elif self._needs_start(table):
            put(self._folder / BOOTSTRAP, self._bootstrap)
            self._backoff_s = 0.0
            self._children.signal(KEY, SIGTERM)

    def _needs_start(self, table: Table) -> bool:
        """Return whether the running process, started with the bootstrap on disk, cannot serve this table."""
        public, internal = (table.host, table.port), table.internal_port or 0
        if self._on_disk("public") != public or self._on_disk("internal")[1] != internal:
            return True
        holds = any(each.wait_s is not None for each in table.backends)
        return holds and not can_hold((self._folder / BOOTSTRAP).read_text(encoding="utf-8"))

    def may_listen(self, table: Table) -> bool:
        """Return whether the listener is ours already, or its address could be bound now."""
        if self._table is not None and (self._table.host, self._table.port) == (table.host, table.port):
            return True
        if self.identity is not None and self._on_disk("public") == (table.host, table.port):
            return True
        return can_listen(table.host, table.port)

    def internal_port_on_disk(self) -> int:
        """Return the internal port of the files that an earlier supervisor wrote; 0 for none."""
        return self._on_disk("internal")[1]

    def _on_disk(self, listener: str) -> tuple[str, int]:
        try:
            files = msgspec.json.decode((self._folder / BOOTSTRAP).read_bytes())
            listeners = {each["name"]: each for each in files["static_resources"]["listeners"]}
            address = listeners[listener]["address"]["socket_address"]
            return str(address["address"]), int(address["port_value"])
        except (OSError, ValueError, LookupError, TypeError):
            return "", 0

    def ended(self, ended: Ended) -> None:
        """Note that its process is gone, and have another started."""
        lived_s = time.monotonic() - self.since
        self.identity = None
        why = self._stuck or failure(_end(self._log)).message
        self.fault, self._stuck = f"the gateway ended ({_words(ended)}): {why}", ""
        self._backoff_s = BACKOFF_FIRST_S if lived_s > STEADY_S else self._backoff_s
        self._children.release(KEY)
        self._start_soon(self._backoff_s)
        self._backoff_s = min(max(self._backoff_s * 2, BACKOFF_FIRST_S), BACKOFF_LAST_S)
        self._changed()

    async def watched(self) -> None:
        """End it whenever it lives and is of no use, so that another is started; does not return.

        1. It serves nobody: see `Pulse`.
        2. Its files or its admin socket were deleted under it (cleaners of /dev/shm do that): it can
           neither be told of changes nor asked any more, and nothing but a new start gives it that back.

        One that has just started is given time: what was found of it before does not count.
        """
        pulse, missing = Pulse(0), 0
        while True:
            await asyncio.sleep(EVERY_S)
            pid, port = self.identity.pid if self.identity else 0, self.seen().internal_port
            if pulse.pid != pid or not port:
                pulse, missing = Pulse(pid), 0
                continue
            self._stuck = await pulse.silent(port)
            missing = 0 if self._has_files() else missing + 1
            if missing and missing % MISSING_LOOKS == 0:
                self._stuck = "its files had been deleted"
                self._lost()
            if self._stuck and pid:
                self._children.signal(KEY, SIGKILL if missing == 0 else SIGTERM)

    def _has_files(self) -> bool:
        return all((self._folder / each).exists() for each in (BOOTSTRAP, ADMIN_SOCKET))

    async def stop(self) -> None:
        """End it for good."""
        self._table = None
        if self._again is not None:
            self._again.cancel()
        self._children.signal(KEY, SIGTERM)
        if not await self._children.gone(KEY, _STOP_S):
            self._children.signal(KEY, SIGKILL)
            await self._children.gone(KEY, _STOP_S)
        for each in self._folder.glob("*.sock"):
            each.unlink(missing_ok=True)

    async def in_flight(self) -> dict[str, int] | None:
        """Return the requests in flight by replica, None while it does not say.

        Asked in a thread, so that nothing else waits; what is read while one drains serves all.
        """
        if self.identity is None:
            return None
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(asyncio.to_thread(_in_flight, self._folder))
        return await asyncio.shield(self._asked)

    def seen(self) -> SeenGateway:
        """Return how it stands."""
        return SeenGateway(
            port=self._table.port if self._table else 0,
            internal_port=(self._table.internal_port or 0) if self._table else 0,
            pid=self.identity.pid if self.identity else None,
            since=self.since,
            restarts=self.restarts,
            fault=self.fault,
        )

    def _start_soon(self, delay_s: float) -> None:
        if self._again is not None:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(delay_s, self._start)

    def _start(self) -> None:
        self._again = None
        if self._table is None or self.identity is not None:
            return
        (self._folder / ADMIN_SOCKET).unlink(missing_ok=True)
        try:
            put(self._folder / BOOTSTRAP, self._bootstrap)
            argv = tuple(command())
            self.identity = self._children.spawn(KEY, argv, self._folder, self._env, self._log)
        except OSError as error:
            self.fault = f"the gateway cannot be started: {error}"
            self._start_soon(BACKOFF_LAST_S)
            return
        self.restarts += 1 if self.since else 0
        self.since, self.fault = time.monotonic(), ""
        self._changed()


def _in_flight(folder: Path) -> dict[str, int] | None:
    """Ask; the client for it is only loaded once something drains."""
    from lamplighter.targets.local.gateway import admin, statistics  # noqa: PLC0415 - see above

    try:
        reading = statistics.read(folder, _IN_FLIGHT_DEADLINE_S)
    except admin.GatewayUnavailableError:
        return None
    services = reading.services.values()
    return {each.id: each.in_flight for service in services for each in service.endpoints.values()}


def _affordable(table: Table) -> Table:
    """Bound the clients so that each can have a file for itself and one for a replica, with some to spare.

    A gateway without a file to open takes no connection at all any more, not even to be asked if it lives.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return table
    most = min(table.connections_max, max(files - FILES_SPARE, files // 2) // 2)
    return msgspec.structs.replace(table, connections_max=most)


def _end(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LAST_WORDS_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _words(ended: Ended) -> str:
    if ended.signal is not None:
        return f"signal {ended.signal}"
    return "cause not known" if ended.code is None else f"exit code {ended.code}"

"""A system that is really up, with traffic that is counted, on which faults are tried.

`lamp up` as a user runs it, with its maintainer, its supervisor, its Envoy and its replicas as processes.
"""

import http.client
import itertools
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.acceptance.cli.conftest import Prototype
from tests.acceptance.local.site import holders

from lamplighter.app.client import Client
from lamplighter.app.reading import status_from_stores
from lamplighter.app.views import Status
from lamplighter.model.errors import LampError
from lamplighter.model.facts import Replica
from lamplighter.targets.local.supervisor import room
from lamplighter.targets.local.supervisor.core import site_mark
from lamplighter.targets.local.supervisor.processes import Marked, marked

APP = Path(__file__).with_name("app.py")
SPEC = """version: 1
system: NAME
gateway: {port: PORT}
services:
  web:
    command: exec PYTHON app.py
    env: {ORDERS: "ORDERS_FOLDER"}
    replicas: {min: 2, max: 4}
    health: {path: /healthz, start_timeout: 30s, unhealthy_after: 1s}
    resilience: {timeout: 2s}
    route: /
    drain: 2s
    rollout: {steps: [100%], bake: 0s}
"""
WITHIN_S = 60.0
"""Far more than anything here takes, for a machine that has other things to do."""


class Rig(Prototype):
    """A prototype whose replicas can be told to misbehave."""

    def __init__(self, folder: Path, spec: str = SPEC) -> None:
        """Write app and spec; start nothing."""
        super().__init__(folder)
        self.orders = folder / "orders"
        self.orders.mkdir()
        shutil.copy(APP, self.folder / "app.py")
        self.write_spec(spec.replace("PYTHON", sys.executable).replace("ORDERS_FOLDER", str(self.orders)))

    @property
    def name(self) -> str:
        """The system's name."""
        return f"cli-{self.port}"

    @property
    def home(self) -> Path:
        """The system's state folder."""
        return self.state / self.name

    def up(self, *words: str, **env: str) -> None:
        """Bring it up, and insist on it."""
        ran = self.lamp("up", "-d", "-y", *words, **env)
        assert 0 == ran.code, ran.out + ran.err

    def seen(self) -> Status:
        """Return the status: from the maintainer, or from the stores without one."""
        try:
            return Client(self.home, timeout_s=2.0).status()
        except LampError:
            return status_from_stores(self.home, self.name)

    def order(self, replica: str, word: str) -> None:
        """Have a replica misbehave from its next request on."""
        (self.orders / replica).write_text(word)

    def replicas(self) -> dict[str, Replica]:
        """Return the live replicas by id."""
        return {each.id: each for each in self.seen().replicas if each.phase == "running"}

    def running(self) -> dict[str, int]:
        """Return the pids of the live replicas by id."""
        return {name: each.pid or 0 for name, each in self.replicas().items()}

    def pid(self, replica: str) -> int:
        """Return the pid of a replica that lives."""
        return self.running()[replica]

    def ready(self) -> set[str]:
        """Return the replicas that are ready, if nothing is on its way; else none."""
        found = self.seen()
        if found.pending:
            return set()
        return {each.id for each in found.replicas if each.phase == "running" and each.ready}

    def whole(self, without: str = "") -> bool:
        """Whether two replicas are ready and `without` is none of them."""
        return len(self.ready() - {without}) >= 2 and without not in self.ready()

    def maintainer(self) -> int:
        """Return the maintainer's pid."""
        holder = self.seen().holder
        return holder.pid if holder else 0

    def supervisor(self) -> int:
        """Return the supervisor's pid, 0 if none lives."""
        return next(iter(holders(self.home / "supervisor" / "lock")), 0)

    def gateway(self) -> int:
        """Return the pid of Envoy, 0 if none lives."""
        return next((each.pid for each in self.processes() if "LAMP_GATEWAY" in each.marks), 0)

    def processes(self) -> list[Marked]:
        """Return all processes that belong to the system."""
        return marked(site_mark(self.home))

    def living(self) -> set[str]:
        """Return the replicas that have a process, whatever is known of their health."""
        return {each.marks["LAMP_REPLICA"] for each in self.processes() if "LAMP_REPLICA" in each.marks}

    def kill_all(self) -> None:
        """End everything without asking; for a test that failed."""
        with suppress(Exception):
            kill(self.maintainer())
        for pid in [self.supervisor(), *(each.pid for each in self.processes())]:
            kill(pid)
        room.leave(self.home / "gateway", self.home / "logs")


@contextmanager
def rigged(
    folder: Path, spec: str = SPEC, *, inside: Callable[[Callable[[], None]], None] = lambda act: act()
) -> Iterator[Rig]:
    """Give a system that is up; leave nothing of it, and insist that `lamp down` does.

    Args:
        folder: where.
        spec: of what.
        inside: does what it is given, under whatever the system is to run under.
    """
    rig = Rig(folder, spec)
    try:
        inside(rig.up)
        yield rig
        ran = rig.lamp("down", "--wait", "60")
        assert (0, []) == (ran.code, rig.processes()), ran.err
    finally:
        rig.kill_all()


class Asked(NamedTuple):
    """One request: when it was sent, how long it took, and what became of it."""

    at: float
    took_s: float
    fate: str


class Traffic:
    """GETs at a steady pace from a few threads, each on a connection of its own."""

    def __init__(self, port: int, *, per_s: float = 40.0, path: str = "/") -> None:
        """Begin to send.

        Args:
            port: the gateway's.
            per_s: requests a second, as long as each is answered quickly.
            path: what is asked for.
        """
        self._port, self._path = port, path
        self._pause_s = 4 / per_s
        self._ended = threading.Event()
        self.asked: list[Asked] = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(4)]
        for each in self._threads:
            each.start()

    def fates(self, since: float = 0.0) -> Counter[str]:
        """Return how many requests had which fate: ok, refused, reset, late, or a status."""
        return Counter(each.fate for each in tuple(self.asked) if each.at >= since)

    def end(self) -> Counter[str]:
        """Send no more, wait for what is under way, and return all fates."""
        self._ended.set()
        for each in self._threads:
            each.join()
        return self.fates()

    def gap_s(self) -> float:
        """Return the longest time between two answers that were good."""
        ends = sorted(each.at + each.took_s for each in tuple(self.asked) if each.fate == "ok")
        return max((b - a for a, b in itertools.pairwise(ends)), default=0.0)

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            fate = self._ask()
            self.asked.append(Asked(began, time.monotonic() - began, fate))
            self._ended.wait(max(0.0, began + self._pause_s - time.monotonic()))

    def _ask(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        try:
            connection.request("GET", self._path)
            answer = connection.getresponse()
            answer.read()
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "late"
        except (OSError, http.client.HTTPException):
            return "reset"
        finally:
            connection.close()
        return "ok" if answer.status == http.HTTPStatus.OK else str(answer.status)


@contextmanager
def traffic(rig: Rig, **options: Any) -> Iterator[Traffic]:
    """Keep traffic up while the body runs."""
    sent = Traffic(rig.port, **options)
    try:
        yield sent
    finally:
        sent.end()


def until(holds: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> float:
    """Wait until something holds; return how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


def kill(pid: int) -> None:
    """SIGKILL exactly one process, if it is there."""
    with suppress(ProcessLookupError):
        send(pid, signal.SIGKILL)


def send(pid: int, number: signal.Signals) -> None:
    """Signal exactly one process; a number that stands for many is a mistake of the test."""
    if pid <= 1:
        raise ProcessLookupError(f"there is no process {pid}")
    os.kill(pid, number)


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False

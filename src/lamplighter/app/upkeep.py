"""Upkeep: having a maintainer, asking it for things, and waiting until they have come about."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lamplighter import __version__
from lamplighter.adapters.clock import SystemClock
from lamplighter.app import reading
from lamplighter.app.answering import required
from lamplighter.app.client import Client
from lamplighter.app.places import prepare, refuse_full
from lamplighter.app.views import Status, WorkloadView
from lamplighter.app.wiring import LOCAL, local_target
from lamplighter.model import errors
from lamplighter.model.errors import (
    BackendError,
    ConflictError,
    EnvironmentFault,
    HeldError,
    LampError,
    OwnedError,
    UnreachableError,
    UserError,
)
from lamplighter.model.intents import Intent
from lamplighter.model.system import Service, System
from lamplighter.targets.local.installation import mark, newer

START_S = 30.0
"""A maintainer that does not answer by then is given up; an idle machine takes 0.5 s."""
END_S = 15.0
"""For a maintainer to end when told to: it finishes what it is applying, which takes seconds at the most."""
LOOK_S = 0.2
GONE_S = 2.0
"""A maintainer that nobody listens for so long is followed by another; one that hands over takes 0.5 s."""
OUTPUT = "maintainer.out"
ALLOCATOR = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "262144"}
"""One heap for all threads, and what is large outside of it, given back when it is freed (mallopt(3)). Else
the heap grew by a megabyte now and then while what was used of it did not: each large buffer was freed into
it, split up by small ones, and the next one found no room."""
NEEDS_A_PERSON = "needs-a-person"
FROZEN = "frozen: "
"""How the reason begins for which a guard holds something back for days rather than seconds."""

Seen = Callable[[Status], None]


class Standing(NamedTuple):
    """How far a system has come: whether all is as wanted, and what is still missing, in words."""

    settled: bool
    missing: str


def ensure_maintainer(state: Path, system: str) -> Client:
    """Return a client of the system's maintainer, which is started if there is none.

    Raises:
        OwnedError: one holds the system and does not answer (`maintainer-silent`), or another command has
            just started one. EnvironmentFault, HeldError: it cannot start.
    """
    client = required(state, system)
    if client.running():
        return client
    prepare(state)
    process = _spawn(state, system)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if client.running():
            return client
        if process.poll() is not None:
            raise _died(process.returncode, state)
        time.sleep(LOOK_S / 4)
    raise UnreachableError(f"the maintainer did not answer within {START_S:.0f} s", code="no-maintainer")


def take_over(state: Path, say: Callable[[str], None]) -> None:
    """End a maintainer that another installation runs, so that one of this can follow; traffic goes on.

    Raises:
        EnvironmentFault: it is of a newer version (`maintainer-newer`). OwnedError: it does not end.
    """
    try:
        status = Client(state).status()
    except UnreachableError:
        return
    holder, version = status.holder, status.version or "0.1.0"
    if holder is None or status.mark == mark():
        return
    if newer(version):
        raise errors.EnvironmentFault(
            f"version {version} maintains this system (pid {holder.pid}), and this is {__version__}",
            code="maintainer-newer",
            mend=f"use version {version}, or upgrade lamplighter here",
        )
    say(f"taking over from the maintainer of version {version} (pid {holder.pid}); what runs goes on")
    if not _ended(holder.pid):
        raise OwnedError(
            f"the maintainer (pid {holder.pid}) has not ended within {END_S:.0f} s of being told to",
            code="owned",
            mend=f"try again; or end it with kill -9 {holder.pid}: what runs goes on, and is taken up",
        )


def _ended(pid: int) -> bool:
    """Tell a process to end; return whether it has within `END_S`."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        return bool(select.select([handle], [], [], END_S)[0])
    except ProcessLookupError:
        return True
    finally:
        os.close(handle)


def ask(client: Client, intent: Intent) -> None:
    """Submit an intent; return once the loop has taken it.

    Raises:
        ConflictError: the facts have changed (`facts-changed`). HeldError: it could not be recorded.
        UserError: it was refused, and why.
    """
    answer = client.submit(intent)
    if answer.accepted:
        return
    kinds = (ConflictError, HeldError)
    kind = next((each for each in kinds if each.code == answer.code), UserError)
    raise kind(answer.detail, code=answer.code, mend="`lamp status` shows how things stand")


def wait(
    looked: Iterator[Status | None], until: Callable[[Status], Standing], wait_s: float, seen: Seen
) -> Status:
    """Look at a system until it has come to where it should, showing each look to `seen`.

    Args:
        looked: the looks, as of `looks` or `maintained`.
        until: says how far the system has come.
        wait_s: the longest wait.
        seen: what each look is shown to.

    Raises:
        BackendError: it has not within `wait_s` (`not-settled`); the maintainer goes on with it.
    """
    deadline = time.monotonic() + wait_s
    missing = "no answer from the maintainer"
    for status in looked:
        if status is not None:
            seen(status)
            settled, missing = until(status)
            if settled:
                return status
        if time.monotonic() > deadline:
            break
    raise BackendError(
        f"not there after {wait_s:.0f} s: {missing}",
        code="not-settled",
        mend="the maintainer goes on with it; `lamp status` and `lamp ledger` show how it stands",
    )


def looks(client: Client) -> Iterator[Status | None]:
    """Yield the status again and again; None while no maintainer answers."""
    while True:
        try:
            yield client.status()
        except UnreachableError:
            yield None
        time.sleep(LOOK_S)


def maintained(client: Client, state: Path, say: Callable[[str], None]) -> Iterator[Status | None]:
    """Yield the status again and again, as `looks` does; who dies meanwhile is followed by another.

    What the dead one had taken is on record, so its successor goes on with it.

    Raises:
        ConflictError: the system was taken down meanwhile (`taken-down`). EnvironmentFault, HeldError: no
            other can be started.
    """
    heard = time.monotonic()
    for status in looks(client):
        if status is not None or client.running():
            heard = time.monotonic()
        elif time.monotonic() - heard > GONE_S:
            if _has_stopped(state):
                raise ConflictError("the system was taken down meanwhile", code="taken-down")
            say("the maintainer has ended; starting another, which goes on where it was")
            with contextlib.suppress(OwnedError):
                ensure_maintainer(state, state.name)
            heard = time.monotonic()
        yield status


def wait_until_down(state: Path, client: Client, wait_s: float, seen: Seen) -> None:
    """Wait until everything of a system has ended, its maintainer included.

    Raises:
        BackendError: it has not within `wait_s` (`not-settled`).
    """
    deadline = time.monotonic() + wait_s
    target = local_target(state, state.name, SystemClock())
    for status in looks(client):
        if status is not None:
            seen(status)
        elif _has_stopped(state) and not target.remains():
            return
        if time.monotonic() > deadline:
            break
    raise BackendError(
        f"not all has ended after {wait_s:.0f} s",
        code="not-settled",
        mend="`lamp status` shows what is left; `lamp down` again goes on with it",
    )


def _has_stopped(state: Path) -> bool:
    """Return whether the last that was recorded is that all was taken down, by a maintainer now gone."""
    return reading.remembered(state)[0].stopped and not reading.maintainer_lives(state, state.name)


def nothing_up(state: Path, system: str) -> bool:
    """Return whether there is nothing to take down: none was ever up, or all of it has been taken down."""
    history, _, clock = reading.remembered(state)
    down = history.system is None or history.stopped
    return down and not reading.observe(state, system, clock).replicas


def end_leftovers(state: Path, system: str, wait_s: float) -> bool:
    """End what runs of a system whose state was deleted; return whether there was anything.

    Raises:
        BackendError: it has not ended within `wait_s` (`not-settled`).
    """
    target = local_target(state, system, SystemClock())
    if not target.leftovers():
        return False
    prepare(state)
    try:
        asyncio.run(asyncio.wait_for(target.end_leftovers(), wait_s))
    except TimeoutError as error:
        raise BackendError(f"not all has ended after {wait_s:.0f} s", code="not-settled") from error
    return True


def end_idle_maintainer(state: Path) -> None:
    """End a maintainer that has nothing to maintain, if one runs."""
    try:
        holder = Client(state).status().holder
    except UnreachableError:
        return
    if holder is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGTERM)


def deployed(system: System, releases: dict[str, str], status: Status) -> Standing:
    """Say whether every service of a system has met its fate: on its release with all ready, or given up.

    Raises:
        GivenUpError: all has settled, and a release was given up (`rollout-failed`).
    """
    handed = _handed_over(status)
    fates = _fates(system, releases, {each.name: each for each in status.workloads}, handed)
    pending = [each for each in status.pending if each.decision.subject.partition("/")[0] not in handed]
    held = [why for each in status.waiting for why in each.reasons if why.startswith(FROZEN)]
    left = [each.missing for each in fates.values() if each.missing]
    if not left and pending:
        left = [f"{len(pending)} actions under way"]
    if status.asked:
        return Standing(settled=True, missing="an action waits for a person: see `lamp status`")
    if left and held and not pending:
        return Standing(settled=True, missing=f"held back: {held[0]}")
    if not left and any(each.given_up for each in fates.values()):
        raise GivenUpError({name: each.told for name, each in fates.items()}, _given_up(fates))
    return Standing(settled=not left, missing=", ".join(left))


class _Fate(NamedTuple):
    """What becomes of one service: `told` in words; `missing` while it is on its way; `given_up` if it is.

    `serves`: whether those that need it may go on.
    """

    told: str
    missing: str = ""
    given_up: str = ""
    serves: bool = True


class GivenUpError(BackendError):
    """A release was given up, or does not stay up; what became of the others is told, too."""

    code = "rollout-failed"

    def __init__(self, told: dict[str, str], given_up: dict[str, str]) -> None:
        """Take each service's fate in words, and why those that were given up were."""
        super().__init__(
            "; ".join((*given_up.values(), *(told[each] for each in told if each not in given_up)))
        )
        self._told, self._given_up = told, given_up

    def faults(self) -> tuple[errors.Fault, ...]:
        """Return one fault for each that was given up; the last one tells of the others, too."""
        *before, last = self._given_up
        others = [text for name, text in self._told.items() if name not in self._given_up]
        words = {name: self._given_up[name] for name in before}
        words[last] = "; ".join((self._given_up[last], *others))
        return tuple(
            errors.Fault(
                code=self.code,
                message=words[name],
                mend=f"`lamp logs {name}` shows what it wrote; a release that was stable before goes on",
            )
            for name in words
        )


def _given_up(fates: dict[str, _Fate]) -> dict[str, str]:
    return {name: each.given_up for name, each in fates.items() if each.given_up}


def _handed_over(status: Status) -> dict[str, str]:
    """Return the services that repair has handed to a person, and why."""
    owners = {each.id: each.workload for each in status.replicas}
    found = (each for each in status.findings if each.kind == NEEDS_A_PERSON)
    return {owners.get(each.subject, each.subject): each.message for each in found}


def _fates(
    system: System, releases: dict[str, str], views: dict[str, WorkloadView], handed: dict[str, str]
) -> dict[str, _Fate]:
    """Return each service's fate. One that needs what will not come is not waited for."""
    fates = {
        name: _fate(each, views.get(name), releases.get(name, "")) for name, each in system.services.items()
    }
    for name, why in handed.items():
        view = views.get(name)
        if (
            name in fates
            and fates[name].missing
            and view is not None
            and view.stable in ("", releases.get(name))
        ):
            words = f"release {releases.get(name, '')} of {name} does not stay up: {why}"
            fates[name] = _Fate(words, given_up=words, serves=view.ready > 0)
    for _ in fates:
        gone = {name for name, each in fates.items() if not each.serves and not each.missing}
        for name, each in fates.items():
            wanting = gone.intersection(system.services[name].needs)
            if each.missing and wanting:
                fates[name] = _Fate(f"{name} waits for {', '.join(sorted(wanting))}", serves=False)
    return fates


def _fate(service: Service, view: WorkloadView | None, release: str) -> _Fate:
    name = service.name
    if view is None:
        return _Fate("", missing=f"{name} has not been taken up")
    rollout = view.rollout
    if rollout is not None and rollout.candidate == release and rollout.verdict in ("failed", "rolled-back"):
        why = f"release {release} of {name} was given up: {rollout.reason}"
        return _Fate(why, given_up=why, serves=view.ready > 0)
    if release and view.stable != release:
        return _Fate("", missing=f"{name} is on its way to {release}")
    wanted = sum(view.wanted.values())
    if not (wanted or view.capacity or view.live) and view.stable:
        return _Fate(f"{name} is on {view.stable}, at zero until it is asked for")
    if view.ready >= wanted > 0:
        return _Fate(f"{name} is on {view.stable}, {view.ready} ready")
    if wanted == 0 == service.replicas.min:
        return _Fate(f"{name} is on {view.stable}, at zero until it is asked for")
    return _Fate("", missing=f"{name} has {view.ready} of {wanted} ready")


def _spawn(state: Path, system: str) -> subprocess.Popen[bytes]:
    """Start a maintainer that outlives this process; what it says goes into a file.

    Raises:
        EnvironmentFault: no process, descriptor or memory is to be had (`maintainer-not-started`).
        HeldError: the disk is full.
    """
    command = [sys.executable, "-m", "lamplighter.faces.http"]
    command += ["--state", str(state), "--system", system, "--target", LOCAL]
    try:
        (state / "logs").mkdir(exist_ok=True)
        with (state / "logs" / OUTPUT).open("wb") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=state,
                env={**os.environ, **ALLOCATOR},
            )
    except OSError as error:
        refuse_full(state, error)
        raise EnvironmentFault(
            f"the maintainer cannot be started: {error.strerror}",
            code="maintainer-not-started",
            mend="see how many processes and files this user may have: ulimit -a",
        ) from error


def _died(code: int, state: Path) -> LampError:
    """Return why a maintainer ended, as the error that its exit code stands for."""
    said = (state / "logs" / OUTPUT).read_text(errors="replace").strip()
    head, _, mend = said.partition("\n  mend: ")
    name, _, message = head.partition(": ")
    tree = (errors.EnvironmentFault, errors.HeldError, errors.OwnedError, errors.UserError)
    kind = next((each for each in tree if each.exit_code == code), BackendError)
    if kind is BackendError:
        return kind(f"the maintainer ended with code {code}: {said[-800:]}", code="maintainer-ended")
    return kind(message or said, code=name, mend=mend)

"""The maintainer: the process that holds a system's lease and runs its loop and its API.

Takes the lease before it touches anything, takes up where the recording ends, and ends by letting go:
workloads, supervisor and gateway go on without it. Which target and which face it serves are given to it.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lamplighter import __version__
from lamplighter.adapters import clock as clocks
from lamplighter.adapters import ledger as ledgers
from lamplighter.adapters import recordings as recorders
from lamplighter.adapters.events import EventLog, LibraryLog
from lamplighter.adapters.lease import SqliteLeases
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.app.client import SOCKET
from lamplighter.app.places import prepare
from lamplighter.app.running import Running
from lamplighter.app.sockets import listening
from lamplighter.engine.deciding import Revalidate, Step
from lamplighter.engine.loop import Loop
from lamplighter.engine.records import last_pass
from lamplighter.engine.revalidate import revalidate
from lamplighter.engine.step import resting
from lamplighter.engine.terms import Pace, Terms
from lamplighter.model.errors import FencedError, HeldError, LampError, OwnedError
from lamplighter.ports import Clock, Lease, Target

LOG = "maintainer.log"
COLLECT_AFTER = 50_000
"""New objects that may be part of a cycle before the collector looks at them."""
COLLECT_S, COLLECT_SHARE = 60.0, 0.001
"""How often it looks at all but what there was at the start, and the share of the time that this may take: in
a small system there are never that many. Each connection to the API leaves some (a transport of asyncio's
refers to itself), and only this empties CPython's lists of unused tuples, which grow to 5 MiB otherwise."""
ANCHOR_S = 60.0
"""How often the head of the ledger is copied outside of it."""

TargetFactory = Callable[[Path, str, Clock], Target]
"""Makes the target of a system: from its state folder, its name and its time line."""
Serve = Callable[[Running, socket.socket], Awaitable[None]]
"""Serves the API on a listening socket until it is cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What one maintainer is to look after, and with what."""

    state: Path
    system: str
    target: TargetFactory
    serve: Serve
    step: Step = field(default_factory=resting)
    revalidate: Revalidate = revalidate
    pace: Pace = field(default_factory=Pace)
    anchor_s: float = ANCHOR_S
    limits: recorders.Limits = field(default_factory=recorders.Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stores:
    """Everything that is open for as long as the maintainer lives. `reader` is the ledger, to read only."""

    ledger: SqliteLedger
    reader: SqliteLedger
    recordings: SqliteRecordings
    leases: SqliteLeases
    lease: Lease
    clock: Clock
    log: EventLog


async def maintain(post: Post) -> None:
    """Maintain a system until SIGTERM or SIGINT, or until everything of it has been taken down.

    Raises:
        EnvironmentFault: the state folder cannot be written, or a store is damaged.
        OwnedError: another maintainer holds the system, now or since a moment ago.
        HeldError: the disk is so full that not even the lease can be taken.
    """
    prepare(post.state)
    with _opened(post) as stores, ThreadPoolExecutor(1, thread_name_prefix="records") as threads:
        target = post.target(post.state, post.system, stores.clock)
        terms = Terms(
            system=post.system,
            step=post.step,
            revalidate=post.revalidate,
            token=stores.lease.token,
            held=lambda: _held(stores, post.state),
            pace=post.pace,
            log=stores.log,
            threads=threads,
        )
        loop = Loop(target, stores.clock, stores.ledger, stores.recordings, terms)
        _told(stores, "started", pid=os.getpid(), token=stores.lease.token, version=__version__)
        spare_the_collector()
        running = Running(post.system, loop, target, stores.clock, stores.reader)
        try:
            await _run(post, stores, loop, running)
        finally:
            _told(stores, "stopped", pid=os.getpid(), token=stores.lease.token)


def spare_the_collector() -> None:
    """Let the garbage collector make its rounds rarely, and over what is new only.

    What a maintainer holds for long are values, which are never garbage in cycles; going over all of it every
    few hundred objects would cost a large system more than its passes. What there is by now stays.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)


def _held(stores: _Stores, state: Path) -> bool:
    """Return whether the lease is ours still; it went with the state folder if somebody deleted that."""
    if not (state / ledgers.FILE).exists():
        return False
    return SqliteLeases(stores.reader.database, stores.clock).held(stores.lease)


async def _run(post: Post, stores: _Stores, loop: Loop, running: Running) -> None:
    """Run loop, API and anchors side by side; the loop's end is the end of all."""
    ended: LampError | None = None
    path = post.state / SOCKET
    listener = listening(path)
    own = _made(path)
    with _signals(loop.stop):
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(_served(post.serve(running, listener))),
                group.create_task(_anchored(post, stores)),
                group.create_task(_collected()),
            ]
            try:
                await loop.run()
            except LampError as error:
                ended = error
            finally:
                for each in beside:
                    each.cancel()
                _unlink(path, own)
    if isinstance(ended, FencedError):
        raise OwnedError(
            f"a newer maintainer acts on this system: {ended.message}",
            code=ended.code,
            mend="nothing to do: the newer maintainer goes on",
        ) from ended
    if ended is not None:
        raise ended


def _made(path: Path) -> tuple[int, int]:
    """Return what tells a file from another of the same name: its number alone is given out again."""
    found = path.stat()
    return found.st_ino, found.st_ctime_ns


def _unlink(path: Path, own: tuple[int, int]) -> None:
    """Remove our socket; one that a successor has made in its place stays."""
    with contextlib.suppress(OSError):
        if _made(path) == own:
            path.unlink()


async def _served(serving: Awaitable[None]) -> None:
    await serving


async def _collected() -> None:
    took_s = 0.0
    while True:
        await asyncio.sleep(max(COLLECT_S, took_s / COLLECT_SHARE))
        began = time.monotonic()
        gc.collect()
        took_s = time.monotonic() - began


async def _anchored(post: Post, stores: _Stores) -> None:
    while True:
        await asyncio.sleep(post.anchor_s)
        await asyncio.to_thread(_anchor, post.state, stores)


def _anchor(state: Path, stores: _Stores) -> None:
    try:
        made = stores.reader.anchor(state / ledgers.ANCHORS)
    except HeldError as error:
        stores.log("anchor-lost", why=error.message)
        return
    if made is not None:
        stores.log("ledger-anchor", number=made.number, digest=made.digest)


@contextlib.contextmanager
def _opened(post: Post) -> Iterator[_Stores]:
    """Open the stores, the lease first: whoever does not get it has touched nothing."""
    wall = clocks.SystemClock()
    with contextlib.ExitStack() as stack:
        claim = SqliteLedger.open(post.state / ledgers.FILE, wall)
        stack.callback(claim.close)
        leases = SqliteLeases(claim.database, wall)
        lease = leases.acquire(post.system)
        stack.callback(_let_go, leases, lease)
        recordings = SqliteRecordings(post.state / recorders.FILE, limits=post.limits)
        stack.callback(recordings.close)
        clock = clocks.continued(recordings, recordings.last_at)
        ledger = SqliteLedger(claim.database, clock)
        recordings.continue_from(last_pass(ledger) + 1)
        reader = SqliteLedger.open(post.state / ledgers.FILE, clock, read_only=True)
        stack.callback(reader.close)
        stores = _Stores(
            ledger=ledger,
            reader=reader,
            recordings=recordings,
            leases=leases,
            lease=lease,
            clock=clock,
            log=EventLog(post.state / "logs" / LOG, clock),
        )
        stack.callback(_anchor, post.state, stores)
        library = LibraryLog(stores.log)
        logging.getLogger().addHandler(library)
        stack.callback(logging.getLogger().removeHandler, library)
        yield stores


def _let_go(leases: SqliteLeases, lease: Lease) -> None:
    with contextlib.suppress(LampError):  # a full disk: our death will be proof enough
        leases.release(lease)


def _told(stores: _Stores, event: str, **fields: object) -> None:
    """Put a line on the maintainer's own life into the log and the ledger, if there is room."""
    stores.log(f"maintainer-{event}", **fields)
    with contextlib.suppress(HeldError):
        stores.ledger.append(event, "maintainer", {"pass": stores.recordings.newest, **fields})


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """End cleanly at SIGTERM and SIGINT; a terminal that goes away is no reason to end."""
    running = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(each, stop)
    running.add_signal_handler(signal.SIGHUP, lambda: None)
    try:
        yield
    finally:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            running.remove_signal_handler(each)

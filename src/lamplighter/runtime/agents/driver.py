"""The driver of a real host: gives it the clock, its disk, threads and an event loop.

    messages ─▶ host.run ─▶ seal ─▶ sync in a thread ─▶ what the frame lets go
                   ▲                       │
                   └── the next frame ◀────┘

While one frame is synced the next one fills, so that under load many turns share a sync. A disk that fails
ends the host: nothing of the frame leaves, and whoever waits is told.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents.calls import Calls
from lamplighter.runtime.agents.host import Host
from lamplighter.runtime.agents.kinds import Kind
from lamplighter.runtime.agents.release import Release
from lamplighter.runtime.agents.store import Chore, Disk, DiskError, Sealed, Store
from lamplighter.runtime.agents.store.records import State
from lamplighter.runtime.agents.watch import Watch

TURNS_AT_ONCE = 50
"""Turns between two looks at the clock."""
RUN_S = 0.001
"""Time between two looks at the sockets and at a sync that has ended; else they wait behind what is queued.
With 0.004 s half a load's slowest hundredth of acknowledgements took 54 ms, with this 25 to 30 ms."""
COMMIT_GAP_S = 0.004
"""Frames follow each other no faster, so that turns share a sync, which costs as much as twenty of them."""
TURN_TIMEOUT_S = 10.0
"""How long a handler may run without giving way."""
PATIENCE_S = 0.25
"""How long a host that ends handles what it has accepted; what is left after that is kept as mail."""
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Place:
    """Which of several hosts one is; partitions are dealt out to them in turn.

    Args:
        number: from 0.
        hosts: how many there are.
        partitions: how many, on all hosts; the same as ever for a folder.
    """

    number: int = 0
    hosts: int = 1
    partitions: int = 64

    def own(self, host: int) -> range:
        """The partitions of a host."""
        return range(host, self.partitions, self.hosts)


def opened(disk: Disk, kinds: dict[str, Kind], place: Place, clock: Clock) -> Store:
    """Take a host's folder and recover what it holds. Blocks; may run in any thread.

    Raises:
        LampError: the folder is held by another, altered, or cannot be used.
    """
    return Store.open(
        disk,
        host=place.number,
        partitions=place.partitions,
        holder=f"process {os.getpid()}",
        expired=partial(_expired, kinds, clock),
    )


def _expired(kinds: dict[str, Kind], clock: Clock, state: State) -> bool:
    """Whether an agent has had no turn for as long as its kind allows."""
    kind = kinds.get(state.address.partition("/")[0])
    expires_s = kind.settings.expires_s if kind is not None else 0.0
    return bool(expires_s) and clock() - state.used_s > expires_s


class Driver:
    """One host at work in an event loop.

    Args:
        store: what the host's folder holds, opened.
        kinds: what may be an agent.
        place: which of the hosts this is.
        clock: wall time in seconds.
        turn_timeout_s: how long a handler may run without giving way.
        released: takes what a frame lets go besides calls; called in the loop.
    """

    def __init__(
        self,
        store: Store,
        kinds: dict[str, Kind],
        place: Place,
        *,
        clock: Clock,
        released: Callable[[Release], None],
        turn_timeout_s: float = TURN_TIMEOUT_S,
    ) -> None:
        self._clock = clock
        self._released = released
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(2, "lamplighter-journal")
        self.store = store
        mine = [store.partitions[partition] for partition in place.own(place.number)]
        self.host = Host(kinds, store.journal, mine, total=place.partitions, now=clock())
        self.calls = Calls(self.host, self.wake)
        self._watch = Watch(self.host.context, turn_timeout_s)
        self.host.context.adopt = self.calls.adopt
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Done when the host has ended; with the error if the disk has failed."""
        self._scheduled = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._gap: asyncio.TimerHandle | None = None
        self._sealed_at = 0.0
        self._woken_at: float | None = None
        self._chore: Chore | None = None
        self._durable: list[asyncio.Future[None]] = []
        self.wake()

    def wake(self) -> None:
        """Look for work that has come, in the loop's next round."""
        if self._woken_at is None:
            self._woken_at = self._loop.time()
        self._go_on()

    def _go_on(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._work)

    def durable(self) -> asyncio.Future[None]:
        """Return a future that is done when all that was submitted by now is durable."""
        future = self._loop.create_future()
        if self.ended.done():
            future.set_exception(self._why())
        else:
            self._durable.append(future)
            self.wake()
        return future

    async def close(self) -> None:
        """End in order: what was begun is made durable, turns that wait go on in the next life."""
        await self.calls.close()
        patience = self._loop.time() + PATIENCE_S
        while not self.ended.done() and (self.store.journal.syncing or not self._clean()):
            if self._loop.time() > patience and not self.store.journal.syncing:
                await self._last()
                break
            self.wake()
            await asyncio.sleep(COMMIT_GAP_S)
        self._closed = True
        self._watch.close()
        self.host.close()
        if self._timer is not None:
            self._timer.cancel()
        await self._loop.run_in_executor(None, self._threads.shutdown)
        if self.ended.done() and self.ended.exception() is not None:
            self.store.abandon()
            return
        self.store.close()
        if not self.ended.done():
            self.ended.set_result(None)

    async def _last(self) -> None:
        """Close the frame although there is more to do: what is accepted waits in it for the next life."""
        self._closed = True
        release, sealed = self.host.seal(), self.store.seal(self._clock())
        waiters, self._durable = self._durable, []
        if sealed is not None:
            try:
                await self._loop.run_in_executor(self._threads, self.store.journal.commit, sealed)
            except LampError as error:
                self._durable += waiters
                self._end(error)
                return
            self.store.journal.synced(sealed)
        release.calls.clear()
        self._let_go(release, waiters)

    def _clean(self) -> bool:
        return self.host.sealed and self.host.idle and self.store.journal.empty and not self._durable

    def _work(self) -> None:
        self._scheduled = False
        if self._closed or self.ended.done():
            return
        try:
            self.host.tick(self._clock())
            self._run()
            self._commit()
        except OSError as error:
            self._end(DiskError(f"the host's folder cannot be read: {error.strerror or error}"))
            return
        except LampError as error:
            self._end(error)
            return
        if not self.host.idle and not self.store.journal.full:
            self._go_on()
        self._set_alarm()

    def _run(self) -> None:
        """Take turns until there is nothing to do, or others are to be looked at."""
        until = self._loop.time() + RUN_S
        while self.host.run(TURNS_AT_ONCE) <= 0 and self._loop.time() < until:
            pass

    def _commit(self) -> None:
        """Close the frame if none is on its way, and not too soon after the one before."""
        journal = self.store.journal
        if journal.syncing:
            return
        if self.host.sealed and journal.empty and not self._durable:
            self._woken_at = None
            return
        due = self._sealed_at + COMMIT_GAP_S - self._loop.time()
        if due > 0 and not journal.full:
            if self._gap is None:
                self._gap = self._loop.call_later(due, self._gap_over)
            return
        self._sealed_at = self._loop.time()
        woken_at, self._woken_at = self._woken_at, None
        release = self.host.seal()
        sealed = self.store.seal(self._clock())
        waiters, self._durable = self._durable, []
        if sealed is None:
            self._let_go(release, waiters)
            return
        chore = self.store.chore()
        if chore is not None:
            self._chore = chore
        self.host.context.signals.queue.add(self._sealed_at - (woken_at or self._sealed_at))
        done = self._loop.run_in_executor(self._threads, self.store.journal.commit, sealed)
        done.add_done_callback(partial(self._committed, sealed, release, waiters))

    def _gap_over(self) -> None:
        self._gap = None
        self._go_on()

    def _committed(
        self,
        sealed: Sealed,
        release: Release,
        waiters: list[asyncio.Future[None]],
        done: asyncio.Future[None],
    ) -> None:
        if (error := done.exception()) is not None:
            self._durable += waiters
            self._end(error)
            return
        self.store.journal.synced(sealed)
        self._let_go(release, waiters)
        self.host.context.signals.commit.add(self._loop.time() - self._sealed_at)
        if (chore := self._chore) is not None:
            self._chore = None
            ran = self._loop.run_in_executor(self._threads, chore.run)
            ran.add_done_callback(partial(self._finished, chore))
        self._go_on()

    def _finished(self, chore: Chore, ran: asyncio.Future[None]) -> None:
        """A chore is over; one that the disk refused is left to the next life."""
        if ran.exception() is None:
            self.store.finish(chore)

    def _let_go(self, release: Release, waiters: list[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        for start in release.calls:
            self.calls.start(start)
        self._released(release)

    def _set_alarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self.host.next_wake()
        if at is not None:
            self._timer = self._loop.call_later(max(0.0, at - self._clock()), self._go_on)

    def _end(self, error: BaseException) -> None:
        """Stop for good: what the disk holds decides, in the next life."""
        if self.ended.done():
            return
        self.ended.set_exception(error)
        self.ended.exception()  # whoever waits is told; it is no matter if nobody does
        for waiter in self._durable:
            if not waiter.done():
                waiter.set_exception(error)
        self._durable.clear()
        self._released(Release())

    def _why(self) -> BaseException:
        return self.ended.exception() or LampError("the runtime has ended")

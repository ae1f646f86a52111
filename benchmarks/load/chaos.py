"""Kills living processes at a fixed beat and remembers whom, when, and with how much work on hand."""

import asyncio
import inspect
import os
import select
import signal
import struct
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

DEATH_WAIT_S = 1.0

Living = Callable[[], Collection[int] | Awaitable[Collection[int]]]
InFlight = Callable[[int], int | None]


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill.

    Args:
        at: monotonic seconds; comparable with the samples' `scheduled_at`.
        wall_at: seconds since 1970, for people.
        in_flight: requests on it when it died; None when that is not known.
    """

    at: float
    wall_at: float
    pid: int
    in_flight: int | None = None


@dataclass(slots=True)
class Kills:
    """All kills of a run; `skipped` counts beats at which nothing was alive to kill."""

    kills: list[Kill] = field(default_factory=list)
    skipped: int = 0

    @property
    def share_in_flight(self) -> float | None:
        """The share of the killed that had requests in flight; None if that is known of none."""
        known = [kill.in_flight for kill in self.kills if kill.in_flight is not None]
        return sum(count > 0 for count in known) / len(known) if known else None


@dataclass(frozen=True, slots=True)
class Beat:
    """When and how to kill.

    Args:
        period_s: between kills; the first comes one period after the start.
        count: how many beats; None goes on until cancelled.
        seed: who is picked.
        how: the signal; SIGSTOP makes a hang.
    """

    period_s: float = 5.0
    count: int | None = None
    seed: int = 1
    how: signal.Signals = signal.SIGKILL


async def kill_randomly(
    living: Living, beat: Beat, in_flight: InFlight | None = None, told: Callable[[Kill], None] | None = None
) -> Kills:
    """Kill one living process at each beat and return what was done; cancelling returns by raising, as ever.

    Args:
        living: the pids that may be killed now; a plain or a coroutine function.
        beat: when, how often, how.
        in_flight: requests on a pid, asked before and after the kill; what it says after counts, if it can
            (`InFlightFiles` can).
        told: is called with each kill; with it a cancelled run still has its record.
    """
    done, draw, begun = Kills(), Random(f"kills:{beat.seed}"), time.monotonic()
    turn = 0
    while beat.count is None or turn < beat.count:
        turn += 1
        await asyncio.sleep(max(0.0, begun + turn * beat.period_s - time.monotonic()))
        answer = living()
        pids = sorted(await answer if inspect.isawaitable(answer) else answer)
        kill = await asyncio.to_thread(strike, draw.choice(pids), beat.how, in_flight) if pids else None
        if kill is None:
            done.skipped += 1
            continue
        done.kills.append(kill)
        if told is not None:
            told(kill)
    return done


def strike(pid: int, how: signal.Signals = signal.SIGKILL, in_flight: InFlight | None = None) -> Kill | None:
    """Send one process a signal; None if it was gone. A killed one is dead on return (waits 1 s)."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        before = in_flight(pid) if in_flight else None
        at = time.monotonic()
        signal.pidfd_send_signal(handle, how)
        if how == signal.SIGKILL:
            select.select([handle], [], [], DEATH_WAIT_S)
        after = in_flight(pid) if in_flight else None
    except ProcessLookupError:
        return None
    finally:
        os.close(handle)
    return Kill(at, time.time(), pid, before if after is None else after)


class InFlightFiles:
    """Reads how many requests a process of `workloads.work` has on hand, even after it was killed.

    The workload keeps three numbers (requests, streams, WebSockets; 8 bytes each) in a shared mapping of
    `FOLDER/PID`, which outlives it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, pid: int) -> int | None:
        """All three together; None if the process never wrote any."""
        try:
            data = (self._folder / str(pid)).read_bytes()
        except OSError:
            return None
        return sum(struct.unpack("<3q", data)) if len(data) == struct.calcsize("<3q") else None

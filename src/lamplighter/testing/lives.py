"""Lives: a maintainer that can be killed between any two steps, or stopped in one and woken up later.

Every call that a maintainer makes on the world goes through here and is a step. What is dead does nothing
any more, not even while it falls.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from lamplighter.model.actions import Action, Outcome
from lamplighter.model.errors import HeldError
from lamplighter.model.facts import Facts
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant
from lamplighter.ports import (
    Ledger,
    LedgerEntry,
    LedgerLine,
    Recorded,
    Recordings,
    Remembered,
    Scope,
    Target,
)

T = TypeVar("T")


class Noted(Protocol):
    """Hears of each pass: when it has been recorded, or when it could not be."""

    def __call__(self, inputs: Inputs, result: Result, after: History, *, recorded: bool) -> None:
        """Take it in."""
        ...


class Held(Protocol):
    """Tells how a loop decides a pass again that could not be written, while it waits for that."""

    def __call__(self, before: History, inputs: Inputs) -> tuple[Inputs, Result, History] | None:
        """Return what went in, what it comes to, and the history after it; None if it stays as it was."""
        ...


class KilledError(BaseException):
    """The maintainer was killed. Not an Exception: no edge of a loop may catch it."""


class Life:
    """One maintainer's life."""

    def __init__(self, name: str) -> None:
        """Begin it."""
        self.name = name
        self.dead = False
        self.stopped_until: Instant = 0.0
        self._steps_left: int | None = None

    def strike(self, after_steps: int) -> None:
        """Let it be killed at one of its next steps: 0 is the very next."""
        self._steps_left = after_steps

    def stop(self, until: Instant) -> None:
        """Let it stand still at its next call to the target, until then."""
        self.stopped_until = until

    def step(self) -> None:
        """Take one step, the last one perhaps.

        Raises:
            KilledError: it was killed here, or before.
        """
        if self._steps_left is not None:
            self._steps_left -= 1
            self.dead = self.dead or self._steps_left < 0
        if self.dead:
            raise KilledError(self.name)

    def through(self, work: Callable[[], T]) -> T:
        """Do something between two steps."""
        self.step()
        done = work()
        self.step()
        return done

    async def stand_still(self) -> None:
        """Wait for as long as it is stopped."""
        left_s = self.stopped_until - asyncio.get_running_loop().time()
        if left_s > 0:
            await asyncio.sleep(left_s)


class MortalTarget:
    """A target, as seen from one life."""

    def __init__(self, target: Target, life: Life) -> None:
        self._target = target
        self._life = life
        self._sent: set[asyncio.Task[Outcome]] = set()

    async def observe(self, scope: Scope) -> Facts:
        """Observe, if it lives."""
        self._life.step()
        facts = await self._target.observe(scope)
        self._life.step()
        await self._life.stand_still()
        self._life.step()
        return facts

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        """Apply, if it lives. What was sent arrives, even if nobody waits for the answer any more."""
        self._life.step()
        await self._life.stand_still()
        self._life.step()
        sent = asyncio.ensure_future(self._target.apply(action, action_id=action_id, token=token))
        self._sent.add(sent)
        sent.add_done_callback(self._sent.discard)
        outcome = await asyncio.shield(sent)
        self._life.step()
        return outcome


class HintedTarget(MortalTarget):
    """A target that also tells of changes, as seen from one life."""

    def hints(self) -> AsyncIterator[str]:
        """Yield the subject of each change; none where the target gives none."""
        hints: Callable[[], AsyncIterator[str]] | None = getattr(self._target, "hints", None)
        return hints() if hints is not None else _none()


async def _none() -> AsyncIterator[str]:
    await asyncio.Event().wait()
    yield ""


class MortalRecordings:
    """Recordings, as written in one life. `noted` is told of each pass right after it was written.

    Of one that could not be written it is told what it comes to: nobody is promised anything by it.
    """

    def __init__(self, recordings: Recordings, life: Life, noted: Noted, held: Held) -> None:
        self._recordings = recordings
        self._life = life
        self._noted = noted
        self._held = held

    def write(self, inputs: Inputs, result: Result, *, before: History, after: History) -> int:
        """Record a pass, if it lives."""
        self._life.step()
        try:
            number = self._recordings.write(inputs, result, before=before, after=after)
        except HeldError:
            inputs, result, after = self._held(before, inputs) or (inputs, result, after)
            self._noted(inputs, result, after, recorded=False)
            raise
        self._noted(inputs, result, after, recorded=True)
        self._life.step()
        return number

    def passes(self, *, first: int = 0, last: int | None = None, brief: bool = False) -> Iterator[Recorded]:
        """Yield passes."""
        return self._recordings.passes(first=first, last=last, brief=brief)

    def start(self, number: int) -> tuple[int, History] | None:
        """Return where a replay can start."""
        return self._recordings.start(number)

    def latest(self) -> Remembered | None:
        """Return the newest pass."""
        return self._recordings.latest()

    def after(self, number: int) -> History | None:
        """Return the history after a pass."""
        return self._recordings.after(number)

    def writable(self) -> bool:
        """Return whether there is room."""
        return self._life.through(self._recordings.writable)


class MortalLedger:
    """A ledger, as written in one life."""

    def __init__(self, ledger: Ledger, life: Life) -> None:
        self._ledger = ledger
        self._life = life

    def append(self, kind: str, subject: str, body: dict[str, object]) -> LedgerEntry:
        """Append, if it lives."""
        return self._life.through(lambda: self._ledger.append(kind, subject, body))

    def extend(self, lines: Sequence[LedgerLine]) -> Sequence[LedgerEntry]:
        """Append, if it lives."""
        return self._life.through(lambda: self._ledger.extend(lines))

    def entries(self, *, since: int = 0) -> Iterator[LedgerEntry]:
        """Yield entries."""
        return self._ledger.entries(since=since)

    def head(self) -> LedgerEntry | None:
        """Return the newest entry."""
        return self._ledger.head()

    def writable(self) -> bool:
        """Return whether there is room."""
        return self._ledger.writable()

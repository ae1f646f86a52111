"""The Protocols. A backend implements the one or two that it has; a fake is a few lines."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol

from lamplighter.model.actions import Action, Outcome
from lamplighter.model.facts import Facts, Load
from lamplighter.model.findings import Finding
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import System
from lamplighter.model.value import Instant, Value


class Scope(Value):
    """What to observe: one system at one site. `now` stamps the snapshot."""

    system: str
    now: Instant
    wall: str = ""


class Lease(Value):
    """The right to act on a system. `token` grows with every holder; targets refuse older ones."""

    system: str
    token: int
    holder: str
    pid: int
    since: str


class Target(Protocol):
    """A place that runs workloads. One contract suite holds for all of them."""

    async def observe(self, scope: Scope) -> Facts:
        """Return one snapshot. What cannot be read is None, and its source says since when and why.

        Never raises for a part that does not answer: that is a silent source.
        """
        ...

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        """Carry out an action, and return without waiting for it to converge.

        Idempotent under `action_id`. An older `token` than one already seen is refused as `fenced`.
        A lost answer is `unknown`, never an exception.
        """
        ...


class Previews(Protocol):
    """A target that can say what it would refuse, touching nothing."""

    async def preview(self, action: Action) -> Sequence[Finding]:
        """Return what stands in the way of `action`; empty if nothing does."""
        ...

    def missing(self, system: System) -> Sequence[Finding]:
        """Return a `not-on-this-target` finding for each part of the spec that it cannot run yet."""
        ...


class LogLine(Value):
    """One line that a replica wrote. `at` is wall time (seconds since 1970), None where unknown."""

    replica: str
    stream: str
    text: str
    at: float | None = None


class Streams(Protocol):
    """A target that keeps what replicas write."""

    def logs(self, workload: str, *, follow: bool, tail: int) -> AsyncIterator[LogLine]:
        """Yield the last `tail` lines of each replica of a workload, then new ones if `follow`."""
        ...


class Hints(Protocol):
    """A target that can say that something changed. A hint only wakes the loop; it carries no facts."""

    def hints(self) -> AsyncIterator[str]:
        """Yield the subject of each change, as it happens."""
        ...


class Signals(Protocol):
    """Questions about what workloads are doing. None is an honest answer."""

    async def loads(self, system: str) -> dict[str, Load]:
        """Return the load of each workload that anything is known of."""
        ...


class Clock(Protocol):
    """Time. `now` decides, `wall` labels."""

    def now(self) -> Instant:
        """Return seconds on the system's time line."""
        ...

    def wall(self) -> str:
        """Return the wall time as ISO 8601 with its offset."""
        ...


class Secrets(Protocol):
    """Where secret values come from. A value never leaves through any other port."""

    def version(self, name: str) -> str:
        """Return the version of the value now in force: a keyed digest, of no use to a reader."""
        ...

    def keep(self, name: str) -> str:
        """Keep the value now in force, so that `value` has it later, and return its version."""
        ...

    def value(self, name: str, version: str = "") -> str:
        """Return the value, of a given version. Raises EnvironmentFault if it cannot be had."""
        ...


class LedgerEntry(Value):
    """One line of the ledger: what happened, chained to the line before by its digest."""

    number: int
    at: Instant
    wall: str
    kind: str
    subject: str
    body: dict[str, object]
    previous: str
    digest: str


class LedgerLine(Value):
    """What a ledger entry is to say: a kind, what it is about (an id), and the rest."""

    kind: str
    subject: str
    body: dict[str, object]


class Ledger(Protocol):
    """Append-only, hash-chained record of what was asked, decided, done and verified."""

    def append(self, kind: str, subject: str, body: dict[str, object]) -> LedgerEntry:
        """Append an entry, synced to disk before returning. Raises HeldError when it cannot be."""
        ...

    def extend(self, lines: Sequence[LedgerLine]) -> Sequence[LedgerEntry]:
        """Append several entries, all or none, synced once. Raises HeldError when that cannot be."""
        ...

    def entries(self, *, since: int = 0) -> Iterator[LedgerEntry]:
        """Yield entries from number `since` on."""
        ...

    def head(self) -> LedgerEntry | None:
        """Return the newest entry; None while there is none."""
        ...

    def writable(self) -> bool:
        """Return whether the next destructive action could still be recorded."""
        ...


class Recorded(Value):
    """One recorded pass: its number, what went in and (unless it was deleted) what came out.

    `before` is the history before it, at the passes where the recording holds one, and `version` that of
    what decided from there on.
    """

    number: int
    inputs: Inputs
    result: Result | None
    before: History | None = None
    version: str = ""


class Remembered(Value):
    """Where a recording ends: its newest pass, and the history after it (None if that was deleted)."""

    recorded: Recorded
    history: History | None


EXCERPT_MARK = b"LAMP"
"""What an excerpt of a recording carries where SQLite keeps an application's id (bytes 68 to 71 of the file),
so that one is known, and left out of releases, wherever it lies."""


class Recordings(Protocol):
    """The loop's inputs, pass by pass, so that every decision can be made again."""

    def write(self, inputs: Inputs, result: Result, *, before: History, after: History) -> int:
        """Record a pass, with the history that it began and ended with; return its number.

        Raises HeldError when it cannot be written; the next one that can stands on its own.
        """
        ...

    def passes(self, *, first: int = 0, last: int | None = None, brief: bool = False) -> Iterator[Recorded]:
        """Yield recorded passes in order; `brief`: without facts, and no history before, which costs less."""
        ...

    def start(self, number: int) -> tuple[int, History] | None:
        """Return the newest pass at or before `number` that replay can start from, and its history."""
        ...

    def latest(self) -> Remembered | None:
        """Return the newest pass with the history that it ended with; None before the first."""
        ...

    def after(self, number: int) -> History | None:
        """Return the history that a pass ended with; None if it is not kept."""
        ...

    def writable(self) -> bool:
        """Return whether the next pass could still be recorded."""
        ...


class LeaseStore(Protocol):
    """Who may act. Exactly one holder at a time; every new holder gets a higher token."""

    def acquire(self, system: str) -> Lease:
        """Take the lease. Raises OwnedError, naming the holder, unless it is proven gone."""
        ...

    def held(self, lease: Lease) -> bool:
        """Return whether this lease is still the newest."""
        ...

    def release(self, lease: Lease) -> None:
        """Give the lease back."""
        ...

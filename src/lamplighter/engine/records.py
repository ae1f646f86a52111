"""Records: a pass goes into the recording, then its lines into the ledger; what is owed is made good.

The recording is written first and tells all; the ledger is told from it. A maintainer that died between the
two leaves a ledger that lacks the last pass, which its successor adds.
"""

import itertools
from collections import deque

import msgspec

from lamplighter.engine.chronicle import chronicle
from lamplighter.engine.deciding import Step, decide
from lamplighter.model.errors import HeldError
from lamplighter.model.facts import Facts
from lamplighter.model.findings import Finding
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.ports import Ledger, LedgerLine, Recordings, Remembered

OWED_MAX = 10_000
"""Lines kept in memory for a ledger that cannot be written; what is beyond is only counted."""
PASSES_AT_ONCE = 20
"""Passes whose lines go into the ledger in one transaction."""
LOOK_BACK = 1_000
"""Entries of the ledger to look through for the last pass that it tells of."""


class Records:
    """The recording and the ledger of one system, written in step."""

    def __init__(self, ledger: Ledger, recordings: Recordings, step: Step) -> None:
        self._ledger = ledger
        self._recordings = recordings
        self._step = step
        self._before = Result()
        self._owed: deque[list[LedgerLine]] = deque()
        self._unwritten = 0
        self._missing: tuple[Inputs, Result] | None = None

    def restore(self) -> tuple[History, Facts | None]:
        """Return the history and the facts that the recording ends with, and bring the ledger up to it.

        Raises:
            EnvironmentFault: the recording is damaged.
        """
        latest = self._recordings.latest()
        if latest is None:
            return History(), None
        recorded = latest.recorded
        history = history_after(latest, self._recordings, self._step)
        self._before = recorded.result or Result()
        self._catch_up(recorded.number)
        return history, recorded.inputs.facts

    def write(self, inputs: Inputs, result: Result, before: History, after: History) -> int:
        """Write one pass to both; return its number.

        Raises:
            HeldError: the ledger could not be written, and its lines are kept for later; or the recording
                could not (`missing`), and the pass is to be reported by `miss`.
        """
        if self._missing is not None:
            self.miss(*self._missing)
        self._missing = inputs, result
        number = self._recordings.write(inputs, result, before=before, after=after)
        self._missing = None
        self._owe(chronicle(number, self._before, inputs, result))
        self._before = result
        if self._unwritten:
            body: dict[str, object] = {"pass": number, "passes": self._unwritten}
            self._owe([LedgerLine(kind="gap", subject="recording", body=body)])
            self._unwritten = 0
        self._pay()
        return number

    @property
    def missing(self) -> bool:
        """Whether nothing of the last pass was written, and the ledger is not owed its lines yet."""
        return self._missing is not None

    def miss(self, inputs: Inputs, result: Result) -> None:
        """Owe the ledger the lines of a pass that could not be recorded, as it was decided in the end."""
        self._missing = None
        self._unwritten += 1
        self._owe(chronicle(0, self._before, inputs, result))
        self._before = result

    def writable(self) -> bool:
        """Return whether the next pass could be recorded in both."""
        return self._ledger.writable() and self._recordings.writable()

    @property
    def starved(self) -> bool:
        """Whether a store says that its disk is full and that it uses what it kept in hand."""
        return any(getattr(each, "starved", False) for each in (self._ledger, self._recordings))

    def trouble(self, before: tuple[Finding, ...], now: tuple[Finding, ...]) -> None:
        """Note for the ledger which troubles of the loop itself began and which ended."""
        for change, findings in (("ended", before), ("began", now)):
            for each in findings:
                body = msgspec.to_builtins(each) | {"change": change}
                self._owe([LedgerLine(kind="finding", subject=each.subject, body=body)])

    def _owe(self, lines: list[LedgerLine]) -> None:
        if lines and sum(map(len, self._owed)) + len(lines) <= OWED_MAX:
            self._owed.append(lines)

    def _pay(self) -> None:
        """Append what is owed, a few passes at a time: all lines of a pass or none."""
        while self._owed:
            whole = list(itertools.islice(self._owed, PASSES_AT_ONCE))
            self._ledger.extend([line for lines in whole for line in lines])
            for _ in whole:
                self._owed.popleft()

    def _catch_up(self, newest: int) -> None:
        """Add the lines of passes that were recorded and did not reach the ledger."""
        told = last_pass(self._ledger)
        if told >= newest:
            return
        before = Result()
        for each in self._recordings.passes(first=max(told, 1), last=newest, brief=True):
            result = each.result or Result()
            if each.number > told:
                self._owe(chronicle(each.number, before, each.inputs, result))
            before = result
        try:
            self._pay()
        except HeldError:
            return


def history_after(latest: Remembered, recordings: Recordings, step: Step) -> History:
    """Return the history after the newest pass: as recorded, else made again from what went in."""
    if latest.history is not None:
        return latest.history
    start = recordings.start(latest.recorded.number)
    assert start is not None, "a recording with a pass has a start"
    first, history = start
    for each in recordings.passes(first=first):
        history, _ = decide(step, history, each.inputs)
    return history


def last_pass(ledger: Ledger) -> int:
    """Return the number of the newest pass that the ledger tells of, 0 for none."""
    numbers = [0]
    head = ledger.head()
    for entry in ledger.entries(since=head.number - LOOK_BACK if head else 0):
        number = entry.body.get("pass")
        if isinstance(number, int):
            numbers.append(number)
    return max(numbers)

"""The desk of a partition: all that is under way in it, as opposed to the states of its agents.

Accepted mail, marks of what was heard, messages on their way out, timers, suspended turns, dead letters and
schemas. It is small beside the states and is held in memory whole. `fold` takes one record in; it is the only
way the desk changes, in life as in recovery. `records` gives the records from which an equal desk folds.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, ClassVar

from lamplighter.runtime.agents.store.records import (
    Acked,
    Answer,
    Buried,
    Counters,
    Dead,
    Done,
    Ended,
    Fired,
    Forgot,
    Heard,
    Mail,
    Out,
    Received,
    Record,
    Result,
    Schema,
    Started,
    Timer,
)


@dataclass(slots=True)
class Suspended:
    """A turn that waits for something: its message, and the results that are written, by their n."""

    started: Started
    results: dict[int, Result] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Desk:
    """What is under way in one partition.

    Args:
        mail: by address, then number: accepted and not handled, in order of acceptance.
        marks: the last sequence heard from each sender; heard longest ago first.
        heard_s: when that was, wall time.
        answers: by sender, then sequence: kept until the sender has them.
        outbox: by receiving partition, then sequence: sent and not acknowledged, in order.
        sent: the last sequence sent to each partition.
        timers: by (turn, n).
        suspended: by turn number.
        dead: dead letters by number.
        schemas: by number.
        next_mail: the next free number of a mail or a dead letter.
        next_turn: the next free number of a turn.
    """

    mail: dict[str, dict[int, Mail]] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    heard_s: dict[str, float] = field(default_factory=dict)
    answers: dict[str, dict[int, bytes]] = field(default_factory=dict)
    outbox: dict[int, dict[int, bytes]] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)
    timers: dict[tuple[int, int], Timer] = field(default_factory=dict)
    suspended: dict[int, Suspended] = field(default_factory=dict)
    dead: dict[int, Dead] = field(default_factory=dict)
    schemas: dict[int, Schema] = field(default_factory=dict)
    next_mail: int = 1
    next_turn: int = 1
    _whose: dict[int, str] = field(default_factory=dict)
    _due: list[tuple[float, int, int]] = field(default_factory=list)

    def fold(self, record: Record) -> None:
        """Take a record in. One about something that is not here (any more) changes nothing."""
        self.FOLDS[type(record)](self, record)

    def records(self) -> Iterator[Record]:
        """Yield records from which an equal desk folds."""
        yield from self.schemas.values()
        for sender, at_s in self.heard_s.items():
            yield Heard(at_s, {sender: self.marks[sender]})
        for sender, answers in self.answers.items():
            yield from (Answer(sender, sequence, answer) for sequence, answer in answers.items())
        for to, messages in self.outbox.items():
            yield from (Out(to, sequence, message) for sequence, message in messages.items())
        for mails in self.mail.values():
            yield from mails.values()
        yield from self.timers.values()
        for turn in self.suspended.values():
            yield turn.started
            yield from turn.results.values()
        yield from self.dead.values()
        yield Counters(self.next_mail, self.next_turn, dict(sorted(self.sent.items())))

    def due(self, now_s: float) -> list[Timer]:
        """Return the timers that have fallen due, earliest first. Each is handed out once a life."""
        found = []
        while self._due and self._due[0][0] <= now_s:
            _, turn, n = heapq.heappop(self._due)
            if (timer := self.timers.get((turn, n))) is not None:
                found.append(timer)
        return found

    def next_due_s(self) -> float | None:
        """Wall time at which the next timer falls due; None without one."""
        while self._due and self._due[0][1:] not in self.timers:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _mail(self, mail: Mail) -> None:
        self.mail.setdefault(mail.address, {})[mail.number] = mail
        self._whose[mail.number] = mail.address
        self.next_mail = max(self.next_mail, mail.number + 1)

    def _done(self, done: Done) -> None:
        address = self._whose.pop(done.number, None)
        if address is None:
            return
        mails = self.mail[address]
        del mails[done.number]
        if not mails:
            del self.mail[address]

    def _heard(self, heard: Heard) -> None:
        for sender, sequence in heard.marks.items():
            last = self.marks.pop(sender, 0)
            self.marks[sender] = max(last, sequence)
            self.heard_s.pop(sender, None)
            self.heard_s[sender] = heard.at_s

    def _forgot(self, forgot: Forgot) -> None:
        self.marks.pop(forgot.sender, None)
        self.heard_s.pop(forgot.sender, None)
        self.answers.pop(forgot.sender, None)

    def _answer(self, answer: Answer) -> None:
        self.answers.setdefault(answer.sender, {})[answer.sequence] = answer.answer

    def _received(self, received: Received) -> None:
        answers = self.answers.get(received.sender)
        if answers is None:
            return
        for sequence in [n for n in answers if n <= received.sequence]:
            del answers[sequence]
        if not answers:
            del self.answers[received.sender]

    def _out(self, out: Out) -> None:
        self.outbox.setdefault(out.to, {})[out.sequence] = out.message
        self.sent[out.to] = max(self.sent.get(out.to, 0), out.sequence)

    def _acked(self, acked: Acked) -> None:
        messages = self.outbox.get(acked.to)
        if messages is None:
            return
        for sequence in list(takewhile(lambda n: n <= acked.sequence, messages)):
            del messages[sequence]
        if not messages:
            del self.outbox[acked.to]

    def _timer(self, timer: Timer) -> None:
        self.timers[timer.turn, timer.n] = timer
        heapq.heappush(self._due, (timer.due_s, timer.turn, timer.n))
        self.next_turn = max(self.next_turn, timer.turn + 1)

    def _fired(self, fired: Fired) -> None:
        self.timers.pop((fired.turn, fired.n), None)

    def _started(self, started: Started) -> None:
        self.suspended[started.turn] = Suspended(started)
        self.next_turn = max(self.next_turn, started.turn + 1)

    def _result(self, result: Result) -> None:
        turn = self.suspended.get(result.turn)
        if turn is not None:
            turn.results[result.n] = result

    def _ended(self, ended: Ended) -> None:
        self.suspended.pop(ended.turn, None)

    def _dead(self, dead: Dead) -> None:
        self.dead[dead.number] = dead
        self.next_mail = max(self.next_mail, dead.number + 1)

    def _buried(self, buried: Buried) -> None:
        self.dead.pop(buried.number, None)

    def _schema(self, schema: Schema) -> None:
        self.schemas[schema.number] = schema

    def _counters(self, counters: Counters) -> None:
        self.next_mail = max(self.next_mail, counters.mail)
        self.next_turn = max(self.next_turn, counters.turn)
        self.sent.update(counters.sent)

    FOLDS: ClassVar[dict[type[Any], Callable[..., None]]] = {
        Mail: _mail,
        Done: _done,
        Heard: _heard,
        Forgot: _forgot,
        Answer: _answer,
        Received: _received,
        Out: _out,
        Acked: _acked,
        Timer: _timer,
        Fired: _fired,
        Started: _started,
        Result: _result,
        Ended: _ended,
        Dead: _dead,
        Buried: _buried,
        Schema: _schema,
        Counters: _counters,
    }

"""Turns that wait: for a call, another agent's answer, or time. They survive a crash by running again.

When a turn first suspends, its message is journaled; what it asks for is, with its number and digest; so is
every result, in the frame in which its handler goes on. After a crash the handler runs from its start and is
given what is journaled. One that asks for something else than it did is not gone on with.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents import post
from lamplighter.runtime.agents.endings import Endings, answered
from lamplighter.runtime.agents.errors import AskCycleError, ReplayMismatchError, TurnError
from lamplighter.runtime.agents.errors import told as raised
from lamplighter.runtime.agents.kinds import ENCODE, kind_of
from lamplighter.runtime.agents.post import ERROR, PENDING, VALUE, Letter, Outcome, ToTurn
from lamplighter.runtime.agents.release import Start
from lamplighter.runtime.agents.seats import Context, Item, Mailbox, Seat, Slip, Waiting, partition_of
from lamplighter.runtime.agents.store.records import Done, Ended, Started, Timer
from lamplighter.runtime.agents.turn import Ask, Asked, Call, Every, Sleep, Turn
from lamplighter.runtime.agents.waits import Waits

CHAIN_MAX = 64
"""How many agents may wait for each other in a row."""
CIRCLE_MAX = 1000
"""How many agents are looked at to find a circle; a longer one is ended by its deadline."""


class Suspensions:
    """The suspended turns of one host.

    Args:
        context: shared with the host's other parts.
        waits: what they wait for.
        endings: how they end.
    """

    def __init__(self, context: Context, waits: Waits, endings: Endings) -> None:
        self._context = context
        self._waits = waits
        self._endings = endings
        self.asleep: deque[tuple[Seat, int]] = deque()

    def suspend(self, waiting: Waiting, asked: Any) -> None:
        """A handler waits for the first time."""
        seat, address, _, slip = waiting.item
        self._context.counts.suspended += 1
        if slip is not None and slip.turn:
            slip.turn = 0
            waiting.written = True
        seat.waiting[waiting.number] = waiting
        seat.busy.setdefault(address, Mailbox()).turn = waiting.number
        self._waits.touched[id(waiting)] = waiting
        self._await(waiting, asked)

    def go_on(self, waiting: Waiting) -> None:
        """Give a handler what it waited for."""
        waiting.ready = False
        if waiting.seat.waiting.get(waiting.number) is not waiting:
            return
        try:
            value, error = _gathered(waiting), None
        except LampError as failed:
            value, error = None, failed
        if waiting.resume is not None:
            waiting.resume(value, error)
            return
        self._context.current = waiting.item
        try:
            asked = waiting.coroutine.throw(error) if error is not None else waiting.coroutine.send(value)
        except StopIteration as stop:
            self.finish(waiting, stop.value)
        except Exception as raised_here:  # noqa: BLE001 - the handler is the user's code
            self.give_up(waiting, raised_here)
        else:
            self._await(waiting, asked)

    def ask(self, waiting: Waiting, asked: Asked) -> None:
        """A handler that an event loop has taken over asks for something.

        Raises:
            ReplayMismatchError: it is not what it asked for before the crash.
        """
        self._ask(waiting, asked)

    def finish(self, waiting: Waiting, value: Any) -> None:
        """A handler has returned."""
        seat, address, _, slip = waiting.item
        try:
            _all_recalled(waiting)
            payload = answered(value) if slip is not None and slip.answer_to is not None else b""
            kind = kind_of(self._context.kinds, address)
            self._endings.commit(seat, kind, waiting.turn, waiting.agent, waiting.before)
        except Exception as error:  # noqa: BLE001 - the state is the user's
            self.give_up(waiting, error)
            return
        self._close(waiting)
        self._context.counts.turns += 1
        self._context.signals.handled({kind: 1})
        if slip is not None:
            self._endings.settle(seat, slip, VALUE, payload)
        self._endings.free(seat, address)

    def give_up(self, waiting: Waiting, error: Exception) -> None:
        """A suspended turn ends without effects: it is tried from the start, under new keys, or is dead."""
        del waiting.seat.waiting[waiting.number]
        item = waiting.item
        if waiting.written:
            item = self._anew(waiting.seat, waiting.number, item)
        self._endings.fail(item, error)

    def wake(self, seat: Seat) -> None:
        """Begin with a partition's turns that were suspended when its host ended."""
        for number, suspended in seat.partition.desk.suspended.items():
            seat.busy.setdefault(suspended.started.address, Mailbox()).turn = number
            self.asleep.append((seat, number))

    def rerun(self, most: int) -> int:
        """Run suspended turns again, some at a time; returns how many."""
        done = 0
        while self.asleep and done < most:
            self._rerun(*self.asleep.popleft())
            done += 1
        return done

    def seal(self) -> None:
        """Write what the journal must know of the turns that are suspended as the frame closes."""
        for waiting in self._waits.touched.values():
            seat, address, payload, slip = waiting.item
            if seat.waiting.get(waiting.number) is not waiting:
                continue
            if not waiting.written:
                waiting.written = True
                letter = Letter(address, payload, since=waiting.turn.now)
                if slip is not None:
                    letter.answer_to, letter.chain = slip.lasting(), slip.chain
                    slip.open = False
                    if slip.mail:
                        seat.write(Done(slip.mail))
                        slip.mail = 0
                seat.write(Started(waiting.number, address, post.encode(letter)))
            for result in waiting.unwritten.values():
                seat.write(result)
            waiting.unwritten = {}
        self._waits.touched = {}

    def _await(self, waiting: Waiting, asked: Any) -> None:
        try:
            if isinstance(asked, Asked):
                self._ask(waiting, asked)
            else:
                self._context.adopt(waiting, asked)
        except Exception as error:  # noqa: BLE001 - whatever it is, the turn cannot go on
            waiting.coroutine.close()
            self.give_up(waiting, error)

    def _ask(self, waiting: Waiting, asked: Asked) -> None:
        waiting.awaited = asked
        parts = _parts(asked)
        for part in parts:
            known = waiting.results.get(part.number)
            if known is not None and known.asked != part.digest:
                raise ReplayMismatchError(
                    f"{waiting.turn.address} asks for something else than before the crash ({part.number})",
                    mend="the code has changed: replay the dead letter to run it from the start",
                )
        for part in parts:
            known = waiting.results.get(part.number)
            if known is None:
                self._begin(waiting, part)
            elif (outcome := post.outcome(known.result)).status == PENDING:
                self._resume(waiting, part, outcome)
        self._waits.ready(waiting)

    def _begin(self, waiting: Waiting, part: Asked) -> None:
        """Ask for something for the first time."""
        deadline = self._context.now + part.timeout_s if isinstance(part, Ask) else 0.0
        waiting.pending[part.number] = part
        self._waits.note(waiting, part.number, part.digest, Outcome(PENDING, deadline=deadline))
        match part:
            case Call():
                self._start(waiting, part)
            case Sleep():
                due = self._context.now + part.seconds
                waiting.seat.write(Timer(waiting.number, -part.number, waiting.turn.address, due, b""))
            case Ask():
                self._send(waiting, part, deadline)
            case _:
                raise TurnError(f"a turn cannot wait for {part!r}")

    def _resume(self, waiting: Waiting, part: Asked, outcome: Outcome) -> None:
        """Wait again for what was asked for before the crash; a call that was not answered is made again."""
        waiting.pending[part.number] = part
        if isinstance(part, Call):
            self._start(waiting, part)
        elif isinstance(part, Ask):
            self._waits.until(waiting, part.number, outcome.deadline)

    def _start(self, waiting: Waiting, call: Call) -> None:
        start = Start(waiting.seat.number, waiting.number, call.number, call.function, call.args)
        self._context.release.calls.append(start)

    def _send(self, waiting: Waiting, ask: Ask, deadline: float) -> None:
        seat, own, _, slip = waiting.item
        chain = (*(slip.chain if slip is not None else ()), own)
        circle = self._circle(chain, ask.address)
        if circle:
            told = f"the agents would wait for each other: {' -> '.join(circle)}"
            self._waits.resolve(seat, waiting.number, ask.number, ERROR, ENCODE((AskCycleError.code, told)))
            return
        to = ToTurn(seat.number, waiting.number, ask.number)
        self._waits.until(waiting, ask.number, deadline)
        self._endings.letter(seat, Letter(ask.address, ask.payload, to, chain))

    def _circle(self, chain: tuple[str, ...], address: str) -> tuple[str, ...]:
        """The circle that a question to this address would close, as far as this host can see it.

        1. The agent is one of those that wait for the asking one.
        2. The agent waits itself, and so on, for the asking one.
        """
        if address in chain or len(chain) >= CHAIN_MAX:
            return (*chain, address)
        path = {address: ""}
        todo = [address]
        while todo and len(path) < CIRCLE_MAX:
            at = todo.pop()
            for on in self._waited_for(at):
                if on == chain[-1]:
                    way = [at]
                    while path[way[-1]]:
                        way.append(path[way[-1]])
                    return (chain[-1], *reversed(way), on)
                if on not in path:
                    path[on] = at
                    todo.append(on)
        return ()

    def _waited_for(self, address: str) -> list[str]:
        seat = self._context.seats[partition_of(address, len(self._context.seats))]
        mailbox = seat.busy.get(address) if seat is not None else None
        waiting = seat.waiting.get(mailbox.turn) if seat is not None and mailbox is not None else None
        if waiting is None:
            return []
        return [asked.address for asked in waiting.pending.values() if isinstance(asked, Ask)]

    def _rerun(self, seat: Seat, number: int) -> None:
        suspended = seat.partition.desk.suspended[number]
        letter = post.letter(suspended.started.message)
        item = (seat, letter.address, letter.payload, Slip(letter.answer_to, letter.chain))
        try:
            waiting = self._again(item, number, letter.since)
        except Exception as error:  # noqa: BLE001 - the class may have changed in any way
            self._endings.fail(self._anew(seat, number, item), error)
            return
        waiting.results = dict(suspended.results)
        waiting.recalled = max(suspended.results, default=0)
        seat.waiting[number] = waiting
        self._waits.ready(waiting)

    def _again(self, item: Item, number: int, since: float) -> Waiting:
        seat, address, payload, _ = item
        kind = kind_of(self._context.kinds, address)
        before = seat.load(address, kind, self._context.now)
        agent = kind.decode(before[3]) if before is not None else kind.cls()
        message = kind.read(payload)
        turn = Turn(address, since, seat)
        turn.number = number
        coroutine = kind.handlers[type(message)](agent, turn, message)
        return Waiting(seat, number, item, turn, before, agent, coroutine, written=True)

    def _anew(self, seat: Seat, number: int, item: Item) -> Item:
        """Put a turn that knows no results in the place of one that failed.

        Not mail: that would come after what has been accepted for the agent since.
        """
        _, address, payload, slip = item
        slip = slip or Slip()
        seat.write(Ended(number))
        slip.turn = seat.number_turn()
        letter = Letter(address, payload, slip.lasting(), slip.chain, self._context.now)
        seat.write(Started(slip.turn, address, post.encode(letter)))
        return (seat, address, payload, slip)

    def close(self) -> None:
        """End every handler that waits, as the host ends; the journal knows of them."""
        for seat in self._context.seats:
            for waiting in seat.waiting.values() if seat is not None else ():
                waiting.coroutine.close()

    def _close(self, waiting: Waiting) -> None:
        del waiting.seat.waiting[waiting.number]
        if waiting.written:
            waiting.seat.write(Ended(waiting.number))


def _parts(asked: Asked) -> Sequence[Asked]:
    return asked.parts if isinstance(asked, Every) else (asked,)


def _gathered(waiting: Waiting) -> Any:
    """What a handler waited for, as the value of its await.

    Raises:
        LampError: it failed, or what came does not decode.
    """
    awaited = waiting.awaited
    if awaited is None:
        return None
    if not isinstance(awaited, Every):
        return _result(waiting, awaited)
    if not awaited.failures:
        return [_result(waiting, part) for part in awaited.parts]
    values: list[Any] = []
    for part in awaited.parts:
        try:
            values.append(_result(waiting, part))
        except LampError as error:
            values.append(error)
    return values


def _result(waiting: Waiting, part: Asked) -> Any:
    outcome = post.outcome(waiting.results[part.number].result)
    if outcome.status == ERROR:
        raise raised(*post.failure(outcome.payload))
    try:
        return part.decode(outcome.payload)
    except msgspec.DecodeError as error:
        raise TurnError(f"the answer is not what was expected: {error}") from error


def _all_recalled(waiting: Waiting) -> None:
    """Make sure that a handler asked for all that it had asked for before the crash.

    Raises:
        ReplayMismatchError: it has asked for less.
    """
    if waiting.recalled > waiting.turn.asked:
        raise ReplayMismatchError(
            f"{waiting.turn.address} has asked for less than before the crash",
            mend="the code has changed: replay the dead letter to run it from the start",
        )

"""How a turn ends: its effects take place as a whole, or it is tried again, or its message is a dead letter.

Also the ways of what a turn sends and answers: within this host by its queue, else by the outbox of its
partition. Runs no handler.
"""

import heapq
from collections.abc import Callable
from typing import Any

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents import post
from lamplighter.runtime.agents.agent import Agent
from lamplighter.runtime.agents.bounds import ITEM_BYTES
from lamplighter.runtime.agents.errors import (
    HandlerFailedError,
    OverloadedError,
    ReplayMismatchError,
    StateTooLargeError,
    StateUnreadableError,
    TurnStuckError,
    UnknownKindError,
    UnknownMessageError,
)
from lamplighter.runtime.agents.kinds import ENCODE, Kind
from lamplighter.runtime.agents.post import Letter, Reply, Status, ToSender, ToTurn
from lamplighter.runtime.agents.seats import Context, Item, Mailbox, Seat, Slip, Stored, partition_of
from lamplighter.runtime.agents.store.records import Answer, Dead, Done, Ended, Fired, Out, Timer
from lamplighter.runtime.agents.turn import Effects, Turn

BUSY_RETRY_S = 0.1
"""When to try again what a full mailbox refused."""
BUSY_ATTEMPTS = 10
"""How often a turn is tried that sends to a full mailbox; with the waits between, for about a minute."""
_HOPELESS = (
    ReplayMismatchError,
    UnknownKindError,
    UnknownMessageError,
    StateTooLargeError,
    StateUnreadableError,
    TurnStuckError,
)


class Endings:
    """The ends of turns on one host.

    Args:
        context: shared with the host's other parts.
        resolve: gives a suspended turn of this host an answer: seat, turn, n, status, payload.
    """

    def __init__(self, context: Context, resolve: Callable[[Seat, int, int, Status, bytes], None]) -> None:
        self._context = context
        self._resolve = resolve
        self._retries: list[tuple[float, int, Seat, Item]] = []
        self._tie = 0

    def commit(self, seat: Seat, kind: Kind, turn: Turn, agent: Agent, before: Stored | None) -> None:
        """Let a turn take place: its state, its sends, its timers.

        Raises:
            StateTooLargeError: nothing took place.
            OverloadedError: one it sends to has a full mailbox; nothing took place.
        """
        packed = ENCODE(agent)
        if len(packed) > kind.settings.state_bytes_max:
            raise StateTooLargeError(
                f"{turn.address} is {len(packed)} bytes, its kind may have {kind.settings.state_bytes_max}",
                mend="keep less in one agent, or raise Config.state_bytes_max",
            )
        if turn.sends is not None:
            self.send(seat, turn.sends)
            self._sample(turn.address, turn.sends)
        if before is None or before[3] != packed or kind.settings.expires_s:
            seat.dirty[turn.address] = (turn.address, seat.schema(kind), int(self._context.now), packed)
        if turn.effects is not None:
            self._take_place(seat, turn, turn.effects)

    def send(self, seat: Seat, sends: list[tuple[str, bytes]]) -> None:
        """Send messages from a partition, all or none.

        Raises:
            OverloadedError: one of the mailboxes here is full.
        """
        seats = self._context.seats
        total = len(seats)
        queue = self._context.queue
        ways = [(seats[partition_of(address, total)], address, payload) for address, payload in sends]
        for there, address, _ in ways:
            if there is not None and there.busy and address in there.busy:
                self.refuse_if_full(there, address)
        for there, address, payload in ways:
            if there is not None:
                queue.append((there, address, payload, None))
            else:
                self.out(seat, partition_of(address, total), Letter(address, payload))

    def refuse_if_full(self, seat: Seat, address: str) -> None:
        """Refuse a message for an agent that has as many as it may.

        Raises:
            OverloadedError: it has.
        """
        if self.is_full(seat, address):
            raise OverloadedError(
                f"{address} has as many messages waiting as it may", retry_after_s=BUSY_RETRY_S
            )

    def is_full(self, seat: Seat, address: str) -> bool:
        """Whether a busy agent's mailbox has no room."""
        kind = self._context.kinds.get(address.partition("/")[0])
        mailbox = seat.busy[address]
        full = kind is not None and (
            len(mailbox.waiting) >= kind.settings.mailbox
            or mailbox.size >= kind.settings.mailbox_bytes
            or self._context.load.crowded
        )
        if full and kind is not None:
            self._context.counts.refused += 1
            self._context.signals.count("refused", kind.name)
        return full

    def out(self, seat: Seat, to: int, parcel: Letter | Reply) -> None:
        """Put a parcel for a partition of another host into the outbox.

        Answers have a lane of their own, numbered from the number of partitions on: they must not wait
        behind messages to agents that have no room, for those may be waiting for just these answers.
        """
        lane = len(self._context.seats) if isinstance(parcel, Reply) else 0
        packed = post.encode(parcel)
        sequence = seat.partition.desk.sent.get(to + lane, 0) + 1
        seat.write(Out(to + lane, sequence, packed))
        self._context.release.parcels.append((to + lane, seat.number + lane, sequence, packed))

    def letter(self, seat: Seat, letter: Letter) -> None:
        """Send one letter that may want an answer."""
        to = partition_of(letter.address, len(self._context.seats))
        there = self._context.seats[to]
        if there is None:
            self.out(seat, to, letter)
        else:
            self._context.queue.append(
                (there, letter.address, letter.payload, Slip(letter.answer_to, letter.chain))
            )

    def settle(self, seat: Seat, slip: Slip, status: Status, payload: bytes) -> None:
        """A message has been dealt with: its mail is done, and whoever waits gets the answer."""
        slip.open = False
        if slip.mail:
            seat.write(Done(slip.mail))
            slip.mail = 0
        if slip.turn:
            seat.write(Ended(slip.turn))
            slip.turn = 0
        if slip.answer_to is not None:
            self._answer(seat, slip.answer_to, status, payload)
            slip.answer_to = None

    def free(self, seat: Seat, address: str) -> None:
        """An agent can take its next message."""
        mailbox = seat.busy[address]
        mailbox.turn = 0
        mailbox.admitted = None
        if not mailbox.waiting:
            del seat.busy[address]
            return
        mailbox.admitted = mailbox.waiting.popleft()
        size = len(mailbox.admitted[2]) + ITEM_BYTES
        mailbox.size -= size
        self._context.load.parked_bytes -= size
        self._context.queue.appendleft(mailbox.admitted)

    def park(self, item: Item) -> None:
        """Let a message wait behind those of its agent that came before."""
        seat, address, payload, slip = item
        if slip is None:
            slip = Slip()
            item = (seat, address, payload, slip)
        self.keep(seat.busy[address], item)
        if slip.unwritten:
            self._context.newly.append(item)

    def keep(self, mailbox: Mailbox, item: Item) -> None:
        """Put a message into a mailbox."""
        mailbox.waiting.append(item)
        size = len(item[2]) + ITEM_BYTES
        mailbox.size += size
        self._context.load.parked_bytes += size

    def fail(self, item: Item, error: Exception) -> None:
        """A turn raised: its message is tried again after a while, or is a dead letter."""
        seat, address, payload, slip = item
        self._context.counts.failures += 1
        slip = slip or Slip()
        slip.attempts += 1
        slip.open = True
        kind = self._context.kinds.get(address.partition("/")[0])
        if kind is not None:
            self._context.signals.count("failures", kind.name)
        if kind is None or isinstance(error, _HOPELESS) or slip.attempts >= _most(kind, error):
            self.bury(item, slip, error)
            return
        mailbox = seat.busy.setdefault(address, Mailbox())
        mailbox.admitted = item = (seat, address, payload, slip)
        mailbox.turn = 0
        if slip.unwritten:
            self._context.newly.append(item)
        self._tie += 1
        wait = kind.settings.backoff_s * 2 ** (slip.attempts - 1)
        heapq.heappush(self._retries, (self._context.now + wait, self._tie, seat, item))

    def bury(self, item: Item, slip: Slip, error: Exception) -> None:
        """Make a message a dead letter, with the reason, and let its agent go on."""
        seat, address, payload, _ = item
        self._context.counts.dead += 1
        if (name := address.partition("/")[0]) in self._context.kinds:
            self._context.signals.count("dead", name)
        code, reason = told(error)
        desk = seat.partition.desk
        letter = post.encode(Letter(address, payload))
        seat.write(Dead(desk.next_mail, address, letter, f"{code}: {reason}", self._context.now))
        self.settle(seat, slip, post.ERROR, ENCODE((code, reason)))
        if address in seat.busy:
            self.free(seat, address)

    def retry(self) -> None:
        """Let those try again whose wait is over."""
        while self._retries and self._retries[0][0] <= self._context.now:
            _, _, seat, item = heapq.heappop(self._retries)
            mailbox = seat.busy.get(item[1])
            if mailbox is not None and mailbox.admitted is item:
                self._context.queue.append(item)

    def next_retry(self) -> float | None:
        """Wall time of the next second try; None without one."""
        return self._retries[0][0] if self._retries else None

    def _sample(self, sender: str, sends: list[tuple[str, bytes]]) -> None:
        signals = self._context.signals
        signals.left -= 1
        if signals.left < 1:
            signals.talked(sender, sends)

    def _answer(self, seat: Seat, to: ToSender | ToTurn, status: Status, payload: bytes) -> None:
        context = self._context
        if isinstance(to, ToSender):
            if to.sender:
                seat.write(Answer(to.sender, to.sequence, ENCODE((status, payload))))
            context.release.answers.append((to.sender, seat.number, to.sequence, status, payload))
            return
        there = context.seats[to.partition]
        if there is None:
            self.out(seat, to.partition, Reply(to.turn, to.n, status, payload))
        else:
            self._resolve(there, to.turn, to.n, status, payload)

    def _take_place(self, seat: Seat, turn: Turn, effects: Effects) -> None:
        for n, due, payload in effects.timers:
            letter = post.encode(Letter(turn.address, payload))
            seat.write(Timer(turn.numbered(), n, turn.address, due, letter))
        timers = seat.partition.desk.timers
        for which in effects.cancelled:
            timer = timers.get(which)
            if timer is not None and timer.address == turn.address and which[1] >= 0:
                seat.write(Fired(*which))
        for tenant, amounts in effects.spent:
            self._context.signals.spent(turn.address.partition("/")[0], tenant, amounts)
        if effects.deleted:
            seat.dirty[turn.address] = None


def _most(kind: Kind, error: Exception) -> int:
    return BUSY_ATTEMPTS if isinstance(error, OverloadedError) else kind.settings.attempts


def told(error: Exception) -> tuple[str, str]:
    """Return an error's code and message, as they travel to others."""
    if isinstance(error, LampError):
        return error.code, error.message
    name = type(error).__name__
    return HandlerFailedError.code, f"{name}: {error}" if str(error) else name


def answered(value: Any) -> bytes:
    """Encode what a handler returned.

    Raises:
        HandlerFailedError: it is nothing that can be encoded.
    """
    try:
        return ENCODE(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise HandlerFailedError(f"what the handler returned cannot be sent: {error}") from error

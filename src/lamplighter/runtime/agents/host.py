"""A host: runs the turns of its partitions' agents, a frame at a time. Sans I/O.

Messages, results and time come in; `run` handles what is there; `seal` closes what came of it into the open
frame, which is one atomic step of all partitions, and returns what may leave once that frame is synced. Pure
of clock, chance and threads: a driver brings those, a real one or a simulated one.

A message between two agents of one host that is handled within a frame is never written: the states of both
are. What is not handled when the frame closes is written as mail.
"""

from collections import deque
from collections.abc import Container, Iterable, Sequence
from typing import Any

from lamplighter.runtime.agents import post
from lamplighter.runtime.agents.bounds import idle_sessions
from lamplighter.runtime.agents.endings import BUSY_RETRY_S, Endings, answered
from lamplighter.runtime.agents.errors import OverloadedError, UnknownKindError
from lamplighter.runtime.agents.kinds import ENCODE, Kind, kind_of
from lamplighter.runtime.agents.numbered import Numbered
from lamplighter.runtime.agents.post import VALUE, Letter, Reply, Status, ToSender
from lamplighter.runtime.agents.release import Release
from lamplighter.runtime.agents.seats import (
    Book,
    Context,
    Counts,
    Item,
    Mailbox,
    Seat,
    Slip,
    Waiting,
    partition_of,
)
from lamplighter.runtime.agents.store import Partition
from lamplighter.runtime.agents.store.records import (
    Acked,
    Buried,
    Fired,
    Forgot,
    Heard,
    Mail,
    Received,
    Timer,
)
from lamplighter.runtime.agents.suspensions import Suspensions
from lamplighter.runtime.agents.turn import Asked, Turn
from lamplighter.runtime.agents.waits import Waits

CACHED_STATES = 200_000
"""States kept in memory for their agents' next turns, in all partitions; with 200 B each some 80 MB."""
_ABSENT: Any = object()


class Host:
    """The agents of some partitions, at work.

    Args:
        kinds: what may be an agent here.
        book: the journal.
        partitions: those that this host has.
        total: how many there are in all; the same for every host, for ever.
        now: wall time in seconds.
        cached: how many states may be kept in memory.
    """

    def __init__(
        self,
        kinds: dict[str, Kind],
        book: Book,
        partitions: Iterable[Partition],
        *,
        total: int,
        now: float,
        cached: int = CACHED_STATES,
    ) -> None:
        seats: list[Seat | None] = [None] * total
        for partition in partitions:
            seats[partition.number] = Seat(partition, kinds, book)
        self._context = Context(kinds, seats, now)
        self._own = [seat for seat in seats if seat is not None]
        self._waits = Waits(self._context)
        self._endings = Endings(self._context, self._waits.resolve)
        self._suspensions = Suspensions(self._context, self._waits, self._endings)
        self._inlet: deque[tuple[Seat, str, int, Sequence[str], Sequence[bytes], bool]] = deque()
        self._arrived: deque[tuple[Seat, str, int, Sequence[bytes]]] = deque()
        self.numbered = Numbered(self._context, self._endings.is_full)
        """Takes what a broker has numbered."""
        self._cached = max(1, cached // max(1, 2 * len(self._own)))
        for seat in self._own:
            self._wake(seat)

    @property
    def context(self) -> Context:
        """What the parts of this host share; a driver sets its `adopt`."""
        return self._context

    @property
    def counts(self) -> Counts:
        """What happened since the host began."""
        return self._context.counts

    @property
    def full(self) -> bool:
        """Whether a driver should stop reading from its senders."""
        return self._context.load.full

    @property
    def idle(self) -> bool:
        """Whether `run` has nothing to do."""
        return not (
            self._context.queue
            or self._context.ready
            or self._inlet
            or self._arrived
            or self.numbered
            or self._suspensions.asleep
        )

    @property
    def sealed(self) -> bool:
        """Whether `seal` would find nothing to write or to release, besides what the journal has open."""
        if self._context.release or self._context.newly or self._waits.touched:
            return False
        return not any(seat.dirty or seat.heard for seat in self._own)

    def submit(self, address: str, payload: bytes, token: int = 0) -> None:
        """Accept a message of a caller in this process, who learns of its fate with the frame.

        Args:
            address: of an agent in one of this host's partitions.
            payload: the encoded message.
            token: names the answer in `Release.answers`, under the sender ""; 0 asks for none.

        Raises:
            UnknownKindError: there is no such kind, or its partition is elsewhere.
            OverloadedError: the host, or the agent's mailbox, is full.
        """
        kind_of(self._context.kinds, address)
        seat = self._context.seats[partition_of(address, len(self._context.seats))]
        if seat is None:
            raise UnknownKindError(f"{address} is in a partition of another host")
        self._refuse_if_full(seat, address, payload)
        slip = Slip(ToSender("", token)) if token else None
        self._context.queue.append((seat, address, payload, slip))

    def offer(
        self,
        partition: int,
        sender: str,
        first: int,
        addresses: Sequence[str],
        payloads: Sequence[bytes],
        *,
        answers: bool = False,
    ) -> None:
        """Offer a client's messages for one partition, with contiguous sequence numbers from `first` on.

        Their acceptance is told in `Release.accepted`, a refusal in `Release.again`.
        """
        seat = self._context.seats[partition]
        if seat is None:
            return
        self._inlet.append((seat, sender, first, addresses, payloads, answers))
        self._context.load.offered += len(addresses)
        self._context.load.offered_bytes += sum(map(len, payloads))

    def once(self, address: str, sender: str, payload: bytes, *, answers: bool) -> None:
        """Accept the only message of a session, or tell of it again what is known.

        Its acceptance is told in `Release.accepted` under sequence 1, its answer in `Release.answers`.

        Raises:
            UnknownKindError: there is no such kind, or its partition is elsewhere.
            OverloadedError: the host, or the agent's mailbox, is full.
        """
        kind_of(self._context.kinds, address)
        seat = self._context.seats[partition_of(address, len(self._context.seats))]
        if seat is None:
            raise UnknownKindError(f"{address} is in a partition of another host")
        if not (seat.heard.get(sender) or seat.partition.desk.marks.get(sender)):
            self._refuse_if_full(seat, address, payload)
            seat.heard[sender] = 1
            slip = Slip(ToSender(sender, 1)) if answers else None
            self._context.queue.append((seat, address, payload, slip))
            return
        self._context.release.accepted[sender, seat.number] = 1
        if (answer := seat.partition.desk.answers.get(sender, {}).get(1)) is not None:
            status, packed = post.kept(answer)
            self._context.release.answers.append((sender, seat.number, 1, status, packed))

    def forget(self, partition: int, sender: str) -> None:
        """Forget a session: nobody will send under it again."""
        seat = self._context.seats[partition]
        if seat is not None and sender in seat.partition.desk.marks:
            seat.write(Forgot(sender))

    def forget_idle(self, present: Container[str]) -> None:
        """Forget the sessions that idle for too long, besides those that are connected."""
        for seat in self._own:
            for sender in idle_sessions(seat.partition.desk, self._context.now, present):
                if sender not in seat.heard:
                    seat.write(Forgot(sender))

    def arrive(self, partition: int, sender: int, first: int, parcels: Sequence[bytes]) -> None:
        """Take in what another partition sends, with contiguous sequence numbers from `first` on."""
        seat = self._context.seats[partition % len(self._context.seats)]
        if seat is not None:
            self._arrived.append((seat, str(sender), first, parcels))
            self._context.load.offered += len(parcels)
            self._context.load.offered_bytes += sum(map(len, parcels))

    def acknowledged(self, partition: int, to: int, sequence: int) -> None:
        """Another partition has accepted what this one sent, up to a sequence."""
        total = len(self._context.seats)
        seat = self._context.seats[partition % total]
        to += partition - partition % total
        if seat is not None and to in seat.partition.desk.outbox:
            seat.write(Acked(to, sequence))

    def received(self, partition: int, sender: str, sequence: int) -> None:
        """A client has the answers to its messages up to a sequence."""
        seat = self._context.seats[partition]
        if seat is not None and sender in seat.partition.desk.answers:
            seat.write(Received(sender, sequence))

    def returned(self, sender: str) -> None:
        """A client is back: answers that it has not said to have go out with the open frame."""
        for seat in self._own:
            for sequence, answer in seat.partition.desk.answers.get(sender, {}).items():
                status, payload = post.kept(answer)
                self._context.release.answers.append((sender, seat.number, sequence, status, payload))

    def resend(self, partitions: Iterable[int] | None = None) -> None:
        """Send again, with the open frame, what these partitions (or all) have not acknowledged."""
        wanted = None if partitions is None else set(partitions)
        for seat in self._own:
            for to in seat.partition.desk.outbox:
                if wanted is None or to % len(self._context.seats) in wanted:
                    self._resend(seat, to)

    def unacknowledged(self) -> dict[tuple[int, int], int]:
        """Return, by partition and receiver, the first number that is not acknowledged."""
        return {
            (seat.number, to): next(iter(parcels))
            for seat in self._own
            for to, parcels in seat.partition.desk.outbox.items()
            if parcels
        }

    def go_back(self, partition: int, by: int) -> None:
        """Send again, with the open frame, what partition `by` wants again of this one."""
        total = len(self._context.seats)
        seat = self._context.seats[partition % total]
        if seat is not None:
            self._resend(seat, by + partition - partition % total)

    def resolve(self, partition: int, turn: int, n: int, status: Status, payload: bytes) -> None:
        """Take the result of a call that a `Release` started."""
        seat = self._context.seats[partition]
        if seat is not None:
            self._waits.resolve(seat, turn, n, status, payload)

    def bury(self, partition: int, number: int, *, again: bool) -> bool:
        """Take a dead letter away, to send it again or for good; returns whether it was there."""
        seat = self._context.seats[partition]
        dead = seat.partition.desk.dead.get(number) if seat is not None else None
        if seat is None or dead is None:
            return False
        seat.write(Buried(number))
        if again:
            letter = post.letter(dead.message)
            self._context.queue.append((seat, letter.address, letter.payload, None))
        return True

    def tick(self, now: float) -> None:
        """Tell the time; what has fallen due is handled by the next `run`."""
        self._context.now = now
        if self._context.load.standing_s is None:
            self._context.load.standing_s = now
        self._waits.expire()
        self._endings.retry()
        for seat in self._own:
            for timer in seat.partition.desk.due(now):
                self._fire(seat, timer)

    def next_wake(self) -> float | None:
        """Wall time at which `tick` has something to do; None if there is no such time."""
        dues = [seat.partition.desk.next_due_s() for seat in self._own]
        times = [*dues, self._endings.next_retry(), self._waits.next_deadline()]
        return min((time for time in times if time is not None), default=None)

    def run(self, budget: int) -> int:  # noqa: C901, PLR0912, PLR0915 - the hot loop: written out, for a call costs as much as a step of it
        """Handle what is there, up to a number of turns; returns how many of them are left."""
        context, endings = self._context, self._endings
        queue, ready, seats, kinds = context.queue, context.ready, context.seats, context.kinds
        total, now, second, turns = len(seats), context.now, int(context.now), 0
        signals, did = context.signals, dict.fromkeys(kinds.values(), 0)
        budget -= self._suspensions.rerun(budget)
        while budget > 0:
            if ready:
                budget -= 1
                self._suspensions.go_on(ready.popleft())
                continue
            if not queue:
                if not self._admit():
                    break
                continue
            item = queue.popleft()
            seat, address, payload, slip = item
            held = address in seat.busy
            if held and seat.busy[address].admitted is not item:
                endings.park(item)
                continue
            budget -= 1
            context.current = item
            try:
                kind = kinds.get(address.partition("/")[0]) or kind_of(kinds, address)
                before = seat.dirty.get(address, _ABSENT)
                if before is _ABSENT:
                    before = seat.load(address, kind, now)
                agent = kind.decode(before[3]) if before is not None else kind.cls()
                try:
                    message = kind.message(payload)
                except ValueError:
                    message = kind.read(payload)
                turn = Turn(address, now, seat)
                if slip is not None:
                    turn.number = slip.turn
                coroutine = kind.handlers[type(message)](agent, turn, message)
                try:
                    asked = coroutine.send(None)
                except StopIteration as stop:
                    answer = answered(stop.value) if slip is not None and slip.answer_to is not None else b""
                else:
                    waiting = Waiting(seat, turn.numbered(), item, turn, before, agent, coroutine)
                    self._suspensions.suspend(waiting, asked)
                    continue
                packed = ENCODE(agent)
                sends = turn.sends
                if turn.effects is not None or len(packed) > kind.settings.state_bytes_max:
                    endings.commit(seat, kind, turn, agent, before)
                else:
                    if sends is not None:
                        signals.left -= 1
                        if not signals.left:
                            signals.talked(address, sends)
                        there = seats[partition_of(sends[0][0], total)]
                        if len(sends) > 1 or there is None or there.busy:
                            endings.send(seat, sends)
                        else:
                            queue.append((there, *sends[0], None))
                    if before is None or before[3] != packed or kind.settings.expires_s:
                        seat.dirty[address] = (
                            address,
                            seat.schemas.get(kind) or seat.schema(kind),
                            second,
                            packed,
                        )
            except Exception as error:  # noqa: BLE001 - the handler is the user's code
                endings.fail(item, error)
                continue
            turns += 1
            did[kind] += 1
            if slip is not None:
                endings.settle(seat, slip, VALUE, answer)
            if held:
                endings.free(seat, address)
        context.current = None
        context.counts.turns += turns
        signals.handled(did)
        return budget

    def seal(self) -> Release:
        """Write what the frame leaves, and return what may leave the host once the frame is synced."""
        context = self._context
        self._suspensions.seal()
        for item in context.newly:
            if item[3] is not None and item[3].unwritten:
                self._mail(item)
        context.newly.clear()
        self._keep_rest()
        release, context.release = context.release, Release()
        for seat in self._own:
            if seat.heard:
                seat.write(Heard(context.now, seat.heard))
                for sender, sequence in seat.heard.items():
                    release.accepted[sender, seat.number] = sequence
                seat.heard = {}
            seat.seal()
            seat.age(self._cached)
        return release

    def close(self) -> None:
        """End every handler that waits; what the journal knows of them is enough to go on elsewhere."""
        self._suspensions.close()

    def _refuse_if_full(self, seat: Seat, address: str, payload: bytes) -> None:
        """Refuse a caller's message, or count it among those that its queue holds.

        Raises:
            OverloadedError: there is no room for it.
        """
        load = self._context.load
        if load.crammed(len(self._context.queue), self._context.now):
            self._context.counts.refused += 1
            raise OverloadedError(
                "this host has as many messages waiting as it may", retry_after_s=BUSY_RETRY_S
            )
        if address in seat.busy:
            self._endings.refuse_if_full(seat, address)
        load.direct_bytes += len(payload)

    def _resend(self, seat: Seat, to: int) -> None:
        sender = seat.number + to - to % len(self._context.seats)
        parcels = seat.partition.desk.outbox.get(to, {})
        self._context.release.parcels.extend(
            (to, sender, number, packed) for number, packed in parcels.items()
        )

    def _keep_rest(self) -> None:
        """Write what was accepted and not handled in this frame as mail."""
        queue = self._context.queue
        for _ in range(len(queue)):
            seat, address, payload, slip = item = queue.popleft()
            if slip is None:
                item = (seat, address, payload, Slip())
            if item[3].unwritten:  # type: ignore[union-attr]  # it has one by now
                self._mail(item)
            queue.append(item)

    def _mail(self, item: Item) -> None:
        seat, address, payload, slip = item
        assert slip is not None, "what is written as mail has a slip"
        letter = Letter(address, payload, slip.lasting(), slip.chain)
        slip.mail = seat.partition.desk.next_mail
        seat.write(Mail(slip.mail, address, post.encode(letter)))

    def _admit(self) -> bool:
        """Accept the next messages that were offered or have arrived; returns whether there were any."""
        load = self._context.load
        load.direct_bytes, load.standing_s = 0, None
        if self._arrived:
            seat, sender, first, parcels = self._arrived.popleft()
            load.offered -= len(parcels)
            load.offered_bytes -= sum(map(len, parcels))
            skipped, taken = self._fresh(seat, sender, first, len(parcels))
            for n, packed in enumerate(parcels[skipped : skipped + taken]):
                if not self._unpack(seat, packed):
                    self._back(seat, sender, taken - n)
                    break
            return True
        if not self._inlet:
            return self.numbered.admit()
        seat, sender, first, addresses, payloads, answers = self._inlet.popleft()
        load.offered -= len(addresses)
        load.offered_bytes -= sum(map(len, payloads))
        skipped, taken = self._fresh(seat, sender, first, len(addresses))
        if seat.busy:
            taken = self._room(seat, sender, addresses[skipped : skipped + taken])
        queue = self._context.queue
        for n in range(skipped, skipped + taken):
            slip = Slip(ToSender(sender, first + n)) if answers else None
            queue.append((seat, addresses[n], payloads[n], slip))
        return True

    def _fresh(self, seat: Seat, sender: str, first: int, count: int) -> tuple[int, int]:
        """Move a sender's mark; returns how many of its messages are known, and how many are new after those.

        After a gap none is taken: the sender sends again from what is expected.
        """
        mark = seat.heard.get(sender)
        if mark is None:
            mark = seat.partition.desk.marks.get(sender, 0)
        skipped = max(0, mark + 1 - first)
        if skipped > 0 and sender in seat.partition.desk.answers:
            kept = seat.partition.desk.answers[sender]
            for sequence in range(first, min(mark, first + count - 1) + 1):
                if sequence in kept:
                    status, payload = post.kept(kept[sequence])
                    self._context.release.answers.append((sender, seat.number, sequence, status, payload))
        if first > mark + 1:
            self._context.release.again[sender, seat.number] = mark + 1
            return count, 0
        taken = max(0, count - skipped)
        seat.heard[sender] = mark + taken
        return min(skipped, count), taken

    def _room(self, seat: Seat, sender: str, addresses: Sequence[str]) -> int:
        """How many of a client's messages have room in their mailboxes; the mark goes no further."""
        for n, address in enumerate(addresses):
            if address in seat.busy and self._endings.is_full(seat, address):
                self._back(seat, sender, len(addresses) - n)
                return n
        return len(addresses)

    def _unpack(self, seat: Seat, packed: bytes) -> bool:
        """Take in what another partition sent; returns whether there was room for it."""
        parcel = post.parcel(packed)
        if isinstance(parcel, Reply):
            self._waits.resolve(seat, parcel.turn, parcel.n, post.status(parcel.status), parcel.payload)
            return True
        if parcel.address in seat.busy and self._endings.is_full(seat, parcel.address):
            return False
        slip = Slip(parcel.answer_to, parcel.chain) if parcel.answer_to is not None else None
        self._context.queue.append((seat, parcel.address, parcel.payload, slip))
        return True

    def _back(self, seat: Seat, sender: str, left: int) -> None:
        """Set a sender's mark back by what there was no room for; it is to be sent again from there."""
        seat.heard[sender] -= left
        self._context.release.again[sender, seat.number] = seat.heard[sender] + 1

    def _fire(self, seat: Seat, timer: Timer) -> None:
        seat.write(Fired(timer.turn, timer.n))
        if timer.n < 0:
            self._waits.resolve(seat, timer.turn, -timer.n, VALUE, b"")
            return
        letter = post.letter(timer.message)
        self._context.queue.append((seat, letter.address, letter.payload, None))

    def _wake(self, seat: Seat) -> None:
        """Go on where the host that had this partition ended."""
        self._suspensions.wake(seat)
        for address, mails in seat.partition.desk.mail.items():
            mailbox = seat.busy.setdefault(address, Mailbox())
            for number, mail in mails.items():
                letter = post.letter(mail.message)
                slip = Slip(letter.answer_to, letter.chain, number)
                self._endings.keep(mailbox, (seat, address, letter.payload, slip))
            if not mailbox.turn:
                self._endings.free(seat, address)

    def adopted(self, waiting: Waiting, value: Any, error: Exception | None) -> None:
        """A handler that an event loop had taken over has ended."""
        if waiting.seat.waiting.get(waiting.number) is not waiting:
            return
        if error is not None:
            self._suspensions.give_up(waiting, error)
        else:
            self._suspensions.finish(waiting, value)

    def awaits(self, waiting: Waiting, asked: Asked) -> None:
        """A handler that an event loop has taken over asks for something.

        Raises:
            ReplayMismatchError: it is not what it asked for before the crash.
        """
        self._suspensions.ask(waiting, asked)

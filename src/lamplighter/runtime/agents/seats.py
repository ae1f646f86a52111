"""A partition as its host works on it: the stored one, what its open frame changes, and who is busy.

The context is what all parts of a host share. Nothing here decides anything.
"""

from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol
from zlib import crc32

from lamplighter.runtime.agents.agent import Agent
from lamplighter.runtime.agents.bounds import Load
from lamplighter.runtime.agents.errors import StateUnreadableError, TurnError
from lamplighter.runtime.agents.kinds import ENCODE, Kind
from lamplighter.runtime.agents.post import ToSender, ToTurn
from lamplighter.runtime.agents.release import Release
from lamplighter.runtime.agents.signals import Signals
from lamplighter.runtime.agents.store import Partition
from lamplighter.runtime.agents.store.records import Gone, Record, Result, Schema, State
from lamplighter.runtime.agents.turn import Asked, Turn

Stored = tuple[str, int, int, bytes]
"""A state as it is written: address, schema, time of use in whole seconds, packed fields."""


class Book(Protocol):
    """The journal as a host sees it: what it writes goes into the open frame and is folded at once."""

    def write(self, partition: Partition, record: Record) -> int:
        """Write a record; returns its position."""
        ...

    def write_states(self, partition: Partition, states: Iterable[Stored]) -> None:
        """Write the states that a frame leaves."""
        ...

    def state(self, address: str, position: int) -> State:
        """Read a state back, from the disk or from what is on its way there."""
        ...


def partition_of(address: str, partitions: int) -> int:
    """Return the partition of an address: CRC-32 of its UTF-8 bytes, modulo their number; for ever."""
    return crc32(address.encode()) % partitions


class Slip:
    """What is known of an accepted message besides its address and payload.

    Attributes:
        answer_to: who waits for an answer.
        chain: the agents that wait for it, directly or not.
        mail: its number in the journal's mail; 0 while it is not written there.
        attempts: how often it was tried.
        turn: number of the journal's suspended turn that stands for it until it is tried again; 0 without.
        open: whether it still waits to be handled.
    """

    __slots__ = ("answer_to", "attempts", "chain", "mail", "open", "turn")

    def __init__(
        self, answer_to: ToSender | ToTurn | None = None, chain: tuple[str, ...] = (), mail: int = 0
    ) -> None:
        self.answer_to = answer_to
        self.chain = chain
        self.mail = mail
        self.attempts = 0
        self.turn = 0
        self.open = True

    @property
    def unwritten(self) -> bool:
        """Whether the journal must be told of it, should it have to wait beyond the open frame."""
        return self.open and not self.mail and not self.turn

    def lasting(self) -> ToSender | ToTurn | None:
        """Who waits for an answer and is still there after a crash: not a caller in the host's process."""
        to = self.answer_to
        return None if isinstance(to, ToSender) and not to.sender else to


Item = tuple["Seat", str, bytes, Slip | None]
"""A message that waits for its turn: where, for whom, its payload, and its slip if it needs one."""


class Mailbox:
    """The messages that wait because their agent is busy: with a suspended turn, or until a second try.

    Attributes:
        waiting: in the order of their acceptance.
        admitted: the one that may go on.
        turn: number of the suspended turn, 0 if there is none.
        size: bytes of those that wait.
    """

    __slots__ = ("admitted", "size", "turn", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Item] = deque()
        self.admitted: Item | None = None
        self.turn = 0
        self.size = 0


class Seat:
    """One partition at work on this host.

    Attributes:
        dirty: states that the open frame leaves, by address; None for an agent that it forgets.
        heard: marks that the open frame moves.
        busy: mailboxes of the agents that cannot take a message now.
        waiting: suspended turns by number.
        schemas: numbers under which states are stored, as far as `schema` was asked for them.
    """

    __slots__ = (
        "_book",
        "_held",
        "_young",
        "busy",
        "dirty",
        "heard",
        "kinds",
        "number",
        "partition",
        "schemas",
        "waiting",
    )

    def __init__(self, partition: Partition, kinds: dict[str, Kind], book: Book) -> None:
        self.partition = partition
        self.kinds = kinds
        self.number = partition.number
        self.dirty: dict[str, Stored | None] = {}
        self.heard: dict[str, int] = {}
        self.busy: dict[str, Mailbox] = {}
        self.waiting: dict[int, Waiting] = {}
        self._book = book
        self.schemas: dict[Kind, int] = {}
        self._young: dict[str, Stored] = {}
        self._held: dict[str, Stored] = {}

    def write(self, record: Record) -> None:
        """Write a record of this partition into the open frame."""
        self._book.write(self.partition, record)

    def number_turn(self) -> int:
        """Take the next turn number."""
        desk = self.partition.desk
        desk.next_turn += 1
        return desk.next_turn - 1

    def schema(self, kind: Kind) -> int:
        """Return the number under which states of this kind are stored here; a new one is written first."""
        number = self.schemas.get(kind)
        if number is None:
            number = self.schemas[kind] = self._find(kind)
        return number

    def load(self, address: str, kind: Kind, now: float) -> Stored | None:
        """Return an agent's last state, which the open frame has not touched, in its kind's present form.

        None for an agent that there is not, or that has expired by `now`.

        Raises:
            StateUnreadableError: it fits neither the class nor its upgrade.
        """
        found = self._young.get(address)
        if found is None:
            found = self._held.get(address)
            if found is None:
                position = self.partition.index.get(address)
                if position is None:
                    return None
                state = self._book.state(address, position)
                found = (address, state.schema, state.used_s, state.state)
            self._young[address] = found
        if kind.settings.expires_s and now - found[2] > kind.settings.expires_s:
            return None
        if found[1] != (self.schemas.get(kind) or self.schema(kind)):
            found = self._revived(found, kind)
            self._young[address] = found
        return found

    def seal(self) -> int:
        """Write what the open frame changes here, and begin anew; returns how many states it was."""
        dirty = self.dirty
        if not dirty:
            return 0
        self.dirty = {}
        gone = [address for address, state in dirty.items() if state is None]
        for address in gone:
            del dirty[address]
            self._young.pop(address, None)
            self._held.pop(address, None)
            if address in self.partition.index:
                self.write(Gone(address))
        self._book.write_states(self.partition, dirty.values())  # type: ignore[arg-type]  # no None is left
        self._young.update(dirty)  # type: ignore[arg-type]
        return len(dirty) + len(gone)

    def age(self, most: int) -> None:
        """Forget decoded states that were not looked at for two generations of `most` states each."""
        if len(self._young) > most:
            self._held = self._young
            self._young = {}

    def _revived(self, found: Stored, kind: Kind) -> Stored:
        address, schema, used_s, packed = found
        known = self.partition.desk.schemas.get(schema)
        if known is None or known.kind != kind.settings.name:
            raise StateUnreadableError(f"the state of {address} was stored under an unknown schema")
        agent = kind.revive(packed, known.version, tuple(known.fields))
        return (address, self.schema(kind), used_s, ENCODE(agent))

    def _find(self, kind: Kind) -> int:
        schemas = self.partition.desk.schemas
        for number, known in schemas.items():
            if (known.kind, known.version, tuple(known.fields)) == (
                kind.settings.name,
                kind.settings.version,
                kind.fields,
            ):
                return number
        number = max(schemas, default=0) + 1
        self.write(Schema(number, kind.settings.name, kind.settings.version, list(kind.fields)))
        return number


@dataclass(slots=True, eq=False)
class Waiting:
    """A turn that has suspended.

    Attributes:
        item: the message it handles.
        before: the state it began from.
        agent: its own copy of it.
        coroutine: the handler.
        results: what it asked for, by number.
        pending: numbers it waits for now.
        awaited: what its handler awaits.
        written: whether the journal knows of it.
        unwritten: results that the journal does not know yet.
        recalled: the last number that the journal knew when it was run again after a crash.
        ready: whether it is about to go on.
        resume: gives the handler its value where an event loop has taken it over.
    """

    seat: Seat
    number: int
    item: Item
    turn: Turn
    before: Stored | None
    agent: Agent
    coroutine: Coroutine[Any, Any, Any]
    results: dict[int, Result] = field(default_factory=dict)
    pending: dict[int, Asked] = field(default_factory=dict)
    awaited: Asked | None = None
    written: bool = False
    unwritten: dict[int, Result] = field(default_factory=dict)
    recalled: int = 0
    ready: bool = False
    resume: Callable[[Any, Exception | None], None] | None = None


@dataclass(slots=True)
class Counts:
    """What happened since the host began."""

    turns: int = 0
    failures: int = 0
    dead: int = 0
    suspended: int = 0
    refused: int = 0
    stuck: int = 0


def _no_loop(waiting: Waiting, awaited: Any) -> None:
    told = f"{waiting.turn.address} awaits {awaited!r}, which is not of its turn"
    raise TurnError(told, mend="use turn.call for what is outside")


@dataclass(slots=True)
class Context:
    """What the parts of one host share.

    Attributes:
        seats: by partition; None for those that other hosts have.
        now: wall time in seconds, as last told.
        queue: messages that may be handled now.
        ready: suspended turns that have all they waited for.
        newly: items that wait and are not in the journal's mail yet.
        release: what leaves with the open frame.
        current: the message whose handler runs right now, for whoever watches over its time.
        load: what waits, in messages and bytes.
        signals: what the host tells of itself.
        adopt: takes over a handler that awaits something of the event loop.
    """

    kinds: dict[str, Kind]
    seats: list[Seat | None]
    now: float = 0.0
    queue: deque[Item] = field(default_factory=deque)
    ready: deque["Waiting"] = field(default_factory=deque)
    newly: list[Item] = field(default_factory=list)
    release: Release = field(default_factory=Release)
    current: Item | None = None
    counts: Counts = field(default_factory=Counts)
    load: Load = field(default_factory=Load)
    signals: Signals = field(default_factory=Signals)
    adopt: Callable[["Waiting", Any], None] = field(default=_no_loop)

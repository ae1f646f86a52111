"""Records: what a frame is made of, and their one codec.

A record on disk is a head (check sum, length, partition, kind) and a msgpack array of its fields. The kind
is the record's place in `KINDS`, which only grows at its end; so do the fields of a record, with a default.
The check sum covers the head as well, so that a state can be read back alone and be trusted.

Knows nothing of frames, of files, or of what a message or a state holds: those are bytes here.
"""

from struct import Struct
from zlib import crc32

import msgspec

from lamplighter.runtime.agents.store.errors import DamagedError

HEAD = Struct("<IIHB")
"""Check sum, bytes of the body, partition, kind."""
HEAD_BYTES = HEAD.size


class State(msgspec.Struct, array_like=True, gc=False):
    """The whole state of an agent after a turn: it replaces the one before.

    Args:
        address: the agent's.
        schema: number of the `Schema` record that says the kind and the fields.
        used_s: wall time of the turn, whole seconds, for expiry.
        state: the packed fields.
    """

    address: str
    schema: int
    used_s: int
    state: bytes


class Gone(msgspec.Struct, array_like=True, gc=False):
    """An agent was deleted or has expired: its state is gone, its mail is not."""

    address: str


class Mail(msgspec.Struct, array_like=True, gc=False):
    """A message was accepted for an agent and is not handled yet. Its number orders an agent's mail."""

    number: int
    address: str
    message: bytes


class Done(msgspec.Struct, array_like=True, gc=False):
    """The mail of this number has been handled."""

    number: int


class Heard(msgspec.Struct, array_like=True, gc=False):
    """All messages of these senders up to the sequence given have been accepted.

    Args:
        at_s: wall time, for forgetting senders that are idle.
        marks: sender (a partition or a client's session) to sequence.
    """

    at_s: float
    marks: dict[str, int]


class Forgot(msgspec.Struct, array_like=True, gc=False):
    """A sender was idle for too long: its mark and the answers kept for it are dropped."""

    sender: str


class Answer(msgspec.Struct, array_like=True, gc=False):
    """The answer to a sender's message, kept until the sender has it."""

    sender: str
    sequence: int
    answer: bytes


class Received(msgspec.Struct, array_like=True, gc=False):
    """A sender has the answers to its messages up to this sequence."""

    sender: str
    sequence: int


class Out(msgspec.Struct, array_like=True, gc=False):
    """A message to an agent of a partition on another host, kept until that partition has accepted it."""

    to: int
    sequence: int
    message: bytes


class Acked(msgspec.Struct, array_like=True, gc=False):
    """Partition `to` has accepted all messages up to this sequence."""

    to: int
    sequence: int


class Timer(msgspec.Struct, array_like=True, gc=False):
    """A message that falls due at a wall time. `(turn, n)` names the timer."""

    turn: int
    n: int
    address: str
    due_s: float
    message: bytes


class Fired(msgspec.Struct, array_like=True, gc=False):
    """A timer's message was handed over, or the timer was cancelled."""

    turn: int
    n: int


class Started(msgspec.Struct, array_like=True, gc=False):
    """A turn has suspended for the first time; after a crash it runs again from its message."""

    turn: int
    address: str
    message: bytes


class Result(msgspec.Struct, array_like=True, gc=False):
    """What the n-th call of a suspended turn was (its digest) and what came of it."""

    turn: int
    n: int
    asked: bytes
    result: bytes


class Ended(msgspec.Struct, array_like=True, gc=False):
    """A suspended turn has committed or was given up."""

    turn: int


class Dead(msgspec.Struct, array_like=True, gc=False):
    """A dead letter: a message that could not be handled, with the reason."""

    number: int
    address: str
    message: bytes
    reason: str
    at_s: float


class Buried(msgspec.Struct, array_like=True, gc=False):
    """A dead letter was taken away: thrown away or sent again."""

    number: int


class Schema(msgspec.Struct, array_like=True, gc=False):
    """What the states under this number are: the agents' kind, its version and its fields in order."""

    number: int
    kind: str
    version: int
    fields: list[str]


class Counters(msgspec.Struct, array_like=True, gc=False):
    """The next free numbers of a partition, and the last sequence sent to each other one."""

    mail: int
    turn: int
    sent: dict[int, int]


Record = (
    State
    | Gone
    | Mail
    | Done
    | Heard
    | Forgot
    | Answer
    | Received
    | Out
    | Acked
    | Timer
    | Fired
    | Started
    | Result
    | Ended
    | Dead
    | Buried
    | Schema
    | Counters
)

KINDS: tuple[type[Record], ...] = (
    State,
    Gone,
    Mail,
    Done,
    Heard,
    Forgot,
    Answer,
    Received,
    Out,
    Acked,
    Timer,
    Fired,
    Started,
    Result,
    Ended,
    Dead,
    Buried,
    Schema,
    Counters,
)
"""A record's kind on disk is its place here. Only ever add at the end."""

STATE = KINDS.index(State)
KIND_OF: dict[type[Record], int] = {kind: number for number, kind in enumerate(KINDS)}
ON_INDEX = frozenset({STATE, KINDS.index(Gone)})
"""Kinds of which a partition's index is made; all others lie on its desk."""
_DECODERS = [msgspec.msgpack.Decoder(kind).decode for kind in KINDS]
encode = msgspec.msgpack.Encoder().encode


class Addressed(msgspec.Struct, array_like=True, gc=False):
    """The first field of a `State`: all of it that the index needs."""

    address: str


addressed = msgspec.msgpack.Decoder(Addressed).decode
"""Reads the address of a packed `State` and leaves the rest."""


def pack(buffer: bytearray, partition: int, record: Record) -> None:
    """Append a record of a partition (0 to 65,535) to a buffer."""
    body = encode(record)
    kind = KIND_OF[type(record)]
    length = len(body)
    buffer += HEAD.pack(crc32(body, seed(length, partition, kind)), length, partition, kind)
    buffer += body


def seed(length: int, partition: int, kind: int) -> int:
    """What a record's check sum begins with, so that it covers the head too."""
    return length << 8 ^ partition << 5 ^ kind


def state_in(data: bytes) -> State | None:
    """Return the state whose record these bytes begin with; None unless it is whole and sound.

    Called for each agent that is woken, so it is written out; `unpack` says what is wrong.
    """
    if len(data) < HEAD_BYTES:
        return None
    summed, length, partition, kind = HEAD.unpack_from(data)
    body = data[HEAD_BYTES : HEAD_BYTES + length]
    if kind != STATE or len(body) != length or crc32(body, length << 8 ^ partition << 5 ^ kind) != summed:
        return None
    return _decode_state(body)


_decode_state = msgspec.msgpack.Decoder(State).decode


def unpack(data: bytes | memoryview, offset: int, *, check: bool = True) -> tuple[int, Record, int]:
    """Return a record's partition, the record, and where the next one begins.

    Args:
        data: whole records one after the other.
        offset: where in it this one begins.
        check: compare the check sum; not needed where the frame's own was.

    Raises:
        DamagedError: the bytes are not what was written, or end too early.
    """
    if offset + HEAD_BYTES > len(data):
        raise DamagedError(f"a record at offset {offset} is cut off")
    summed, length, partition, kind = HEAD.unpack_from(data, offset)
    start = offset + HEAD_BYTES
    end = start + length
    if end > len(data) or kind >= len(KINDS):
        raise DamagedError(f"a record at offset {offset} is cut off or of an unknown kind ({kind})")
    body = data[start:end]
    if check and crc32(body, seed(length, partition, kind)) != summed:
        raise DamagedError(f"a record at offset {offset} does not match its check sum")
    try:
        return partition, _DECODERS[kind](body), end
    except msgspec.DecodeError as error:
        raise DamagedError(f"a {KINDS[kind].__name__} record at offset {offset} cannot be read") from error

"""What goes from one turn to another: messages, answers and wake-up calls, and their codec.

The journal keeps these as opaque bytes: accepted mail, what is on its way out, timers, suspended turns and
dead letters.
"""

from typing import Literal

import msgspec

Status = Literal[0, 1, 2]
PENDING: Literal[0] = 0
"""Asked for, and no answer yet."""
VALUE: Literal[1] = 1
"""The answer is an encoded value."""
ERROR: Literal[2] = 2
"""The answer is an error: its code and message, encoded as a pair."""


class ToSender(msgspec.Struct, array_like=True, tag=0, frozen=True, gc=False):
    """Answer a client's session; an empty name is a caller in the host's own process, gone after a crash."""

    sender: str
    sequence: int


class ToTurn(msgspec.Struct, array_like=True, tag=1, frozen=True, gc=False):
    """Answer the n-th question of a suspended turn."""

    partition: int
    turn: int
    n: int


class Letter(msgspec.Struct, array_like=True, tag=0, gc=False):
    """A message to an agent.

    Args:
        address: of the agent.
        payload: the encoded message.
        answer_to: who waits for an answer, if anyone does.
        chain: the agents that wait, directly or not, for this answer.
        since: for a turn that has begun, its wall time.
    """

    address: str
    payload: bytes
    answer_to: ToSender | ToTurn | None = None
    chain: tuple[str, ...] = ()
    since: float = 0.0


class Reply(msgspec.Struct, array_like=True, tag=1, gc=False):
    """An answer on its way to a suspended turn of another partition."""

    turn: int
    n: int
    status: int
    payload: bytes


class Outcome(msgspec.Struct, array_like=True, gc=False):
    """What came of something that a turn waits for; pending ones keep their deadline (wall time)."""

    status: int
    payload: bytes = b""
    deadline: float = 0.0


encode = msgspec.msgpack.Encoder().encode
parcel = msgspec.msgpack.Decoder(Letter | Reply).decode
letter = msgspec.msgpack.Decoder(Letter).decode
outcome = msgspec.msgpack.Decoder(Outcome).decode
failure = msgspec.msgpack.Decoder(tuple[str, str]).decode
_kept = msgspec.msgpack.Decoder(tuple[int, bytes]).decode


def status(number: int) -> Status:
    """Return a status that was read back."""
    return ERROR if number == ERROR else VALUE


def kept(answer: bytes) -> tuple[Status, bytes]:
    """Return the status and payload of an answer that is kept for its client."""
    number, payload = _kept(answer)
    return status(number), payload

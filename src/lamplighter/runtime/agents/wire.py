"""How clients and hosts talk over a stream: length-prefixed batches of msgpack, many messages to a batch.

client ─▶ Hello, Offers, Have ─▶ host        host ─▶ Told ─▶ client        host ◀─ Links ─▶ host
caller ─▶ Singles, Forget     ─▶ host        host ─▶ Told ─▶ caller
inspector ─▶ Inspect          ─▶ host        host ─▶ Told ─▶ inspector
"""

import asyncio
from collections.abc import Callable
from struct import Struct
from typing import Any

import msgspec

from lamplighter.runtime.agents.errors import TurnError
from lamplighter.runtime.agents.inspection.values import Query
from lamplighter.runtime.agents.links import Link

LENGTH = Struct("<I")
FRAME_BYTES_MAX = 64 << 20
BUFFER_BYTES = 256 << 10


class Hello(msgspec.Struct, array_like=True, tag=0, gc=False):
    """A client's session begins or goes on: answers that wait for it are sent."""

    sender: str


class Offer(msgspec.Struct, array_like=True, gc=False):
    """A client's messages for one partition, with contiguous sequence numbers from `first` on."""

    partition: int
    first: int
    addresses: list[str]
    payloads: list[bytes]
    answers: bool


class Offers(msgspec.Struct, array_like=True, tag=1, gc=False):
    """A batch of a client's messages."""

    offers: list[Offer]


class Have(msgspec.Struct, array_like=True, tag=2, gc=False):
    """A client has the answers to its messages up to these sequences: (partition, sequence)."""

    upto: list[tuple[int, int]]


class Links(msgspec.Struct, array_like=True, tag=3, gc=False):
    """What one host sends another."""

    host: int
    links: list[Link]


class Single(msgspec.Struct, array_like=True, gc=False):
    """A message whose sender keeps no session: it is its session's only one.

    Args:
        number: names what is told of it on this connection.
        sender: the session; whoever sends under it again means the same message, and gets the same answer.
        answers: whether its answer is kept for whoever asks.
    """

    number: int
    sender: str
    address: str
    payload: bytes
    answers: bool


class Singles(msgspec.Struct, array_like=True, tag=8, gc=False):
    """A batch of such messages."""

    singles: list[Single]


class Forget(msgspec.Struct, array_like=True, tag=9, gc=False):
    """Nobody will send under these sessions again: (partition, sender)."""

    sessions: list[tuple[int, str]]


class Inspect(msgspec.Struct, array_like=True, tag=12, gc=False):
    """A question about the shard; answered in `Told.singles`, under the number 0."""

    query: Query


class Numbered(msgspec.Struct, array_like=True, gc=False):
    """Messages for one partition that a broker has numbered; see `numbered.Stretch`."""

    partition: int
    after: int
    sequences: list[int]
    addresses: list[str]
    payloads: list[bytes]


class Stretches(msgspec.Struct, array_like=True, tag=20, gc=False):
    """A batch of such messages."""

    stretches: list[Numbered]


class Told(msgspec.Struct, array_like=True, gc=False):
    """What a host tells a client, all of it durable.

    Args:
        accepted: (partition, sequence) up to which messages are accepted.
        again: (partition, sequence) from which they are to be sent again, after a while.
        answers: (partition, sequence, status, payload).
        singles: (number, status, payload); pending means accepted for good.
    """

    accepted: list[tuple[int, int]]
    again: list[tuple[int, int]]
    answers: list[tuple[int, int, int, bytes]]
    singles: list[tuple[int, int, bytes]] = []


ToHost = Hello | Offers | Have | Links | Singles | Forget | Inspect | Stretches
_encode = msgspec.msgpack.Encoder().encode
to_host = msgspec.msgpack.Decoder(ToHost).decode
to_client = msgspec.msgpack.Decoder(Told).decode


def framed(value: Any) -> bytes:
    """Return a value as it goes over the wire."""
    packed = _encode(value)
    return LENGTH.pack(len(packed)) + packed


class Stream(asyncio.BufferedProtocol):
    """One end of a connection: cuts what comes in into frames.

    Args:
        took: called with each frame's bytes.
        lost: called once when the connection is gone.
    """

    def __init__(self, took: Callable[["Stream", bytes], None], lost: Callable[["Stream"], None]) -> None:
        self._took = took
        self._lost = lost
        self._buffer = bytearray(BUFFER_BYTES)
        self._filled = 0
        self.transport: asyncio.Transport | None = None
        self.sender = ""
        """The session that speaks on it, once it has said so."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        del exc
        self.transport = None
        self._lost(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`."""
        del sizehint
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        self._filled += nbytes
        begin = 0
        wanted = 0
        while self._filled - begin >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer, begin)
            wanted = LENGTH.size + length
            if length > FRAME_BYTES_MAX:
                self.close()
                return
            if self._filled - begin < wanted:
                break
            self._took(self, bytes(memoryview(self._buffer)[begin + LENGTH.size : begin + wanted]))
            begin += wanted
        self._filled -= begin
        size = max(wanted, self._filled + 1, BUFFER_BYTES)
        if size > len(self._buffer):  # another one: the transport still holds this one
            self._buffer = self._buffer[begin : begin + self._filled] + bytes(size - self._filled)
        elif begin:
            self._buffer[: self._filled] = self._buffer[begin : begin + self._filled]

    def write(self, value: Any) -> None:
        """Send a value, if the connection is still there."""
        if self.transport is not None:
            self.transport.write(framed(value))

    def close(self) -> None:
        """Close the connection."""
        if self.transport is not None:
            self.transport.abort()


def decoded(payload: bytes, answer: Any) -> Any:
    """Decode an answer as a type.

    Raises:
        TurnError: it is another one.
    """
    try:
        return msgspec.msgpack.decode(payload, type=answer)
    except msgspec.DecodeError as error:
        raise TurnError(f"the answer is not what was expected: {error}") from error

"""Snapshots: the index and the desk of one partition as they were between two frames.

`capture` copies what must not change any more, which takes a millisecond or two; `write` does the rest in any
thread, in steps that let others run. A snapshot holds no states: those stay where they are in the journal.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from zlib import crc32

import msgspec

from lamplighter.runtime.agents.store.disk import Disk
from lamplighter.runtime.agents.store.errors import DamagedError
from lamplighter.runtime.agents.store.journal import Point
from lamplighter.runtime.agents.store.partition import Partition
from lamplighter.runtime.agents.store.records import pack, unpack

MAGIC = b"LAMPSNP1"
SUFFIX = ".snapshot"
SUM_BYTES = 4
CHUNK = 4096
"""Entries of the index that are encoded at once, about half a millisecond; then others may run."""


class Head(msgspec.Struct, array_like=True):
    """What comes first in a snapshot.

    Args:
        partition: its number.
        sequence: of the last frame that is in it.
        segment: where the next frame stands, or would.
        offset: its place in that segment.
        written: states by segment, as in `Partition`.
        stale: likewise.
        agents: entries in the index.
    """

    partition: int
    sequence: int
    segment: int
    offset: int
    written: dict[int, int]
    stale: dict[int, int]
    agents: int


@dataclass(frozen=True, slots=True)
class Capture:
    """A partition between two frames, not on the disk yet."""

    head: Head
    index: dict[str, int]
    desk: bytearray

    @property
    def point(self) -> Point:
        """Up to where the journal is in it."""
        return Point(self.head.sequence, self.head.segment, self.head.offset)


def name(partition: int) -> str:
    """The name of a partition's snapshot."""
    return f"{partition:05d}{SUFFIX}"


def capture(partition: Partition, point: Point) -> Capture:
    """Copy a partition as it is. The open frame must be empty, and `point` the end of the last one."""
    desk = bytearray()
    for record in partition.desk.records():
        pack(desk, partition.number, record)
    counts = (dict(partition.written), dict(partition.stale), len(partition.index))
    head = Head(partition.number, point.sequence, point.segment, point.offset, *counts)
    return Capture(head, partition.index.copy(), desk)


def write(disk: Disk, taken: Capture) -> None:
    """Write a snapshot in the place of the partition's last one. Its last frame must be durable by now."""
    disk.replace(name(taken.head.partition), _summed(_parts(taken)))


def read(disk: Disk, number: int) -> tuple[Partition, Point] | None:
    """Return a partition as its snapshot has it, and up to where; None if it has none.

    Raises:
        DamagedError: the snapshot was altered.
    """
    try:
        data = disk.read(name(number), 0, disk.size(name(number)))
    except FileNotFoundError:
        return None
    if data[: len(MAGIC)] != MAGIC or data[-SUM_BYTES:] != _sum(crc32(memoryview(data)[:-SUM_BYTES])):
        raise DamagedError(f"{name(number)} was altered", mend="restore the host's folder from a backup")
    parts = _sections(data)
    head = msgspec.msgpack.decode(next(parts), type=Head)
    partition = Partition(number)
    partition.written.update(head.written)
    partition.stale.update(head.stale)
    _desk(partition, next(parts))
    for addresses in parts:
        positions = array("Q")
        positions.frombytes(next(parts))
        partition.index.update(zip(_addresses(addresses), positions, strict=True))
    if head.partition != number or len(partition.index) != head.agents:
        raise DamagedError(f"{name(number)} holds another partition, or not all of this one")
    return partition, Point(head.sequence, head.segment, head.offset)


_addresses = msgspec.msgpack.Decoder(list[str]).decode


def _desk(partition: Partition, data: memoryview) -> None:
    offset = 0
    while offset < len(data):
        _, record, offset = unpack(data, offset, check=False)
        partition.desk.fold(record)


def _parts(taken: Capture) -> Iterator[bytes | bytearray]:
    """The sections of a snapshot, each after its length: head, desk, then addresses and positions in turn."""
    encode = msgspec.msgpack.encode
    yield from _section(encode(taken.head))
    yield from _section(taken.desk)
    addresses, positions = iter(taken.index), iter(taken.index.values())
    while chunk := list(islice(addresses, CHUNK)):
        yield from _section(encode(chunk))
        yield from _section(array("Q", islice(positions, CHUNK)).tobytes())


def _summed(parts: Iterable[bytes | bytearray]) -> Iterator[bytes | bytearray]:
    """The parts, and at the end their check sum. Each is written by itself, so that others run in between."""
    summed = crc32(MAGIC)
    yield MAGIC
    for part in parts:
        summed = crc32(part, summed)
        yield part
    yield _sum(summed)


def _sum(value: int) -> bytes:
    return value.to_bytes(SUM_BYTES, "little")


def _section(data: bytes | bytearray) -> tuple[bytes, bytes | bytearray]:
    return len(data).to_bytes(8, "little"), data


def _sections(data: bytes) -> Iterator[memoryview]:
    view, offset = memoryview(data)[:-SUM_BYTES], len(MAGIC)
    while offset < len(view):
        length = int.from_bytes(view[offset : offset + 8], "little")
        yield view[offset + 8 : offset + 8 + length]
        offset += 8 + length

"""Sweep: goes through an old segment and copies what still lives of it to the end of the journal.

Then nothing refers to the segment and it can be removed. It goes in small steps between turns: a sweep that
looks at twice as many records as are written keeps up with any load.
"""

from collections.abc import Callable
from zlib import crc32

import msgspec

from lamplighter.runtime.agents.store.disk import Disk
from lamplighter.runtime.agents.store.errors import DamagedError
from lamplighter.runtime.agents.store.frames import FRAME, FRAME_END, SEGMENT, head_at
from lamplighter.runtime.agents.store.journal import Journal, segment_name
from lamplighter.runtime.agents.store.partition import OFFSET_BITS, Partition
from lamplighter.runtime.agents.store.records import (
    HEAD,
    HEAD_BYTES,
    STATE,
    Gone,
    State,
    addressed,
    seed,
    unpack,
)

Expired = Callable[[State], bool]


class Sweep:
    """One segment being swept. It was synced whole and nothing is appended to it any more."""

    def __init__(self, disk: Disk, segment: int, expired: Expired) -> None:
        """Begin at the segment's start.

        Args:
            disk: where the segment is.
            segment: its number.
            expired: whether an agent has not been used for so long that it is to go.
        """
        self.segment = segment
        self._disk = disk
        self._expired = expired
        self._name = segment_name(segment)
        self._size = disk.size(self._name)
        self._next = SEGMENT.size
        self._payload = b""
        self._at = 0
        self._base = 0

    def step(self, journal: Journal, partitions: list[Partition], budget: int) -> bool:
        """Look at up to `budget` records, and copy those that live; return whether the end was reached."""
        while budget > 0:
            if self._at >= len(self._payload) and not self._load():
                return True
            budget = self._pass(journal, partitions, budget)
        return False

    def _load(self) -> bool:
        """Read the next frame; False at the end."""
        if self._next >= self._size:
            return False
        head = head_at(memoryview(self._disk.read(self._name, self._next, FRAME.size)), 0)
        if head is None:
            raise DamagedError(f"{self._name} was altered in the frame at offset {self._next}")
        self._base = self._next + FRAME.size
        self._payload = self._disk.read(self._name, self._base, head[1])
        self._at = 0
        self._next = self._base + head[1] + len(FRAME_END)
        return True

    def _pass(self, journal: Journal, partitions: list[Partition], budget: int) -> int:
        """Go through the frame at hand; return what is left of the budget. A hot loop."""
        data, at, base = memoryview(self._payload), self._at, (self.segment << OFFSET_BITS) + self._base
        while budget > 0 and at < len(data):
            summed, length, number, kind = HEAD.unpack_from(data, at)
            following = at + HEAD_BYTES + length
            budget -= 1
            if kind == STATE:
                body = data[at + HEAD_BYTES : following]
                partition = partitions[number]
                address = self._address(body, at)
                if partition.index.get(address) == base + at:
                    if crc32(body, seed(length, number, kind)) != summed:
                        raise DamagedError(f"{self._name} was altered in the state of {address}")
                    self._keep(journal, partition, address, data[at:following])
            at = following
        self._at = at
        return budget

    def _address(self, body: memoryview, at: int) -> str:
        try:
            return addressed(body).address
        except msgspec.DecodeError as error:
            raise DamagedError(f"{self._name} was altered in the record at {self._base + at}") from error

    def _keep(self, journal: Journal, partition: Partition, address: str, packed: memoryview) -> None:
        """Copy a living state, or let go of an agent that has expired."""
        state = unpack(packed, 0, check=False)[1]
        if type(state) is State and self._expired(state):
            journal.write(partition, Gone(address))
        else:
            journal.copy(partition, address, packed)

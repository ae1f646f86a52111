"""A partition in memory: where each agent's state stands in the journal, and the desk.

An idle agent is one entry of `index`: its address and a position, a plain int. Nothing here reads or writes;
`fold` takes in each record as it is written, and again as it is read back after a crash.
"""

from collections import defaultdict

from lamplighter.runtime.agents.store.desk import Desk
from lamplighter.runtime.agents.store.records import Gone, Record, State

OFFSET_BITS = 30
"""A position is `segment << OFFSET_BITS | offset`: a segment may have up to 1 GiB, and 2**30 of them."""


class Partition:
    """One partition of a host's agents.

    `written` and `stale` count, by segment, the states written there and those that are no longer the last
    of their agent; a segment where they are equal holds nothing that lives.
    """

    __slots__ = ("desk", "index", "number", "stale", "written")

    def __init__(self, number: int) -> None:
        """Begin empty."""
        self.number = number
        self.index: dict[str, int] = {}
        self.desk = Desk()
        self.written: dict[int, int] = defaultdict(int)
        self.stale: dict[int, int] = defaultdict(int)

    def fold(self, record: Record, position: int) -> None:
        """Take a record in that stands at this position of the journal."""
        if type(record) is State:
            self.moved(self.index.get(record.address), position)
            self.index[record.address] = position
        elif type(record) is Gone:
            before = self.index.pop(record.address, None)
            if before is not None:
                self._stale(before)
        else:
            self.desk.fold(record)

    def moved(self, before: int | None, position: int) -> None:
        """Count a state that was written, and the one it replaces, if any."""
        segment = position >> OFFSET_BITS
        self.written[segment] += 1
        if before is not None:
            self._stale(before)

    def _stale(self, position: int) -> None:
        self.stale[position >> OFFSET_BITS] += 1

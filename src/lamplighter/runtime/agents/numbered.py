"""Messages that somebody else has numbered: a broker's offsets, which grow but have gaps.

A host accepts them by the sender's mark, as a client's; what takes the place of contiguous numbers is that
each batch says which number its sender offered before it. One that does not fit on is not taken, and the
sender goes back.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lamplighter.runtime.agents.seats import Context, Seat


@dataclass(frozen=True, slots=True)
class Stretch:
    """Messages for one partition, in the order of their numbers.

    Args:
        after: the number of the message that the sender offered to the partition before these; 0 where all
            before the first of these were accepted.
        sequences: their numbers, growing.
    """

    after: int
    sequences: Sequence[int]
    addresses: Sequence[str]
    payloads: Sequence[bytes]


class Numbered:
    """What was offered so, until it is accepted.

    Args:
        context: the host's.
        is_full: whether an agent of a seat has no room for another message.
    """

    def __init__(self, context: Context, is_full: Callable[[Seat, str], bool]) -> None:
        self._context = context
        self._is_full = is_full
        self._offered: deque[tuple[Seat, str, Stretch]] = deque()

    def __bool__(self) -> bool:
        """Whether there is something to accept."""
        return bool(self._offered)

    def offer(self, partition: int, sender: str, stretch: Stretch) -> None:
        """Offer messages; what becomes of them is told in `Release.accepted` and `Release.again`."""
        seat = self._context.seats[partition % len(self._context.seats)]
        if seat is not None:
            self._offered.append((seat, sender, stretch))

    def admit(self) -> bool:
        """Accept the next batch as far as it is new, fits on, and has room; returns whether there was one."""
        if not self._offered:
            return False
        seat, sender, stretch = self._offered.popleft()
        mark = seat.heard.get(sender)
        if mark is None:
            mark = seat.partition.desk.marks.get(sender, 0)
        if stretch.after > mark:
            self._context.release.again[sender, seat.number] = mark + 1
            return True
        for n in range(bisect_right(stretch.sequences, mark), len(stretch.sequences)):
            address = stretch.addresses[n]
            if address in seat.busy and self._is_full(seat, address):
                self._context.release.again[sender, seat.number] = stretch.sequences[n]
                break
            self._context.queue.append((seat, address, stretch.payloads[n], None))
            mark = stretch.sequences[n]
        seat.heard[sender] = mark
        return True

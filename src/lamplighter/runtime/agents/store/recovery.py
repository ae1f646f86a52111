"""Recovery: from the files of a host to its partitions as they were after the last durable frame.

Each partition begins with its snapshot, if it has one; then every frame from the oldest of these on is
folded, record by record, by the same code that folded it when it was written. What a crash left unfinished at
the very end is cut off. Anything else that does not fit is refused: a gap in the sequence, an altered frame,
a missing segment, an epoch that runs backwards.
"""

from dataclasses import dataclass

from lamplighter.runtime.agents.store import snapshots
from lamplighter.runtime.agents.store.card import Card
from lamplighter.runtime.agents.store.disk import Disk
from lamplighter.runtime.agents.store.errors import DamagedError
from lamplighter.runtime.agents.store.frames import SEGMENT, Frame, frames, header
from lamplighter.runtime.agents.store.journal import HOST_BITS, Point, segment_name
from lamplighter.runtime.agents.store.partition import OFFSET_BITS, Partition
from lamplighter.runtime.agents.store.records import HEAD, HEAD_BYTES, STATE, addressed, unpack

SUFFIX = ".segment"


@dataclass(slots=True)
class Recovered:
    """What was found.

    Args:
        partitions: by number.
        points: up to where each partition's snapshot goes.
        end: where the journal ends.
        segments: bytes of each segment there is.
        replayed: records that were folded after the snapshots.
        cut_bytes: what was left of an unfinished frame and was cut off.
    """

    partitions: list[Partition]
    points: list[Point]
    end: Point
    segments: dict[int, int]
    replayed: int = 0
    cut_bytes: int = 0


def recover(disk: Disk, card: Card) -> Recovered:
    """Read back what a host's folder holds, and cut off what a crash left unfinished at its end.

    Args:
        disk: the folder, held by this process.
        card: as found, before this ownership.

    Raises:
        DamagedError: something was altered or is missing; nothing was changed.
    """
    beginning = Point(0, card.host << HOST_BITS, 0)
    partitions, points = [], []
    for number in range(card.partitions):
        found = snapshots.read(disk, number)
        partition, point = found or (Partition(number), beginning)
        partitions.append(partition)
        points.append(point)
    names = [name for name in disk.names() if name.endswith(SUFFIX)]
    segments = {int(name.removesuffix(SUFFIX), 16): disk.size(name) for name in names}
    recovered = Recovered(partitions, points, min(points, key=lambda point: point.sequence), segments)
    _Tail(disk, card, recovered).replay()
    _complete(recovered)
    return recovered


class _Tail:
    """The part of the journal that is replayed."""

    def __init__(self, disk: Disk, card: Card, recovered: Recovered) -> None:
        self._disk = disk
        self._card = card
        self._found = recovered
        self._epoch = 0

    def replay(self) -> None:
        """Fold every frame after the snapshots, check that none is missing, cut off the unfinished end."""
        found = self._found
        segments = [segment for segment in sorted(found.segments) if segment >= found.end.segment]
        cut: tuple[int, int] | None = None
        for segment in segments:
            last = segment == segments[-1]
            upto = self._segment(segment, last=last)
            if upto < found.segments[segment]:
                cut = (segment, upto)
        self._check_end()
        if cut is not None:
            self._cut(*cut)

    def _segment(self, segment: int, *, last: bool) -> int:
        """Replay one segment; return how many bytes of it are sound."""
        name = segment_name(segment)
        data = self._disk.read(name, 0, self._found.segments[segment])
        head = header(data, segment)
        if head is None:
            if not last:
                raise DamagedError(f"{name} is not finished though others follow it")
            return 0
        end = self._found.end
        start = end.offset if segment == end.segment else SEGMENT.size
        if start == SEGMENT.size and head.sequence != end.sequence + 1:
            raise DamagedError(f"{name} begins with frame {head.sequence}; frame {end.sequence + 1} is due")
        if start > len(data):
            raise DamagedError(f"{name} is shorter than a snapshot says")
        for frame in frames(data, segment, start=start, last=last):
            self._frame(segment, frame)
            start = frame.end
        self._found.end = Point(self._found.end.sequence, segment, start)
        return start

    def _frame(self, segment: int, frame: Frame) -> None:
        """Check a frame's numbers and fold its records, each partition's only from its snapshot on."""
        due = self._found.end.sequence + 1
        if frame.sequence != due:
            raise DamagedError(f"frame {frame.sequence} stands where frame {due} is due")
        if not self._epoch <= frame.epoch <= self._card.epoch:
            raise DamagedError(f"frame {due} is of epoch {frame.epoch}: two hosts have written here")
        self._epoch = frame.epoch
        self._found.end = Point(frame.sequence, segment, frame.end)
        wanting = [point.sequence < frame.sequence for point in self._found.points]
        self._found.replayed += fold(frame, segment, self._found.partitions, wanting)

    def _check_end(self) -> None:
        """Compare the end with what snapshots and an orderly end say."""
        end, closed = self._found.end.sequence, self._card.closed
        newest = max(point.sequence for point in self._found.points)
        if end < newest or closed not in {-1, end}:
            raise DamagedError(
                f"the journal ends with frame {end}, but there was a frame {max(newest, closed)}",
                mend="restore the host's folder from a backup",
            )

    def _cut(self, segment: int, upto: int) -> None:
        name = segment_name(segment)
        self._found.cut_bytes = self._found.segments[segment] - upto
        if upto:
            self._disk.truncate(name, upto)
            self._found.segments[segment] = upto
        else:
            self._disk.remove(name)
            del self._found.segments[segment]


def fold(frame: Frame, segment: int, partitions: list[Partition], wanting: list[bool]) -> int:
    """Fold a frame's records into those partitions that want them; return how many these were.

    A hot loop, so states are folded here as `Partition.fold` does it, without decoding what they hold.
    """
    data, offset, end, count = frame.payload, 0, len(frame.payload), 0
    base = (segment << OFFSET_BITS) + frame.offset
    unpack_head = HEAD.unpack_from
    while offset < end:
        _, length, number, kind = unpack_head(data, offset)
        following = offset + HEAD_BYTES + length
        if number >= len(partitions):
            raise DamagedError(f"frame {frame.sequence} holds a record of partition {number}: there is none")
        if wanting[number]:
            count += 1
            partition = partitions[number]
            if kind == STATE:
                address = addressed(data[offset + HEAD_BYTES : following]).address
                partition.moved(partition.index.get(address), base + offset)
                partition.index[address] = base + offset
            else:
                partition.fold(unpack(data, offset, check=False)[1], base + offset)
        offset = following
    return count


def _complete(found: Recovered) -> None:
    """Check that every segment with a living state is there; forget the counts of those that are gone."""
    for partition in found.partitions:
        for segment in [number for number in partition.written if number not in found.segments]:
            if partition.written[segment] != partition.stale.get(segment, 0):
                raise DamagedError(
                    f"{segment_name(segment)} is missing, with states of partition {partition.number}",
                    mend="restore the host's folder from a backup",
                )
            del partition.written[segment]
            partition.stale.pop(segment, None)

"""The journal of a host: one frame under construction, at most one being synced, and all that is on the disk.

What decides writes records into the open frame and knows their positions at once. `seal` closes it; `commit`
blocks until it is durable and may run in a thread; `synced` says so to the journal. In between the next frame
fills. A state can be read back from its position wherever it stands by then.

Knows nothing of what records mean; time is handed in.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zlib import crc32

from lamplighter.runtime.agents.store.disk import Disk
from lamplighter.runtime.agents.store.errors import DamagedError, DiskError, TakenError, TooLargeError
from lamplighter.runtime.agents.store.frames import FRAME, SEGMENT, Header, framed
from lamplighter.runtime.agents.store.limits import Limits
from lamplighter.runtime.agents.store.partition import OFFSET_BITS, Partition
from lamplighter.runtime.agents.store.records import (
    HEAD,
    HEAD_BYTES,
    KIND_OF,
    ON_INDEX,
    STATE,
    Record,
    State,
    encode,
    state_in,
    unpack,
)

FRAME_BYTES = 4 << 20
"""From so much on the open frame should be sealed."""
RECORD_BYTES_MAX = 32 << 20
"""The largest record; a frame and a segment stay far below the gigabyte that a position can address."""
READ_BYTES = 512
"""How much is read at once: most states fit. Reading so much costs no more than reading its first byte."""
HOST_BITS = 22
"""A segment's number is `host << HOST_BITS | count`."""
OFFSET_MASK = (1 << OFFSET_BITS) - 1
DEFAULT = Limits()


def segment_name(segment: int) -> str:
    """The name of a segment's file."""
    return f"{segment:08x}.segment"


@dataclass(frozen=True, slots=True)
class Point:
    """A place between two frames.

    Args:
        sequence: of the last frame before it; 0 at the very beginning.
        segment: in which the next frame's head stands, or would.
        offset: where in it.
    """

    sequence: int
    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A closed frame, ready for the disk.

    Args:
        segment: where it goes.
        start: offset of its head in the segment.
        data: its bytes; a new segment's header stands before them.
        sequence: its number.
    """

    segment: int
    start: int
    data: bytes
    sequence: int

    def at(self, offset: int, length: int) -> bytes:
        """Bytes of it by their offset in the segment."""
        skipped = SEGMENT.size if self.start == SEGMENT.size else 0
        begin = offset - self.start + skipped
        return self.data[begin : begin + length]


class Journal:
    """Appends frames of records to segments, and reads single states back."""

    def __init__(
        self,
        disk: Disk,
        epoch: int,
        after: Point,
        limits: Limits = DEFAULT,
        owned: Callable[[], None] = lambda: None,
    ) -> None:
        """Go on after a point, in a new segment.

        Args:
            disk: where the segments are.
            epoch: of this ownership; higher than every one before.
            after: the end of what was written before; `Point(0, host << HOST_BITS, 0)` for a new host.
            limits: how large a segment grows.
            owned: raises if the folder is another's by now.
        """
        self.epoch = epoch
        self.failed = False
        self._disk = disk
        self._owned = owned
        self._segment_bytes = limits.segment_bytes
        self._segment = after.segment + 1
        self._end = SEGMENT.size
        self._sequence = after.sequence
        self._syncing: Sealed | None = None
        self._settled = self._segment << OFFSET_BITS
        """Everything at a lower position is on the disk."""
        self._names: dict[int, str] = {}
        self._open = bytearray()
        self._base = self._end + FRAME.size
        self.durable = after.sequence
        """Sequence of the last frame that is synced."""
        self.records = 0
        """Records written by this journal."""
        self.segments: set[int] = set()
        """Segments begun by this journal."""

    @property
    def end(self) -> Point:
        """The place after the last sealed frame."""
        return Point(self._sequence, self._segment, self._end)

    @property
    def full(self) -> bool:
        """Whether the open frame should be sealed for its size."""
        return len(self._open) >= FRAME_BYTES

    @property
    def empty(self) -> bool:
        """Whether the open frame has no record."""
        return not self._open

    @property
    def growing(self) -> int:
        """The segment to which the last frame goes or went, or the next one if that is whole and durable."""
        return self._segment if self._syncing is None else self._syncing.segment

    @property
    def syncing(self) -> bool:
        """Whether a sealed frame is not known to be durable yet; another cannot be sealed meanwhile."""
        return self._syncing is not None

    def write(self, partition: Partition, record: Record) -> int:
        """Put a record into the open frame, fold it into its partition, and return its position.

        Raises:
            TooLargeError: the record alone is larger than a frame may be; nothing was written.
            DiskError: the disk has failed before; the host must end.
        """
        if self.failed:
            raise DiskError("the disk has failed; this host must end")
        body = encode(record)
        length, number, kind = len(body), partition.number, KIND_OF[type(record)]
        if length > RECORD_BYTES_MAX:
            raise TooLargeError(
                f"a record of {length} bytes is larger than the {RECORD_BYTES_MAX} that a frame may hold",
                mend="keep less in one agent, or send smaller messages",
            )
        data = self._open
        position = self._segment << OFFSET_BITS | self._base + len(data)
        data += HEAD.pack(crc32(body, length << 8 ^ number << 5 ^ kind), length, number, kind)
        data += body
        self.records += 1
        if kind in ON_INDEX:
            partition.fold(record, position)
        else:
            partition.desk.fold(record)
        return position

    def write_states(self, partition: Partition, states: Iterable[tuple[str, int, int, bytes]]) -> None:
        """Put many states of a partition into the open frame: as `write` of each, in a third of the time.

        The one loop that every turn goes through, so it is written out. The caller has checked the sizes.

        Args:
            partition: whose they are.
            states: the fields of `State` in order: address, schema, used_s, packed state.
        """
        if self.failed:
            raise DiskError("the disk has failed; this host must end")
        data, index, stale, number = self._open, partition.index, partition.stale, partition.number
        base = (self._segment << OFFSET_BITS) + self._base
        head, count, partition_seed = HEAD.pack, 0, number << 5 ^ STATE
        for state in states:
            body = encode(state)
            length = len(body)
            address = state[0]
            before = index.get(address)
            if before is not None:
                stale[before >> OFFSET_BITS] += 1
            index[address] = base + len(data)
            data += head(crc32(body, length << 8 ^ partition_seed), length, number, STATE)
            data += body
            count += 1
        partition.written[self._segment] += count
        self.records += count

    def copy(self, partition: Partition, address: str, packed: bytes | memoryview) -> None:
        """Put a state that stands in an old segment into the open frame as it is, head and all."""
        partition.moved(partition.index[address], position := self._here())
        partition.index[address] = position
        self._open += packed
        self.records += 1

    def seal(self, at_s: float) -> Sealed | None:
        """Close the open frame and begin the next one; None if it is empty.

        Args:
            at_s: wall time, for restoring to a moment.
        """
        assert self._syncing is None, "one frame is synced at a time"
        if not self._open:
            return None
        self._sequence += 1
        start = self._end
        data = framed(self._open, start, self._sequence, self.epoch, at_s)
        self._end += len(data)
        if start == SEGMENT.size:
            self.segments.add(self._segment)
            data = Header(self._segment, self.epoch, self._sequence).packed() + data
        self._syncing = Sealed(self._segment, start, data, self._sequence)
        if self._end >= self._segment_bytes:
            self._segment, self._end = self._segment + 1, SEGMENT.size
        self._open = bytearray()
        self._base = self._end + FRAME.size
        return self._syncing

    def commit(self, sealed: Sealed) -> None:
        """Append a sealed frame and sync it. Blocks; may run in another thread.

        Raises:
            DiskError: the disk refused. The journal has failed: nothing of the frame may be acknowledged,
                and the host must end, for what a later sync would say of it means nothing.
            TakenError: another has taken the folder; likewise. That is looked at before the frame is written,
                to harm nothing, and after its sync: an owner makes the folder its own before it reads.
        """
        name = segment_name(sealed.segment)
        try:
            self._owned()
            self._disk.append(name, sealed.data)
            self._disk.sync(name)
            self._owned()
        except TakenError:
            self.failed = True
            raise
        except OSError as error:
            self.failed = True
            raise DiskError(
                f"{name} could not be written: {error.strerror or error}",
                mend="free some space or mend the disk, start the host again; what was acknowledged is kept",
            ) from error

    def synced(self, sealed: Sealed) -> None:
        """Take a sealed frame for durable."""
        assert self._syncing is sealed, "what is durable was sealed"
        assert not self.failed, "what failed is not durable"
        self._syncing = None
        self._settled = self._segment << OFFSET_BITS | self._end
        self.durable = sealed.sequence

    def state(self, address: str, position: int) -> State:
        """Read an agent's state back from its position.

        Raises:
            DamagedError: what stands there is not this agent's state, or was altered.
        """
        if position < self._settled:
            name = self._names.get(position >> OFFSET_BITS) or self._named(position >> OFFSET_BITS)
            try:
                found = state_in(self._disk.read(name, position & OFFSET_MASK, READ_BYTES))
            except FileNotFoundError:
                found = None
            if found is not None and found.address == address:
                return found
        return self._state(address, position)

    def _state(self, address: str, position: int) -> State:
        """As `state`, also for one that is long or not on the disk yet; says what is wrong."""
        segment, offset = position >> OFFSET_BITS, position & OFFSET_MASK
        try:
            data = self._bytes(segment, offset, READ_BYTES)
            length = HEAD_BYTES + HEAD.unpack_from(data)[1] if len(data) == READ_BYTES else 0
            if READ_BYTES < length <= RECORD_BYTES_MAX:
                data = self._bytes(segment, offset, length)
            _, record, _ = unpack(data, 0)
        except (DamagedError, FileNotFoundError) as error:
            raise self._lost(address, segment, offset, str(error)) from error
        if type(record) is not State or record.address != address:
            raise self._lost(address, segment, offset, "something else stands there")
        return record

    def _named(self, segment: int) -> str:
        """A segment's name, kept for the next time."""
        name = self._names[segment] = segment_name(segment)
        return name

    def _here(self) -> int:
        """Position of the next record."""
        return self._segment << OFFSET_BITS | self._base + len(self._open)

    def _bytes(self, segment: int, offset: int, length: int) -> bytes:
        """Bytes of a segment, wherever they are by now."""
        if segment == self._segment and offset >= self._base:
            return bytes(self._open[offset - self._base : offset - self._base + length])
        syncing = self._syncing
        if syncing is not None and segment == syncing.segment and offset >= syncing.start:
            return syncing.at(offset, length)
        return self._disk.read(segment_name(segment), offset, length)

    def _lost(self, address: str, segment: int, offset: int, why: str) -> DamagedError:
        return DamagedError(
            f"the state of {address} cannot be read at offset {offset} of {segment_name(segment)}: {why}",
            mend="restore the host's folder from a backup",
        )

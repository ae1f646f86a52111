"""Frames and segments: how the journal lies on the disk, and what a crash may have left of it.

A segment is a file: a header, then frames. A frame is one group commit: a head, then records. Each head has a
check sum of its own, so that its length can be trusted, and the payload's. Sequence numbers are contiguous
over all segments.

Only one frame is ever written and not yet synced. So a crash can have harmed only the end of the last
segment, and only in the ways in which a write stays unfinished: the file ends early, or sectors of it are
still zero. Whatever else does not match its check sum was altered later, and is refused. Pure: bytes in,
values out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from zlib import crc32

from lamplighter.runtime.agents.store.errors import DamagedError

SECTOR_BYTES = 512
"""The least that a disk writes as a whole."""
SEGMENT = Struct("<8sIIIQ")
SEGMENT_MAGIC = b"LAMPSEG1"
FRAME = Struct("<4sIIIIQId")
FRAME_MAGIC = b"\xf5LFR"
FRAME_END = b"\xf5END"
"""Not zero, so that the last sector of a whole frame never is."""
BLANK = bytes(SECTOR_BYTES)
_SUMMED_FROM = 8
"""A frame's head is summed from here on: after its magic and the sum itself."""


@dataclass(frozen=True, slots=True)
class Header:
    """A segment's header.

    Args:
        segment: this segment's number; the host is in its high bits.
        epoch: the ownership in which it was begun.
        sequence: that of its first frame.
    """

    segment: int
    epoch: int
    sequence: int

    def packed(self) -> bytes:
        """The header as bytes."""
        summed = crc32(SEGMENT.pack(SEGMENT_MAGIC, 0, self.segment, self.epoch, self.sequence))
        return SEGMENT.pack(SEGMENT_MAGIC, summed, self.segment, self.epoch, self.sequence)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as found: its place, its numbers and its records, still packed.

    Args:
        offset: of its first record in the segment.
        sequence: its number.
        epoch: the ownership in which it was written.
        at_s: wall time at which it was closed.
        payload: the records.
    """

    offset: int
    sequence: int
    epoch: int
    at_s: float
    payload: memoryview

    @property
    def end(self) -> int:
        """Offset of what comes after it in the segment."""
        return self.offset + len(self.payload) + len(FRAME_END)


def framed(payload: bytes | bytearray, offset: int, sequence: int, epoch: int, at_s: float) -> bytes:
    """Return a frame as bytes, to stand at this offset of its segment."""
    blanks = 0
    if BLANK in payload:
        blanks = _blanks(memoryview(payload + FRAME_END), -(offset + FRAME.size) % SECTOR_BYTES)
    fields = (crc32(payload), len(payload), blanks, sequence, epoch, at_s)
    rest = FRAME.pack(FRAME_MAGIC, 0, *fields)[_SUMMED_FROM:]
    return b"".join((FRAME.pack(FRAME_MAGIC, crc32(rest), *fields), payload, FRAME_END))


def header(data: bytes, segment: int) -> Header | None:
    """Read a segment's header; None if a crash left it unfinished.

    Raises:
        DamagedError: it was altered, or belongs to another segment.
    """
    head = data[: SEGMENT.size]
    if len(head) < SEGMENT.size:
        return None
    _, summed, number, epoch, sequence = SEGMENT.unpack(head)
    found = Header(number, epoch, sequence)
    if found.packed() == head and number == segment:
        return found
    if not any(data[:SECTOR_BYTES]) and not _later(memoryview(data), 0):
        return None
    raise DamagedError(f"the header of segment {segment:08x} was altered (check sum {summed:08x})")


def frames(data: bytes, segment: int, *, start: int = SEGMENT.size, last: bool = False) -> Iterator[Frame]:
    """Yield the frames of a segment from an offset on.

    What a crash left of an unfinished frame at the end of the last segment ends the frames: the caller sees
    by the last one's `end` where to cut.

    Args:
        data: the segment's whole content.
        segment: its number, for errors.
        start: offset of a frame's head.
        last: no segment follows, so that the last frame may be unfinished.

    Raises:
        DamagedError: a frame was altered, or is unfinished though more comes after it.
    """
    view = memoryview(data)
    offset = start
    while offset < len(data):
        frame = _frame(view, offset)
        if frame is None:
            if last and _unfinished(view, offset):
                return
            raise DamagedError(f"segment {segment:08x} was altered in the frame at offset {offset}")
        yield frame
        offset = frame.end


def _frame(view: memoryview, offset: int) -> Frame | None:
    """The whole and sound frame at an offset, if there is one."""
    head = head_at(view, offset)
    if head is None:
        return None
    summed, length, _, sequence, epoch, at_s = head
    start = offset + FRAME.size
    payload = view[start : start + length]
    if view[start + length : start + length + len(FRAME_END)] != FRAME_END or crc32(payload) != summed:
        return None
    return Frame(start, sequence, epoch, at_s, payload)


def head_at(view: memoryview, offset: int) -> tuple[int, int, int, int, int, float] | None:
    """The fields of the sound frame head at an offset: sum, length, blanks, sequence, epoch, time."""
    if offset + FRAME.size > len(view):
        return None
    magic, head_sum, *fields = FRAME.unpack_from(view, offset)
    if magic != FRAME_MAGIC or crc32(view[offset + _SUMMED_FROM : offset + FRAME.size]) != head_sum:
        return None
    summed, length, blanks, sequence, epoch, at_s = fields
    return summed, length, blanks, sequence, epoch, at_s


def _unfinished(view: memoryview, offset: int) -> bool:
    """Whether what stands from an offset on can be a write that a crash cut short, and nothing else.

    1. A sound head says how long the frame is: it is unfinished if the file ends before that, or if more
       sectors of it are blank than when it was written.
    2. A head that is cut off by the end of the file, or lies in a blank sector, is unfinished as well,
       provided that no sound frame follows.
    """
    end = len(view)
    head = head_at(view, offset)
    if head is not None:
        _, length, blanks, *_ = head
        start = offset + FRAME.size
        written = start + length + len(FRAME_END)
        first = min(end, -(-start // SECTOR_BYTES) * SECTOR_BYTES)
        return written > end or (written == end and _blanks(view[first:], 0) > blanks)
    cut = end - offset < FRAME.size
    return (cut or _blank_head(view, offset)) and not _later(view, offset + 1)


def _blanks(view: memoryview, start: int) -> int:
    """How many sectors hold nothing but zeros, the first beginning at `start`; the last may be a part."""
    whole = (view[at : at + SECTOR_BYTES] for at in range(start, len(view), SECTOR_BYTES))
    return sum(sector == BLANK[: len(sector)] for sector in whole)


def _blank_head(view: memoryview, offset: int) -> bool:
    """Whether a sector that a frame's head touches is blank from the head on."""
    boundary = (offset // SECTOR_BYTES + 1) * SECTOR_BYTES
    parts = [view[offset:boundary]]
    if boundary < offset + FRAME.size:
        parts.append(view[boundary : boundary + SECTOR_BYTES])
    return any(not any(part) for part in parts)


def _later(view: memoryview, offset: int) -> bool:
    """Whether a sound frame stands anywhere after an offset."""
    data = bytes(view[offset:])
    found = data.find(FRAME_MAGIC)
    while found >= 0:
        if _frame(view, offset + found) is not None:
            return True
        found = data.find(FRAME_MAGIC, found + 1)
    return False

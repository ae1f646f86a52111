"""How large the files of a host grow, and how much is replayed. The defaults fit a real disk."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes that are settled when a store is opened; another opening may settle others.

    Args:
        segment_bytes: a segment is followed by the next one when it has this size: small enough to be swept
            in a second or two, large enough that ten million agents of 200 B are some forty files. The frame
            that passes it still goes in.
        tail_records: so many records at least are replayed before a snapshot is worth its while; that takes
            a fifth of a second.
        tail_share: with more agents, one record for every so many of them. At 4, four entries are written to
            snapshots for each record, under a microsecond of it, and replaying takes about as long as
            reading the snapshots.
        segments_min: with fewer segments that are full nothing is swept.
        space: sweeping begins when more than so many states are on the disk for each that lives. At 3, about
            one state in seven is copied for each that is written, where all agents change alike.
    """

    segment_bytes: int = 64 << 20
    tail_records: int = 100_000
    tail_share: int = 4
    segments_min: int = 4
    space: float = 3

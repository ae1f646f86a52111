"""What leaves a host once a frame is synced, and not a moment before."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lamplighter.runtime.agents.post import Status


@dataclass(slots=True)
class Start:
    """A call to be started; its outcome goes back to `Host.resolve`."""

    partition: int
    turn: int
    n: int
    function: Callable[..., Any]
    args: tuple[Any, ...]

    @property
    def key(self) -> str:
        """The call's stable name: the same whenever it is made again after a crash."""
        return f"{self.partition}:{self.turn}:{self.n}"


@dataclass(slots=True)
class Release:
    """The effects of one frame.

    Attributes:
        accepted: sender and partition to the last sequence that is durable now.
        again: sender and partition to the sequence that is expected next: what came after a gap, or what
            there was no room for, is to be sent again from there.
        answers: sender, partition, sequence, status, payload.
        parcels: to partition, from partition (both plus the number of partitions for answers, which have
            a lane of their own), sequence, encoded parcel; in order.
        calls: what to start.
    """

    accepted: dict[tuple[str, int], int] = field(default_factory=dict)
    again: dict[tuple[str, int], int] = field(default_factory=dict)
    answers: list[tuple[str, int, int, Status, bytes]] = field(default_factory=list)
    parcels: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    calls: list[Start] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything is to be released."""
        return bool(self.accepted or self.again or self.answers or self.parcels or self.calls)

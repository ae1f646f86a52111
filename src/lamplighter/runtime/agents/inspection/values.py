"""What can be asked of a shard, and what it says. All of it goes over the shard's socket as msgpack."""

from typing import Any

import msgspec


class Count(msgspec.Struct, array_like=True, tag=0, frozen=True):
    """How many agents there are of each kind."""


class List(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """Addresses in their order.

    Args:
        prefix: that they begin with: a kind and a slash, or more of an address.
        after: only those that come after it; "" for the first ones.
        most: how many at most.
    """

    prefix: str = ""
    after: str = ""
    most: int = 100


class Show(msgspec.Struct, array_like=True, tag=2, frozen=True):
    """All that is known of one agent."""

    address: str


class Top(msgspec.Struct, array_like=True, tag=3, frozen=True):
    """The agents with most messages waiting, at most so many."""

    most: int = 20


class Dead(msgspec.Struct, array_like=True, tag=4, frozen=True):
    """Dead letters, oldest first.

    Args:
        prefix: of their addresses.
        most: how many at most.
    """

    prefix: str = ""
    most: int = 100


class Bury(msgspec.Struct, array_like=True, tag=5, frozen=True):
    """Take dead letters away.

    Args:
        again: whether they are sent again; else they are gone for good.
        prefix: of their addresses.
        letter: only this one, as (partition, number).
    """

    again: bool
    prefix: str = ""
    letter: tuple[int, int] | None = None


class Stats(msgspec.Struct, array_like=True, tag=6, frozen=True):
    """What the shard has done and has under way, in numbers."""


Query = Count | List | Show | Top | Dead | Bury | Stats


class Busy(msgspec.Struct, frozen=True):
    """An agent with something under way.

    Args:
        address: of the agent.
        waiting: messages that wait for their turn.
        suspended: whether a turn of it waits for something.
    """

    address: str
    waiting: int
    suspended: bool


class Alarm(msgspec.Struct, frozen=True):
    """A timer of an agent: when it falls due (wall time), and the message, if it is one."""

    due_s: float
    message: Any


class Letter(msgspec.Struct, frozen=True):
    """A dead letter.

    Args:
        partition: in which it lies.
        number: in that partition.
        address: whom it was for.
        reason: why it could not be handled, beginning with the error's code.
        at_s: when that was, wall time.
        message: by its fields; as far as it can be read.
    """

    partition: int
    number: int
    address: str
    reason: str
    at_s: float
    message: Any


class Agent(msgspec.Struct, frozen=True):
    """All that is known of an agent, as of the last frame.

    Args:
        address: of the agent.
        partition: in which it is.
        shard: in which that is.
        known: whether there is such an agent: it has had a turn and is not deleted.
        state: by its fields; None if it is not known.
        state_bytes: of the packed state.
        used_s: wall time of its last turn that was written, in whole seconds.
        waiting: messages that wait for their turn.
        suspended: wall times at which turns began that wait for something.
        timers: that are set.
        dead: its dead letters.
    """

    address: str
    partition: int
    shard: int
    known: bool = False
    state: Any = None
    state_bytes: int = 0
    used_s: int = 0
    waiting: int = 0
    suspended: list[float] = []
    timers: list[Alarm] = []
    dead: list[Letter] = []

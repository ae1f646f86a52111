"""What may wait in a host at once, in messages and in bytes, and how long what idles is remembered.

Beyond these a client's messages are refused, to be tried again, and a host stops reading from its senders;
nothing is dropped. Counts only; decides nothing.
"""

from collections.abc import Container
from dataclasses import dataclass

from lamplighter.runtime.agents.store.desk import Desk

INLET_MAX = 100_000
"""Messages that may wait to be accepted before a host calls itself full."""
INLET_BYTES_MAX = 64 << 20
"""Their bytes, likewise."""
STANDING = 1000
"""A queue of so many messages of callers that has not been empty for `STANDING_S` takes no more of them: it
would only grow older. Well below what a caller waits, and long enough for a burst to pass."""
STANDING_S = 0.5
PARKED_BYTES_MAX = 256 << 20
"""Bytes of messages, in all mailboxes of a host, whose agents are busy."""
ITEM_BYTES = 300
"""What a message takes besides its payload (measured: a tuple, its slip, its place in queue and journal)."""
KEY_IDLE_S = 3600.0
"""An idempotency key is forgotten when it was not heard of for so long."""
SESSION_IDLE_S = 24 * 3600.0
"""So is a client's session, if it is not connected then."""


@dataclass(slots=True)
class Load:
    """What waits in a host.

    Attributes:
        offered: messages that are not accepted yet.
        offered_bytes: their bytes.
        direct_bytes: bytes of those that callers have put into the queue since it was last empty.
        standing_s: wall time since when the queue has not been empty; None if it was empty just now.
        parked_bytes: bytes of those in the mailboxes of busy agents.
    """

    offered: int = 0
    offered_bytes: int = 0
    direct_bytes: int = 0
    parked_bytes: int = 0
    standing_s: float | None = None

    @property
    def full(self) -> bool:
        """Whether no more should be read."""
        return self.offered >= INLET_MAX or self.offered_bytes >= INLET_BYTES_MAX

    @property
    def crowded(self) -> bool:
        """Whether a message for a busy agent has to be refused, whatever room its own mailbox has."""
        return self.parked_bytes >= PARKED_BYTES_MAX

    def crammed(self, queued: int, now: float) -> bool:
        """Whether a caller's message must be refused, with so many queued: there are too many, or too old."""
        if queued < STANDING:
            return self.direct_bytes >= INLET_BYTES_MAX
        aged = self.standing_s is not None and now - self.standing_s > STANDING_S
        return aged or queued >= INLET_MAX or self.direct_bytes >= INLET_BYTES_MAX


def idle_sessions(desk: Desk, now: float, present: Container[str]) -> list[str]:
    """Return the sessions that a partition can forget.

    Other hosts and brokers, whose marks must last, are none of them.

    Args:
        desk: the partition's.
        now: wall time.
        present: sessions that are connected.
    """
    found = []
    for sender, heard_s in desk.heard_s.items():
        idle_s = now - heard_s
        if idle_s <= KEY_IDLE_S:
            break
        key = sender.startswith(("k/", "r/"))
        if key or (sender.startswith("s/") and idle_s > SESSION_IDLE_S and sender not in present):
            found.append(sender)
    unheard = (sender for sender in desk.answers if sender not in desk.marks)
    return [*found, *unheard]

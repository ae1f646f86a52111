"""Slots: how many calls may be under way at once, and who of those that wait comes next. Pure.

A bulkhead before one dependency, and the admission of a server, are both this. The limit may change while
calls are under way. Time is not known here: whoever waits gives up by itself.
"""

from collections import deque
from collections.abc import Callable
from enum import IntEnum

from lamplighter.runtime.resilience.errors import PolicyError


class Priority(IntEnum):
    """What is shed last comes first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class Waiter:
    """One that waits; `wake` is called once, when it has a slot or was pushed out by a higher priority."""

    __slots__ = ("granted", "over", "priority", "wake")

    def __init__(self, priority: Priority, wake: Callable[[], object]) -> None:
        self.priority = priority
        self.wake = wake
        self.granted = False
        self.over = False


class Slots:
    """At most `limit` under way, at most `waiting_max` waiting.

    Those that wait come by priority, then by age. When all places are taken, a newcomer pushes out the
    youngest of the lowest priority below its own, or is refused.
    """

    __slots__ = ("_queues", "_waiting", "in_flight", "limit", "waiting_max")

    def __init__(self, limit: int, waiting_max: int = 0) -> None:
        if limit < 1 or waiting_max < 0:
            raise PolicyError(f"a limit of {limit} and {waiting_max} waiting: expected at least 1 and 0")
        self.limit = limit
        self.in_flight = 0
        self.waiting_max = waiting_max
        self._waiting = 0
        self._queues: tuple[deque[Waiter], ...] = tuple(deque() for _ in Priority)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._waiting

    def take(self) -> bool:
        """Take a slot at once, if one is free; those that wait go first."""
        if self.in_flight >= self.limit or self._waiting:
            return False
        self.in_flight += 1
        return True

    def wait(self, priority: Priority, wake: Callable[[], object]) -> Waiter | None:
        """Begin to wait; None when there is no place."""
        if self._waiting >= self.waiting_max and not self._push_out(priority):
            return None
        waiter = Waiter(priority, wake)
        self._queues[priority].append(waiter)
        self._waiting += 1
        return waiter

    def give_up(self, waiter: Waiter) -> None:
        """Stop waiting. One that was granted a slot meanwhile gives it back."""
        if waiter.granted:
            self.leave()
        elif not waiter.over:
            waiter.over = True
            self._queues[waiter.priority].remove(waiter)
            self._waiting -= 1

    def leave(self) -> None:
        """Give a slot back; whoever comes next has it."""
        self.in_flight -= 1
        if self._waiting:
            self.grant()

    def grant(self) -> None:
        """Give free slots to those that wait; to be called when the limit has grown."""
        while self._waiting and self.in_flight < self.limit:
            queue = next(each for each in self._queues if each)
            waiter = queue.popleft()
            self._waiting -= 1
            self.in_flight += 1
            waiter.granted = waiter.over = True
            waiter.wake()

    def _push_out(self, priority: Priority) -> bool:
        for queue in reversed(self._queues[priority + 1 :]):
            if queue:
                waiter = queue.pop()
                waiter.over = True
                self._waiting -= 1
                waiter.wake()
                return True
        return False

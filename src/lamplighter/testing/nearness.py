"""Nearness: which kinds of actions were taken while, shortly before or shortly after which kinds of faults.

What the coverage of a campaign is made of. Counts; judges nothing.
"""

from collections import Counter, deque

from lamplighter.model.actions import Action, Scale
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.befalling import Befalling

AFTER_S = 15.0
"""An action so soon after a fault was taken near it."""
BEFORE_S = 10.0
"""An action so shortly before a fault is still under way when that comes."""
ACTIONS = ("configure", "start", "drain", "replace", "shift", "forget", "dismantle")
"""The kinds of actions told apart: a Scale starts or drains."""


class Nearness:
    """The pairs of one run."""

    def __init__(self, befalling: Befalling) -> None:
        self.pairs: Counter[tuple[str, str]] = Counter()
        self._befalling = befalling
        self._applied: deque[tuple[Instant, str]] = deque(maxlen=32)

    def applied(self, action: Action, at: Instant) -> None:
        """Count an action with every fault that is near."""
        kind = kind_of(action)
        self._applied.append((at, kind))
        for fault, (_, ends) in self._befalling.near.items():
            if at <= ends + AFTER_S:
                self.pairs[fault, kind] += 1

    def befell(self, fault: str, at: Instant) -> None:
        """Count a fault with the actions that are under way when it comes."""
        for kind in {kind for when, kind in self._applied if when >= at - BEFORE_S}:
            self.pairs[fault, kind] += 1


def kind_of(action: Action) -> str:
    """Return which of `ACTIONS` an action is."""
    if isinstance(action, Scale):
        return "drain" if action.stops and not action.starts else "start"
    return type(action).__name__.lower()

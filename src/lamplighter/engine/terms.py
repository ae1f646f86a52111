"""The terms that a loop runs on: for which system, with what right, how fast, and which step decides."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

from lamplighter.engine.deciding import Revalidate, Step


class Log(Protocol):
    """Where events of the process go: a kebab-case noun, and what belongs to it."""

    def __call__(self, event: str, /, **fields: object) -> None:
        """Write one line."""
        ...


def silent(_event: str, /, **_fields: object) -> None:
    """Log nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a pass is made and how long is waited for what it needs, in seconds.

    `interval_s` while nothing is on its way, `busy_interval_s` while something is; woken earlier by hints
    and intents, but never sooner than `floor_s` after the pass before. Facts older than `fresh_s` are
    read again before an action. Each wait ends at its deadline.
    """

    interval_s: float = 1.0
    busy_interval_s: float = 0.2
    floor_s: float = 0.1
    fresh_s: float = 1.0
    observe_deadline_s: float = 5.0
    apply_deadline_s: float = 10.0
    record_deadline_s: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a loop runs.

    `token` fences what it applies, and `held` says whether it is still the newest. `threads` is where
    blocking writes are made; without it they are made in place (the simulator's way).
    """

    system: str
    step: Step
    revalidate: Revalidate
    token: int = 0
    held: Callable[[], bool] = field(default=lambda: True)
    pace: Pace = field(default_factory=Pace)
    log: Log = silent
    threads: Executor | None = None

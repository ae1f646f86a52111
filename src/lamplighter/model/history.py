"""History: all that the loop remembers, folded from its recording.

Bounded, and rebuilt by any successor from the recording alone. Controllers read it and keep no state
of their own; only the engine's fold makes a new one.
"""

from typing import Literal

from lamplighter.model.actions import OutcomeState
from lamplighter.model.decisions import Decision
from lamplighter.model.system import System
from lamplighter.model.value import Instant, Value


class Sample(Value):
    """The load on a workload over one interval: the mean where known, and how many readings."""

    at: Instant
    in_flight: float | None = None
    rate_per_s: float | None = None
    latency_p99_s: float | None = None
    cpu: float | None = None
    ready: int = 0


class RolloutState(Value):
    """A rollout under way: from `stable` (empty for the first release) to `candidate`.

    `step` is the index of the step that is applied or being applied, -1 before the first;
    `step_since` when its postcondition held (None: not yet). `verdict` ends it.
    """

    candidate: str
    stable: str = ""
    started_at: Instant = 0.0
    step: int = -1
    step_since: Instant | None = None
    verdict: Literal["", "promoted", "failed", "rolled-back"] = ""
    reason: str = ""


class WorkloadHistory(Value):
    """What is remembered of one workload.

    `wanted`: live replicas settled for each release. `ordinal`: the number of the next replica id.
    `not_ready_since`, `unknown_since`: since when each replica has been known not to be ready, or has
    not been known at all. `was_ready`: replicas that have passed their checks at least once.
    """

    stable: str = ""
    earlier: tuple[str, ...] = ()
    rollout: RolloutState | None = None
    wanted: dict[str, int] = {}
    ordinal: int = 1
    repairs: tuple[Instant, ...] = ()
    samples: tuple[Sample, ...] = ()
    not_ready_since: dict[str, Instant] = {}
    unknown_since: dict[str, Instant] = {}
    was_ready: tuple[str, ...] = ()
    scaled_up_at: Instant | None = None
    scaled_down_at: Instant | None = None


class Pending(Value):
    """An action on its way: decided, applied, or waiting for its postcondition to hold."""

    decision: Decision
    state: Literal["decided", "applied", "undoing"] = "decided"
    since: Instant = 0.0
    attempts: int = 0
    outcome: OutcomeState | None = None
    detail: str = ""


class Closed(Value):
    """How an action ended: its postcondition held, failed (and was undone or not), or it was overtaken."""

    action: str
    at: Instant
    result: Literal["verified", "failed", "undone", "superseded", "refused", "lapsed"]
    detail: str = ""


class Acted(Value):
    """One action that was taken, for the guards' budgets."""

    at: Instant
    subject: str
    kind: str
    blast_radius: float = 0.0


class Approval(Value):
    """A person's yes to one exact action and its facts."""

    action: str
    at: Instant
    by: str = ""


class History(Value):
    """Everything remembered. `system` is the spec in force; `stopping` once `down` was asked for."""

    system: System | None = None
    workloads: dict[str, WorkloadHistory] = {}
    pending: dict[str, Pending] = {}
    asked: dict[str, Decision] = {}
    approvals: dict[str, Approval] = {}
    acted: tuple[Acted, ...] = ()
    closed: tuple[Closed, ...] = ()
    handed_over: dict[str, Instant] = {}
    stopping: Instant | None = None
    stopped: bool = False

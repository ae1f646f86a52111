"""History: all that the loop remembers, folded from its recording.

Bounded, and rebuilt by any successor from the recording alone. Controllers read it and keep no state
of their own; only the engine's fold makes a new one. A dict in it is never changed in place.
"""

from typing import Literal

from lamplighter.model.actions import OutcomeState
from lamplighter.model.decisions import Decision
from lamplighter.model.system import System
from lamplighter.model.value import Instant, Value


class Sample(Value):
    """The load on a workload from `at` until the next sample, or until now: what its autoscaler follows.

    None: not known. `in_flight` counts requests that wait in a queue too. `ready` is the number of replicas
    that could serve, where the latency is followed. `readings`: how many it stands for, counted up to two
    while the load stays the same; 0 where nothing is known. Older samples are means over time.
    """

    at: Instant
    in_flight: float | None = None
    rate_per_s: float | None = None
    latency_p99_s: float | None = None
    cpu: float | None = None
    ready: float = 0.0
    readings: int = 1


class RolloutState(Value):
    """A rollout: from `stable` (empty for the first release) to `candidate`.

    `step` is the index of the step that is applied or being applied; `step_since` when it was reached
    (None: not yet). `shortfall_since`: since when the candidate has had fewer ready replicas than its
    traffic needs. `crashes` counts candidates that ended before they had served for a bake. `at_once`:
    straight to all traffic, no bake (a rollback). `from_zero`: likewise, since there was no traffic to
    share out.
    `verdict` ends it; the value is kept until the next one.
    """

    candidate: str
    stable: str = ""
    started_at: Instant = 0.0
    by: str = ""
    at_once: bool = False
    from_zero: bool = False
    step: int = 0
    step_since: Instant | None = None
    shortfall_since: Instant | None = None
    crashes: int = 0
    verdict: Literal["", "promoted", "failed", "rolled-back", "superseded"] = ""
    ended_at: Instant | None = None
    reason: str = ""


class WorkloadHistory(Value):
    """What is remembered of one workload.

    Numbers: `capacity` is the settled total of replicas that its load needs, `wanted` how many of each
    release are settled to live; `ordinal` is the number of the next replica id, `acts` counts actions.
    Replicas, by id: `first_ready` (when each first passed its checks), `not_ready_since`,
    `unknown_since`, `over_memory_since`; `ended` (when each was seen to have ended), `replaced` (which
    one took its place), `attempts` (when predecessors in the same place failed soon or were replaced
    alive). `missing_since`: since when fewer of a release have lived than are wanted, with no proven
    death to show for it; `restores`: when such vanished ones were started again. `unlisted_since`: of
    whom something is remembered who is not listed now, since when.
    `idle_since`: since when it is known that nothing is asked of it; None while that is not so, or not known.
    `drain_s` is kept for a workload that has left the spec. `answered_at`: when the target last answered
    an action on it; facts that were read before then are of the past. `returns`: how many times running
    the total was raised again soon after it had been lowered.
    """

    stable: str = ""
    earlier: tuple[str, ...] = ()
    rollout: RolloutState | None = None
    capacity: int = 0
    wanted: dict[str, int] = {}
    ordinal: int = 1
    acts: int = 0
    drain_s: float = 30.0
    samples: tuple[Sample, ...] = ()
    first_ready: dict[str, Instant] = {}
    not_ready_since: dict[str, Instant] = {}
    unknown_since: dict[str, Instant] = {}
    over_memory_since: dict[str, Instant] = {}
    ended: dict[str, Instant] = {}
    replaced: dict[str, str] = {}
    attempts: dict[str, tuple[Instant, ...]] = {}
    repairs: tuple[Instant, ...] = ()
    missing_since: dict[str, Instant] = {}
    restores: tuple[Instant, ...] = ()
    unlisted_since: dict[str, Instant] = {}
    scaled_up_at: Instant | None = None
    scaled_down_at: Instant | None = None
    idle_since: Instant | None = None
    answered_at: Instant | None = None
    returns: int = 0

    @property
    def unlisted(self) -> tuple[str, ...]:
        """Return the replicas that were listed until a moment ago and have not been seen to end."""
        return tuple(each for each in self.unlisted_since if each not in self.ended)


class Pending(Value):
    """An action on its way: decided (no answer yet), or applied and waiting for its postcondition.

    `since` is when it was decided, then when it was applied; `tried_at` when it was last handed to
    the target, `attempts` how often; `before` and `capacity_before` the number and the total that a
    Scale changes (-1: it settles none); `arrived` those of the replicas that it starts which were seen.
    """

    decision: Decision
    state: Literal["decided", "applied"] = "decided"
    since: Instant = 0.0
    tried_at: Instant = 0.0
    attempts: int = 1
    before: int = -1
    capacity_before: int = -1
    arrived: tuple[str, ...] = ()
    outcome: OutcomeState | None = None
    detail: str = ""

    @property
    def unanswered(self) -> bool:
        """Whether the target has not said yet that it got the order: nothing of it may have happened."""
        return self.outcome not in ("done", "accepted")


class Closed(Value):
    """How an action ended: its postcondition held, failed (and was undone or not), or it was overtaken.

    `refused`: the target would not do it; `lapsed`: the facts moved on before it was applied, or before
    a person answered.
    """

    action: str
    at: Instant
    result: Literal["verified", "failed", "undone", "superseded", "refused", "lapsed"]
    detail: str = ""
    subject: str = ""
    kind: str = ""


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
    """Everything remembered. `system` is the spec in force; `stopping` once `down` was asked for.

    `acts` counts actions on the gateway and the records, as each workload's own `acts` does.
    `handed_over`: since when a person has been asked to look after a subject. `heard`: the instants of the
    last two passes whose facts were folded in.
    """

    system: System | None = None
    workloads: dict[str, WorkloadHistory] = {}
    pending: dict[str, Pending] = {}
    asked: dict[str, Decision] = {}
    approvals: dict[str, Approval] = {}
    acted: tuple[Acted, ...] = ()
    closed: tuple[Closed, ...] = ()
    handed_over: dict[str, Instant] = {}
    heard: tuple[Instant, ...] = ()
    acts: int = 0
    stopping: Instant | None = None
    stopped_by: str = ""
    stopped: bool = False

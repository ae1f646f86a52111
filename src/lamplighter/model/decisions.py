"""Proposals, decisions and plans: who wanted what, what was settled, and why."""

from enum import IntEnum
from typing import Literal

from lamplighter.model.actions import Action, Contract
from lamplighter.model.findings import Finding
from lamplighter.model.value import Instant, Value


class Priority(IntEnum):
    """The written order in which proposals on one subject are settled; lower wins."""

    SAFETY = 0
    REPAIR = 1
    ROLLOUT = 2
    SCALING = 3
    SAVING = 4


class Proposal(Value):
    """What a controller wants done to one subject.

    A subject is what only one hand may hold at a time: `workload/release` (how many replicas), a
    workload's name (how its traffic is shared), a replica's id, `gateway`, or `records`.

    `capacity` is the workload's new total of replicas, where the proposal changes it. `ordered_by`
    names the person whose explicit order (down, rollback) this carries out; empty for the loop's own.
    """

    controller: str
    priority: Priority
    subject: str
    action: Action
    contract: Contract
    because: str
    capacity: int | None = None
    ordered_by: str = ""


class Verdict(Value):
    """What a controller returns: what it noticed and what it wants."""

    findings: tuple[Finding, ...] = ()
    proposals: tuple[Proposal, ...] = ()


class Refusal(Value):
    """Why a decision must not be applied after all: the facts have moved on since it was made."""

    code: str
    detail: str


class Lost(Value):
    """A proposal that was not chosen, and why."""

    proposal: Proposal
    reason: str


class Decision(Value):
    """What one place settled for one subject in one pass.

    `state`: `act` (apply it now), `held` (a guard says not now) or `asked` (waits for a person).
    `basis` is the digest of the facts that the action rests on; an approval is bound to it.
    """

    id: str
    at: Instant
    subject: str
    chosen: Proposal
    state: Literal["act", "held", "asked"]
    basis: str
    reasons: tuple[str, ...] = ()
    lost: tuple[Lost, ...] = ()


class Step(Value):
    """One step of a plan: an action, what it is for, and the capacity once it has worked."""

    action: Action
    contract: Contract
    because: str
    at_s: float = 0.0
    capacity: dict[str, int] = {}
    state: Literal["act", "held", "asked"] = "act"
    reasons: tuple[str, ...] = ()


class Plan(Value):
    """What would be done, in which order, and the digest of the facts that this was made from."""

    system: str
    spec: str
    basis: str
    steps: tuple[Step, ...] = ()
    missing: tuple[Finding, ...] = ()
    risks: tuple[Finding, ...] = ()
    releases: dict[str, str] = {}

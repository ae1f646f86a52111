"""Commit: fold decisions into the history. The one place where settled numbers change."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from lamplighter.engine.settle import OWNERS, Settled, workload_of
from lamplighter.engine.verify import ended, kind, noted
from lamplighter.model.actions import Replace, Scale
from lamplighter.model.decisions import Decision
from lamplighter.model.findings import Finding
from lamplighter.model.history import Acted, Closed, History, Pending, WorkloadHistory
from lamplighter.model.value import Instant

ACTED_MAX = 2000
RETURN_S = 240.0
"""A number that is raised so soon after it was lowered should not have been lowered."""
RETURNS_MAX = 10
"""More need not be told apart: a doubling each, from a second on, is a quarter of an hour."""


def commit(
    history: History, settled: Sequence[Settled], now: Instant, behind: frozenset[str] = frozenset()
) -> tuple[History, tuple[Closed, ...]]:
    """Return the history with decisions folded in, and the actions that were overtaken or undone.

    1. One that is to be carried out is under way from here on, and counts towards the budgets.
    2. What it overtakes, or undoes, ends.
    3. A Scale by an owner of numbers settles that number, and the workload's total if it names one.
    4. A repair notes who takes whose place, with the failures of that place.
    5. One that a person is asked about is kept until its facts change; where they are `behind`, they
       have not been looked at.
    """
    closed: list[Closed] = []
    if not any(each.decision.state == "act" for each in settled):
        return _with_asked(history, tuple(settled), now, closed, behind)
    pending, workloads = dict(history.pending), dict(history.workloads)
    acted, acts = list(history.acted), history.acts
    for decision, overtakes in settled:
        if decision.state != "act":
            continue
        for each in overtakes:
            result = "undone" if decision.chosen.controller == "undo" else "superseded"
            closed.append(ended(pending.pop(each), result, now, f"by {decision.id}"))
        name = workload_of(decision.chosen.action)
        memory, first = workloads.get(name), history.workloads.get(name)
        pending[decision.id] = Pending(
            decision=decision,
            since=now,
            tried_at=now,
            before=_before(decision, memory),
            capacity_before=-1 if first is None or decision.chosen.capacity is None else first.capacity,
        )
        acted.append(_acted(decision, now))
        if memory is None:
            acts += 1
        else:
            workloads[name] = _changed(memory, decision, now)
    return _with_asked(
        noted(
            replace(
                history,
                pending=pending,
                workloads=workloads,
                acted=tuple(acted)[-ACTED_MAX:],
                acts=acts,
            ),
            tuple(closed),
        ),
        tuple(settled),
        now,
        closed,
        behind,
    )


def handed_over(history: History, findings: Iterable[Finding], now: Instant) -> History:
    """Return the history with what a person was asked to look after, since when."""
    subjects = sorted({each.subject for each in findings if each.kind == "needs-a-person"})
    return replace(history, handed_over={each: history.handed_over.get(each, now) for each in subjects})


def _with_asked(
    history: History,
    settled: tuple[Settled, ...],
    now: Instant,
    closed: list[Closed],
    behind: frozenset[str],
) -> tuple[History, tuple[Closed, ...]]:
    """Keep what is still asked; what is not asked on the same facts any more has lapsed."""
    decisions = [each.decision for each in settled]
    asked = {
        each.id: each
        for each in decisions
        if each.state == "asked" or (each.state == "held" and each.id in history.asked)
    }
    asked |= {name: each for name, each in history.asked.items() if workload_of(each.chosen.action) in behind}
    answered = {each.id for each in decisions if each.state == "act"}
    lapsed = [
        replace(ended(Pending(decision=each), "lapsed", now, "its facts have changed"))
        for action_id, each in sorted(history.asked.items())
        if action_id not in asked and action_id not in answered
    ]
    approvals = {each: value for each, value in history.approvals.items() if each in asked}
    history = noted(replace(history, asked=asked, approvals=approvals), tuple(lapsed))
    return history, (*closed, *lapsed)


def _before(decision: Decision, memory: WorkloadHistory | None) -> int:
    """Return the number that a Scale changes; -1 where it settles none."""
    action = decision.chosen.action
    if memory is None or not isinstance(action, Scale) or decision.chosen.controller not in OWNERS:
        return -1
    return memory.wanted.get(action.release, 0)


def _acted(decision: Decision, now: Instant) -> Acted:
    chosen = decision.chosen
    return Acted(
        at=now, subject=chosen.subject, kind=kind(chosen.action), blast_radius=chosen.contract.blast_radius
    )


def _changed(memory: WorkloadHistory, decision: Decision, now: Instant) -> WorkloadHistory:
    memory = replace(memory, acts=memory.acts + 1)
    match decision.chosen.action:
        case Replace(replica=replica, start=start):
            memory = _succeeded(memory, replica, start, now)
            return replace(memory, ordinal=_after(memory.ordinal, (start,)), repairs=(*memory.repairs, now))
        case Scale(starts=starts) as scale:
            memory = replace(memory, ordinal=_after(memory.ordinal, starts))
            if decision.chosen.controller in OWNERS:
                return _settled(memory, scale, decision, now)
            return _restored(memory, scale, decision, now)
        case _:
            return memory


def _after(ordinal: int, starts: tuple[str, ...]) -> int:
    """Return the next number for a replica; names carried over from an overtaken action are lower."""
    return max([ordinal, *(int(each.rsplit("-", 1)[1]) + 1 for each in starts)])


def _settled(memory: WorkloadHistory, scale: Scale, decision: Decision, now: Instant) -> WorkloadHistory:
    chosen = decision.chosen
    before = memory.capacity
    memory = replace(memory, wanted={**memory.wanted, scale.release: scale.replicas})
    if chosen.capacity is None:
        return memory
    memory = replace(memory, capacity=chosen.capacity)
    if chosen.capacity > before:
        return replace(memory, scaled_up_at=now, returns=_returns(memory, now))
    return replace(memory, scaled_down_at=now) if chosen.capacity < before else memory


def _returns(memory: WorkloadHistory, now: Instant) -> int:
    """Return how many times running a number was raised soon after it was lowered, this time included."""
    up_at, down_at = memory.scaled_up_at, memory.scaled_down_at
    if down_at is None or (up_at is not None and up_at >= down_at):
        return memory.returns
    return min(memory.returns + 1, RETURNS_MAX) if now - down_at < RETURN_S else 0


def _restored(memory: WorkloadHistory, scale: Scale, decision: Decision, now: Instant) -> WorkloadHistory:
    """Note a repair's own Scale: a successor for one replica, or replicas that were missing."""
    subject = decision.subject
    if not scale.starts:
        return memory
    if subject == f"{scale.workload}/{scale.release}":
        return replace(memory, restores=(*memory.restores, now))
    memory = _succeeded(memory, subject, scale.starts[0], now)
    return replace(memory, repairs=(*memory.repairs, now))


def _succeeded(memory: WorkloadHistory, replica: str, start: str, now: Instant) -> WorkloadHistory:
    """Note that `start` takes the place of `replica`; one that was alive counts against the place."""
    tries = memory.attempts.get(replica, ())
    alive = replica not in memory.ended
    tries = (*tries, now) if alive else tries
    attempts = {**memory.attempts, start: tries} if tries else memory.attempts
    if alive:
        attempts = {**attempts, replica: tries}
    return replace(memory, replaced={**memory.replaced, replica: start}, attempts=attempts)

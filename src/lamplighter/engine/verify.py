"""Verify: what became of the actions under way, judged by their postconditions and never by hope.

Unknown extends a deadline, it neither fails nor passes. Bounded: an answer is asked for again under
the same id a number of times, then only the facts decide.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from lamplighter.controllers import contracts
from lamplighter.controllers.kinds import finding
from lamplighter.controllers.survey import Survey
from lamplighter.engine.conditions import all_hold, holds
from lamplighter.engine.settle import starting, workload_of
from lamplighter.model.actions import Action, Condition, Dismantle, Outcome, Replace, Scale, Serving, Shift
from lamplighter.model.decisions import Priority, Proposal
from lamplighter.model.facts import PROCESSES, Phase, Replica
from lamplighter.model.findings import Evidence, Finding
from lamplighter.model.history import Closed, History, Pending, WorkloadHistory
from lamplighter.model.value import Instant

RETRY_S = 2.0
"""After so long without an answer an action is handed to the target again, under the same id."""
RETRY_S_MAX = 8.0
"""No longer than this, however often: a target that obeys again after a minute is not to be waited for for
another, where requests wait for what was ordered."""
ATTEMPTS_MAX = 16
"""So often, within some two minutes, an action is handed to a target that does not answer."""
CLOSED_MAX = 200
"""Ends of actions that are remembered."""
LAPSED_CODES = frozenset({"precondition-false", "precondition-unknown", "overtaken", "facts-changed"})
"""Codes with which the loop itself refuses a decision that the facts have moved away from."""


class Verified(NamedTuple):
    """What verifying came to."""

    history: History
    closed: tuple[Closed, ...] = ()
    retries: tuple[str, ...] = ()
    undo: tuple[Proposal, ...] = ()
    findings: tuple[Finding, ...] = ()


def answered(
    history: History, outcomes: tuple[Outcome, ...], now: Instant
) -> tuple[History, tuple[Closed, ...]]:
    """Return the history with the targets' answers folded in, and what they closed.

    A refused action takes back what was settled with it: a number, or who takes whose place. One that
    may have happened before, and is not to be repeated now, is left to the facts; where the target
    refused to repeat it, that says nothing of the time before, and it is asked again. Answers to actions
    that are no longer under way are of no use and are left out.
    """
    closed: list[Closed] = []
    for outcome in outcomes:
        pending = history.pending.get(outcome.action)
        if pending is None:
            continue
        history = _answered_at(history, pending, outcome)
        if outcome.state == "refused":
            result = "lapsed" if outcome.code in LAPSED_CODES else "refused"
            if result == "lapsed" and pending.outcome == "unknown":
                pending = replace(pending, state="applied", since=outcome.at)
                history = replace(history, pending={**history.pending, outcome.action: pending})
                continue
            detail = ": ".join(each for each in (outcome.code, outcome.detail) if each)
            if pending.outcome == "unknown":
                pending = replace(pending, detail=detail, tried_at=outcome.at)
                history = replace(history, pending={**history.pending, outcome.action: pending})
                continue
            closed.append(ended(pending, result, now, detail))
            history = _without(_taken_back(history, pending), pending)
            continue
        pending = replace(pending, outcome=outcome.state, detail=outcome.detail, tried_at=outcome.at)
        if outcome.state != "unknown":
            pending = replace(pending, state="applied", since=outcome.at)
        history = replace(history, pending={**history.pending, outcome.action: pending})
    return noted(history, tuple(closed)), tuple(closed)


def verify(history: History, survey: Survey) -> Verified:
    """Judge each action under way.

    1. Its postcondition holds: verified.
    2. No answer for `RETRY_S`, doubling up to `RETRY_S_MAX`, or the answer is known to be lost (then at once,
       the first time): it is handed over again under its id, `ATTEMPTS_MAX` times; but not what starts
       something that has been ordered down meanwhile.
    3. Its deadline has passed and its postcondition cannot be told: it goes on, and a finding says so.
    4. It can never hold, since the replica that it waits for came and ended: failed at once.
    5. Its deadline has passed and it is known not to hold: undone where that is possible, else failed.
    6. It promises nothing that could be looked at: done once it was answered, and failed if it never was.
    7. The facts were read before the last answer on its workload: nothing can be told by them.
    """
    closed: list[Closed] = []
    retries: list[str] = []
    undo: list[Proposal] = []
    findings: list[Finding] = []
    pending = dict(history.pending)
    stopped = history.stopped
    for action_id, each in sorted(history.pending.items()):
        judged = _judged(each, survey)
        if judged == "retry" and _unwanted(each, history):
            judged = "given-up"
        if judged == "verified":
            stopped = stopped or isinstance(each.decision.chosen.action, Dismantle)
            closed.append(ended(pending.pop(action_id), "verified", survey.now))
        elif judged == "retry":
            retries.append(action_id)
            pending[action_id] = replace(each, attempts=each.attempts + 1, tried_at=survey.now)
        elif judged == "given-up":
            pending[action_id] = replace(each, state="applied", since=survey.now)
        elif judged == "unknown":
            findings.append(_unknown(each))
        elif judged == "failed":
            findings.append(_failed(each, survey))
            if proposal := undoing(each, survey):
                undo.append(proposal)
            else:
                closed.append(ended(pending.pop(action_id), "failed", survey.now, findings[-1].message))
                history = _alone_again(history, each)
    history = noted(replace(history, pending=pending, stopped=stopped), tuple(closed))
    return Verified(history, tuple(closed), tuple(retries), tuple(undo), tuple(findings))


def _judged(pending: Pending, survey: Survey) -> str:
    contract, now = pending.decision.chosen.contract, survey.now
    if workload_of(pending.decision.chosen.action) in survey.behind:
        return ""
    promised = bool(contract.expects)
    tried = pending.state == "applied" or pending.outcome is not None
    told = tried if promised else not pending.unanswered
    if told and all_hold(contract.expects, survey) is True:
        return "verified"
    if any(_hopeless(each, pending, survey) for each in contract.expects):
        return "failed"
    if pending.state == "decided":
        wait = min(RETRY_S_MAX, RETRY_S * (2 ** (pending.attempts - 1) - (pending.outcome == "unknown")))
        if now - pending.tried_at < wait:
            return ""
        return "retry" if pending.attempts < ATTEMPTS_MAX else "given-up"
    if now - pending.since <= contract.deadline_s:
        return ""
    return "failed" if not promised or all_hold(contract.expects, survey) is False else "unknown"


def _unwanted(pending: Pending, history: History) -> bool:
    """Return whether an action starts something although everything, or its workload, is to go."""
    action, system = pending.decision.chosen.action, history.system
    starts = isinstance(action, Replace) or (isinstance(action, Scale) and bool(action.starts))
    return starts and (
        history.stopping is not None or system is None or workload_of(action) not in system.services
    )


def _hopeless(condition: Condition, pending: Pending, survey: Survey) -> bool:
    if not isinstance(condition, Serving) or condition.replica not in pending.arrived:
        return False
    known = survey.replicas.get(condition.replica)
    return known.phase is Phase.EXITED if known else survey.silence(PROCESSES) is None


def undoing(pending: Pending, survey: Survey) -> Proposal | None:
    """Return what undoes a failed action, or None where nothing can or need be undone.

    A Scale up is undone only for those of its replicas that do not serve: what serves, stays. And one from
    zero, where requests wait, leaves what a repair has started since, which has yet to show.
    """
    chosen = pending.decision.chosen
    undo: Action | None = chosen.contract.undo
    capacity = None
    blast = 0.0
    if isinstance(undo, Scale) and isinstance(chosen.action, Scale):
        serving = survey.ready(undo.workload, undo.release)
        staying = survey.staying(undo.workload, undo.release)
        fresh = {each.id for each in staying if not undo.replicas and _started_since(each, pending)}
        undo = replace(undo, replicas=max(undo.replicas, serving + len(fresh)), stops=())
        idle = [each for each in staying if each.ready is False and each.id not in fresh]
        excess = survey.count(undo.workload, undo.release) - undo.replicas
        undo = replace(undo, stops=contracts.victims(idle, max(0, excess)))
        capacity = _total_before(pending, undo)
    elif isinstance(undo, Shift) and not _possible(undo, survey):
        return None
    if undo is None:
        return None
    why = contracts.Why(
        controller="undo",
        priority=Priority.SAFETY,
        because=f"{pending.decision.id} had no effect within {chosen.contract.deadline_s:g} s",
        capacity=capacity,
    )
    contract = replace(
        chosen.contract,
        gain=f"undo of {pending.decision.id}",
        needs=(),
        expects=(),
        undo=None,
        blast_radius=blast,
        destructive=isinstance(undo, Scale),
    )
    return contracts.propose(why, chosen.subject, undo, contract)


def _started_since(replica: Replica, pending: Pending) -> bool:
    """Return whether another action has started a replica after this one was applied; it has yet to serve."""
    own = replica.id in starting(pending.decision.chosen.action)
    return not own and replica.ready is not True and replica.started_at > pending.since


def _total_before(pending: Pending, undo: Scale) -> int | None:
    """Return the workload's total once a number is undone: as it was, and what serves beyond its number."""
    total = pending.decision.chosen.capacity
    if total is None or pending.capacity_before < 0:
        return None
    return min(total, pending.capacity_before + max(0, undo.replicas - pending.before))


def ended(pending: Pending, result: str, now: Instant, detail: str = "") -> Closed:
    """Return how an action ended."""
    chosen = pending.decision.chosen
    return Closed(
        action=pending.decision.id,
        at=now,
        result=result,  # type: ignore[arg-type]
        detail=detail,
        subject=chosen.subject,
        kind=kind(chosen.action),
    )


def kind(action: Action | Condition) -> str:
    """Return the kind of an action or a condition, as it is written in records."""
    return str(action.__struct_config__.tag)


def noted(history: History, closed: tuple[Closed, ...]) -> History:
    """Return the history with these ends remembered, the oldest forgotten."""
    return replace(history, closed=(*history.closed, *closed)[-CLOSED_MAX:]) if closed else history


def _possible(undo: Shift, survey: Survey) -> bool:
    return all(survey.ready(undo.workload, release) for release, share in undo.shares.items() if share > 0)


def _answered_at(history: History, pending: Pending, outcome: Outcome) -> History:
    """Note when something may have been done last: what the facts said before that is of the past."""
    name = workload_of(pending.decision.chosen.action)
    memory = history.workloads.get(name)
    if memory is None or outcome.state == "refused":
        return history
    memory = replace(memory, answered_at=max(outcome.at, memory.answered_at or outcome.at))
    return replace(history, workloads={**history.workloads, name: memory})


def _without(history: History, pending: Pending) -> History:
    left = {each: value for each, value in history.pending.items() if each != pending.decision.id}
    return replace(history, pending=left)


def _alone_again(history: History, pending: Pending) -> History:
    """Return the history without a successor that was never seen: it takes nobody's place."""
    action, subject = pending.decision.chosen.action, pending.decision.subject
    memory = history.workloads.get(workload_of(action))
    if memory is None or pending.arrived or memory.replaced.get(subject) not in starting(action):
        return history
    left = {each: value for each, value in memory.replaced.items() if each != subject}
    memory = replace(memory, replaced=left)
    return replace(history, workloads={**history.workloads, workload_of(action): memory})


def _taken_back(history: History, pending: Pending) -> History:
    action = pending.decision.chosen.action
    if not isinstance(action, Scale | Replace) or action.workload not in history.workloads:
        return history
    history = _alone_again(history, replace(pending, arrived=()))
    memory = history.workloads[action.workload]
    if pending.decision.chosen.controller == "repair":
        memory = _not_tried(memory, pending)
    settled = isinstance(action, Scale) and memory.wanted.get(action.release) == action.replicas
    if settled and pending.before >= 0:
        memory = replace(memory, wanted={**memory.wanted, action.release: pending.before})
    if pending.capacity_before >= 0 and memory.capacity == pending.decision.chosen.capacity:
        memory = replace(memory, capacity=pending.capacity_before)
    return replace(history, workloads={**history.workloads, action.workload: memory})


def _not_tried(memory: WorkloadHistory, pending: Pending) -> WorkloadHistory:
    """Return the memory without a repair that the target would not begin: it has not failed to help."""
    at, subject = pending.decision.at, pending.decision.subject
    started = starting(pending.decision.chosen.action)
    attempts = {each: tries for each, tries in memory.attempts.items() if each not in started}
    if at in attempts.get(subject, ()):
        attempts[subject] = tuple(each for each in attempts[subject] if each != at)
    restores = memory.restores
    if "/" in subject and at in restores:
        restores = tuple(each for each in restores if each != at)
    return replace(memory, attempts=attempts, restores=restores)


def _unknown(pending: Pending) -> Finding:
    decision = pending.decision
    return finding(
        "postcondition-unknown", decision.subject, f"whether {decision.id} worked cannot be told yet"
    )


def _failed(pending: Pending, survey: Survey) -> Finding:
    decision = pending.decision
    contract = decision.chosen.contract
    missing = tuple(str(each) for each in _unmet(pending, survey))
    late = survey.now - pending.since > contract.deadline_s
    how = f"within {contract.deadline_s:g} s" if late else "and cannot have it any more"
    message = f"{decision.id} did not have its effect {how}"
    return finding("action-failed", decision.subject, message, Evidence(looked_at=missing))


def _unmet(pending: Pending, survey: Survey) -> Iterator[object]:
    for each in pending.decision.chosen.contract.expects:
        if holds(each, survey) is False:
            yield each

"""The step: everything that one pass decides, from the history and the pass's inputs alone.

Pure and deterministic: equal inputs give equal results, to the byte. What reads the world and what
acts on it stands around it.
"""

import functools

from msgspec.structs import replace

from lamplighter.controllers import ENDING, KEEPING
from lamplighter.controllers.kinds import finding
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.commit import commit, handed_over
from lamplighter.engine.deciding import Step
from lamplighter.engine.guard import Watch, guarded
from lamplighter.engine.memory import advance, remember, retired
from lamplighter.engine.orders import take
from lamplighter.engine.rest import Rest
from lamplighter.engine.settle import Settled, settle
from lamplighter.engine.verify import answered, verify
from lamplighter.model.decisions import Decision, Proposal
from lamplighter.model.findings import Finding
from lamplighter.model.history import Acted, Closed, History
from lamplighter.model.intents import Answer, Approve, Intent
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant

ACTED_S = 1200.0
"""For so long at least it is remembered what was done: the next spec's budget may have a longer window."""


def step(history: History, inputs: Inputs, rest: Rest | None = None) -> tuple[History, Result]:
    """Decide one pass.

    Answers and intents are folded in, then what the facts show; actions under way are verified; every
    controller proposes; one decision is settled for each subject; the guards judge each in turn.

    Args:
        history: what was remembered before the pass.
        inputs: all that the pass saw.
        rest: what earlier passes know of workloads at rest; it saves looking at them and changes nothing.

    Returns:
        What is remembered after it, and what it came to. Decisions whose state is `act` are to be
        applied in their order.
    """
    now = inputs.now
    facts = trusted(inputs.facts, now)
    survey = Survey(facts, now, history.pending, rest.laid_out(facts.replicas) if rest else None)
    history, refused = answered(history, inputs.outcomes, now)
    history, answers = take(history, inputs.intents, inputs.facts, now, recordable=inputs.recordable)
    survey.under_way(history.pending)
    survey.catch_up(history.workloads)
    if rest:
        rest.wake(history, survey)
    history = advance(remember(history, survey), survey)
    verified = verify(history, survey)
    history = verified.history
    survey.under_way(history.pending)
    findings, proposals = _proposed(history, survey)
    settled = _guarded(settle([*verified.undo, *proposals], history, survey), history, survey, inputs)
    history, overtaken = commit(history, settled, now, survey.behind)
    history = _tidied(handed_over(history, findings, now), now)
    if rest:
        rest.settle(history, survey)
    decisions = tuple(each.decision for each in settled)
    found = (*verified.findings, *findings, *_of_guards(decisions), *_of_refusals(refused))
    found = (*found, *_unrecordable(inputs))
    return history, Result(
        decisions=decisions,
        findings=found,
        answers=_approvals(answers, inputs.intents, history),
        closed=(*refused, *verified.closed, *overtaken),
        retries=tuple(each for each in verified.retries if each in history.pending),
    )


def resting() -> Step:
    """Return a step for one loop, which remembers who is at rest and looks only at the others."""
    return functools.partial(step, rest=Rest())


def _proposed(history: History, survey: Survey) -> tuple[tuple[Finding, ...], list[Proposal]]:
    """Run every controller; with nothing up there is nothing to look after."""
    if history.system is None or history.stopped:
        return (), []
    controllers = KEEPING if history.stopping is None else ENDING
    verdicts = [each(history.system, survey, history) for each in controllers]
    findings = tuple(each for verdict in verdicts for each in verdict.findings)
    return findings, [each for verdict in verdicts for each in verdict.proposals]


def _guarded(
    settled: tuple[Settled, ...], history: History, survey: Survey, inputs: Inputs
) -> tuple[Settled, ...]:
    watch = Watch(history, survey, recordable=inputs.recordable)
    judged = guarded([each.decision for each in settled], watch)
    return tuple(each._replace(decision=decision) for each, decision in zip(settled, judged, strict=True))


def _approvals(
    answers: tuple[Answer, ...], intents: tuple[Intent, ...], history: History
) -> tuple[Answer, ...]:
    """Correct the answer to an approval whose action lapsed in this very pass."""
    wanted = {each.id: each.action for each in intents if isinstance(each, Approve)}
    return tuple(
        Answer(
            intent=each.intent,
            accepted=False,
            code="lapsed",
            detail="the facts have changed since it was asked about",
        )
        if each.accepted
        and (action := wanted.get(each.intent))
        and action not in history.pending
        and action not in history.asked
        else each
        for each in answers
    )


def _tidied(history: History, now: Instant) -> History:
    """Drop what no guard looks at any more; once all is down, keep only which releases there were."""
    system = history.system
    if system is None:
        return history
    since = now - max(system.guards.window_s, ACTED_S)
    acted: tuple[Acted, ...] = history.acted
    if acted and acted[0].at <= since:
        history = replace(history, acted=tuple(each for each in acted if each.at > since))
    if not history.stopped or not (history.workloads or history.pending):
        return history
    workloads = {name: retired(memory) for name, memory in history.workloads.items()}
    return replace(history, workloads=workloads, pending={}, asked={}, approvals={}, handed_over={})


def _of_guards(decisions: tuple[Decision, ...]) -> tuple[Finding, ...]:
    kinds = {"held": "action-held", "asked": "approval-asked"}
    return tuple(
        finding(kinds[each.state], each.subject, f"{each.id}: {'; '.join(each.reasons)}")
        for each in decisions
        if each.state in kinds
    )


def _of_refusals(closed: tuple[Closed, ...]) -> tuple[Finding, ...]:
    return tuple(
        finding("action-refused", each.subject, f"{each.action} was refused: {each.detail}")
        for each in closed
        if each.result == "refused"
    )


def _unrecordable(inputs: Inputs) -> tuple[Finding, ...]:
    if inputs.recordable:
        return ()
    return (finding("unrecordable", "engine", "the ledger or the recording cannot be written"),)

"""The chronicle: what of a pass goes into the ledger, and in which words. Pure.

Findings and held decisions stand for many passes; the ledger has a line when one begins and when it ends.
A system is named by its digest, never written out: its environment may hold what is nobody's business.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from lamplighter.model.actions import Action, Outcome
from lamplighter.model.decisions import Decision, Lost
from lamplighter.model.findings import Finding
from lamplighter.model.intents import Answer, Intent
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import System
from lamplighter.model.value import digest
from lamplighter.ports import LedgerLine


def chronicle(number: int, before: Result, inputs: Inputs, result: Result) -> list[LedgerLine]:
    """Return the ledger's lines for one pass.

    Args:
        number: of the pass; every line carries it.
        before: the result of the pass before, to tell what begins and what ends.
        inputs: what went in.
        result: what came out.
    """
    lines = [
        *(_intent(each, result.answers) for each in inputs.intents),
        *(_outcome(each) for each in inputs.outcomes),
        *_closings(result),
        *_findings(before, result),
        *(_decision(each) for each in _new(before, result)),
        *(LedgerLine(kind="retry", subject=each, body={}) for each in result.retries),
    ]
    return [msgspec.structs.replace(each, body={"pass": number, **each.body}) for each in lines]


def described(action: Action) -> dict[str, Any]:
    """Return an action as plain data, with a system replaced by its name and digest."""
    plain: dict[str, Any] = msgspec.to_builtins(action)
    system = getattr(action, "system", None)
    return plain | {"system": _named(system)} if isinstance(system, System) else plain


def _intent(intent: Intent, answers: Iterable[Answer]) -> LedgerLine:
    plain: dict[str, Any] = msgspec.to_builtins(intent)
    system = getattr(intent, "system", None)
    if isinstance(system, System):
        plain["system"] = _named(system)
    answer = next((each for each in answers if each.intent == intent.id), None)
    told = {"accepted": answer.accepted, "code": answer.code, "detail": answer.detail} if answer else {}
    return LedgerLine(kind="intent", subject=intent.id, body=plain | told)


def _outcome(outcome: Outcome) -> LedgerLine:
    body: dict[str, object] = {
        "state": outcome.state,
        "at": outcome.at,
        "code": outcome.code,
        "detail": outcome.detail,
    }
    return LedgerLine(kind="outcome", subject=outcome.action, body=body)


def _closings(result: Result) -> Iterator[LedgerLine]:
    for each in result.closed:
        yield LedgerLine(kind="closing", subject=each.action, body=msgspec.to_builtins(each))


def _new(before: Result, result: Result) -> Iterator[Decision]:
    """Yield the decisions that were not already held, or waiting for a person, in the pass before."""
    standing = {(each.id, each.state) for each in before.decisions if each.state != "act"}
    for each in result.decisions:
        if (each.id, each.state) not in standing:
            yield each


def _decision(decision: Decision) -> LedgerLine:
    chosen, contract = decision.chosen, decision.chosen.contract
    body: dict[str, object] = {
        "state": decision.state,
        "subject": decision.subject,
        "controller": chosen.controller,
        "priority": chosen.priority.name.lower(),
        "action": described(chosen.action),
        "because": chosen.because,
        "ordered_by": chosen.ordered_by,
        "reasons": decision.reasons,
        "basis": decision.basis,
        "contract": msgspec.to_builtins(contract)
        | {"undo": described(contract.undo) if contract.undo is not None else None},
        "lost": [_lost(each) for each in decision.lost],
    }
    return LedgerLine(kind="decision", subject=decision.id, body=body)


def _lost(lost: Lost) -> dict[str, object]:
    return {
        "controller": lost.proposal.controller,
        "priority": lost.proposal.priority.name.lower(),
        "action": described(lost.proposal.action),
        "because": lost.proposal.because,
        "reason": lost.reason,
    }


def _findings(before: Result, result: Result) -> Iterator[LedgerLine]:
    old = {(each.kind, each.subject): each for each in before.findings}
    new = {(each.kind, each.subject): each for each in result.findings}
    for key, finding in new.items():
        if key not in old:
            yield _finding(finding, "began")
    for key, finding in old.items():
        if key not in new:
            yield _finding(finding, "ended")


def _finding(finding: Finding, change: str) -> LedgerLine:
    body = msgspec.to_builtins(finding) | {"change": change}
    return LedgerLine(kind="finding", subject=finding.subject, body=body)


def _named(system: System) -> dict[str, object]:
    gateway = {"host": system.gateway.host, "port": system.gateway.port}
    return {"name": system.name, "digest": digest(system), "gateway": gateway}

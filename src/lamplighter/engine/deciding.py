"""Deciding, as the loop and the replay both do it: the same function, on values in one canonical form.

What a recording gives back and what the loop had in its hands must be the same to the last byte, so both
are brought through one encoding. A pass that fails is a result too, and fails again when replayed. Pure.
"""

import traceback
from collections.abc import Callable

from lamplighter.engine.canonical import canonical, canonical_history
from lamplighter.model.decisions import Decision, Refusal
from lamplighter.model.facts import Facts
from lamplighter.model.findings import Evidence, Finding, Severity
from lamplighter.model.history import History
from lamplighter.model.intents import Answer
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant

Step = Callable[[History, Inputs], tuple[History, Result]]
"""The whole of deciding: history and inputs in, new history and result out. Pure."""
Revalidate = Callable[[Decision, Facts, History, Instant], Refusal | None]
"""Whether a decision may still be applied, on fresh facts. Pure."""


def decide(step: Step, history: History, inputs: Inputs) -> tuple[History, Result]:
    """Run one step. If it fails, nothing is remembered, its intents are refused, and a finding says why.

    Args:
        step: the step of this version.
        history: what was remembered before the pass, in canonical form.
        inputs: what the pass saw, in canonical form.
    """
    try:
        after, result = step(history, inputs)
        return canonical_history(after, history), canonical(result)
    except Exception as error:  # noqa: BLE001 - the edge of a pass: one that fails must not end the loop
        return history, _failed(inputs, error)


def _failed(inputs: Inputs, error: Exception) -> Result:
    place = traceback.extract_tb(error.__traceback__)[-1]
    why = f"{type(error).__name__} in {place.name}: {error}"
    finding = Finding(
        kind="pass-failed",
        subject="engine",
        message=f"a pass of the loop failed and decided nothing: {why}",
        severity=Severity.URGENT,
        evidence=Evidence(looked_at=(f"inputs at {inputs.now:.3f}",)),
    )
    refused = tuple(
        Answer(intent=each.id, accepted=False, code="pass-failed", detail=why) for each in inputs.intents
    )
    return Result(findings=(finding,), answers=refused)

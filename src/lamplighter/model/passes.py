"""One pass of the loop, as it is recorded: everything that went in, and everything that came out."""

from lamplighter.model.actions import Outcome
from lamplighter.model.decisions import Decision
from lamplighter.model.facts import Facts
from lamplighter.model.findings import Finding
from lamplighter.model.history import Closed
from lamplighter.model.intents import Answer, Intent
from lamplighter.model.value import Instant, Value


class Inputs(Value):
    """All that a pass decides from, besides the history: nothing else may change a decision.

    `outcomes` are the answers to actions applied since the last pass. `recordable` is False when the
    ledger or the recording cannot be written (full disk): nothing destructive is then decided.
    """

    now: Instant
    facts: Facts
    intents: tuple[Intent, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    recordable: bool = True


class Result(Value):
    """All that a pass came to. `retries` are ids of pending actions to be applied once more."""

    decisions: tuple[Decision, ...] = ()
    findings: tuple[Finding, ...] = ()
    answers: tuple[Answer, ...] = ()
    closed: tuple[Closed, ...] = ()
    retries: tuple[str, ...] = ()

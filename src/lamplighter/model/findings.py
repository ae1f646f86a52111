"""Findings: what a controller noticed, with the evidence that it looked at."""

from enum import StrEnum

from lamplighter.model.value import Value


class Severity(StrEnum):
    """How much a person should care."""

    NOTE = "note"
    WARNING = "warning"
    URGENT = "urgent"


class Evidence(Value):
    """What was looked at (source and what it said), what was empty, and what could not be had."""

    looked_at: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()


class Finding(Value):
    """One thing noticed. `kind` is a kebab-case code, `subject` a workload or replica id."""

    kind: str
    subject: str
    message: str
    severity: Severity = Severity.NOTE
    evidence: Evidence = Evidence()

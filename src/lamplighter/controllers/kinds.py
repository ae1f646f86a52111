"""The kinds of findings that controllers and the engine report, each with a sentence and a severity.

The one list that `lamp explain` and `lamp help` print from. A finding is made only through `finding`,
so that no kind is ever unknown to it.
"""

from typing import NamedTuple

from lamplighter.model.findings import Evidence, Finding, Severity


class Kind(NamedTuple):
    """What a kind of finding means, and how much a person should care."""

    meaning: str
    severity: Severity = Severity.NOTE


KINDS: dict[str, Kind] = {
    "telemetry-silent": Kind(
        "A source of facts has not answered; what it would show is unknown, and nothing that it bears on is"
        " stopped or replaced until it answers again.",
        Severity.WARNING,
    ),
    "replica-dead": Kind("A replica is proven to have ended without having been told to.", Severity.WARNING),
    "replica-unresponsive": Kind("A replica fails its health checks.", Severity.WARNING),
    "replica-not-ready": Kind("A replica has not become ready in its start timeout.", Severity.WARNING),
    "replica-over-memory": Kind("A replica uses more memory than its workload asks for.", Severity.WARNING),
    "replica-missing": Kind(
        "Fewer replicas live than are wanted, and nothing shows what became of them.", Severity.WARNING
    ),
    "repair-waits": Kind("A repair waits, since earlier ones in the same place did not last."),
    "needs-a-person": Kind(
        "Repairs did not help within their bound; a person has to look at the evidence.", Severity.URGENT
    ),
    "repairs-frequent": Kind(
        "A workload is repaired often, though each replacement lasts for a while.", Severity.WARNING
    ),
    "load-unknown": Kind("The load on a workload is not known, so its number of replicas stays as it is."),
    "load-exceeds-max": Kind("The load asks for more replicas than the spec allows.", Severity.WARNING),
    "waits-for-needs": Kind("A first release waits until the services that it needs have a ready replica."),
    "rollout-failed": Kind(
        "A new release was given up, and traffic stays with or goes back to the stable one.", Severity.URGENT
    ),
    "rollout-waits": Kind(
        "A rollout, or a workload that is short, waits for facts, the gateway or for replicas to be ready."
    ),
    "rollout-has-no-room": Kind(
        "A rollout cannot start a replica: `max` plus `surge` leaves no room beyond `min`.", Severity.WARNING
    ),
    "drain-overdue": Kind(
        "A replica is still there long after its drain should have ended it.", Severity.WARNING
    ),
    "not-ours": Kind("A replica belongs to no workload of this system; it is left alone.", Severity.WARNING),
    "postcondition-unknown": Kind(
        "Whether an action had its effect cannot be told yet; it counts neither as done nor as failed.",
        Severity.WARNING,
    ),
    "action-failed": Kind("An action did not have its effect within its deadline.", Severity.WARNING),
    "action-refused": Kind("The target would not carry out an action.", Severity.WARNING),
    "action-held": Kind("A guard holds an action back for now."),
    "approval-asked": Kind("An action waits for a person's approval.", Severity.WARNING),
    "unrecordable": Kind(
        "No record can be kept, so nothing destructive is done until there is room again.", Severity.URGENT
    ),
}
"""Every kind of finding, by its code."""


def finding(kind: str, subject: str, message: str, evidence: Evidence | None = None) -> Finding:
    """Make a finding of a registered kind, with that kind's severity.

    Args:
        kind: a key of `KINDS`; anything else is a broken invariant.
        subject: a workload, a replica's id, a source or `gateway`.
        message: one sentence with the figures.
        evidence: what was looked at, what was empty, what could not be had.
    """
    return Finding(
        kind=kind,
        subject=subject,
        message=message,
        severity=KINDS[kind].severity,
        evidence=evidence or Evidence(),
    )

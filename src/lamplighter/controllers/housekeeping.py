"""Housekeeping: records of the dead that nobody needs, replicas too many, drains that do not end.

Knows what is settled and what lives; of a load only whether it has been read, nothing of health.
"""

from collections.abc import Iterator

from lamplighter.controllers import contracts
from lamplighter.controllers.configure import configured
from lamplighter.controllers.kinds import finding
from lamplighter.controllers.load import before, first_read
from lamplighter.controllers.numbers import at_once
from lamplighter.controllers.repair import successors
from lamplighter.controllers.survey import Survey
from lamplighter.model.actions import Scale
from lamplighter.model.decisions import Priority, Proposal, Verdict
from lamplighter.model.facts import PROCESSES, Replica
from lamplighter.model.findings import Evidence, Finding
from lamplighter.model.history import History, WorkloadHistory
from lamplighter.model.system import Service, System
from lamplighter.model.value import Instant

EVIDENCE_S = 60.0
"""For so long the record of a replica that has ended is kept to be looked at."""
EVIDENCE_MAX = 5
"""So many of them are kept for each workload."""
OVERDUE_S = 15.0
"""Beyond its deadline a drain may take so long to show in the facts."""


def housekeeping(system: System, survey: Survey, history: History) -> Verdict:
    """Propose what keeps the site tidy.

    1. An ended replica that was replaced, drained or is not wanted: its record goes after a minute,
       or earlier if there are more than a few; not while an order to start or to replace it is unanswered:
       given again, the one would start another of its name, the other would not find what it is for.
    2. More of a release live than is settled (an answer was lost): the least busy are drained, no more
       at once than may be at risk; not while its load has been read only once, or the gateway is not set
       as the spec says: a number that was settled when no record could be kept may be what it needs, and
       scaling is first to say so.
    3. A replica drains for longer than it may: a finding.
    4. A replica of a workload that this system never had: a finding, and it is left alone.
    """
    if survey.silence(PROCESSES):
        return Verdict()
    findings: list[Finding] = list(_strangers(survey, history))
    proposals: list[Proposal] = []
    if (records := tuple(_forgettable(survey, history))) and "records" not in survey.motion.subjects:
        why = contracts.Why(
            controller="housekeeping", priority=Priority.SAVING, because="replaced or drained"
        )
        proposals.append(contracts.forget(records, why))
    for name, memory in survey.among(history.workloads):
        findings.extend(_overdue(survey, name, memory))
        if (service := system.services.get(name)) and history.stopping is None:
            proposals.extend(_too_many(system, survey, service, memory, before(history)))
    return Verdict(findings=tuple(findings), proposals=tuple(proposals))


def _forgettable(survey: Survey, history: History) -> Iterator[str]:
    ordered = survey.motion.ordered
    for name, memory in survey.among(history.workloads):
        done: list[Replica] = []
        for release in survey.releases(name):
            owed = memory.wanted.get(release, 0) - survey.count(name, release)
            settled = survey.standing(name, release).exited
            done.extend(
                each
                for each in settled
                if owed <= 0 or each.id in memory.replaced or each.draining_since is not None
            )
        done.sort(key=lambda each: (-memory.ended.get(each.id, survey.now), each.id))
        for rank, each in enumerate(done):
            age = survey.now - memory.ended.get(each.id, survey.now)
            if (rank >= EVIDENCE_MAX or age >= EVIDENCE_S) and each.id not in ordered:
                yield each.id


def _too_many(
    system: System, survey: Survey, service: Service, memory: WorkloadHistory, last: Instant | None
) -> Iterator[Proposal]:
    """Drain what is too many: no more at once than may be at risk, none that others cannot replace."""
    name = service.name
    if name in survey.motion.busy:
        return
    for release, wanted in sorted(memory.wanted.items()):
        there = survey.staying(name, release)
        spares = successors(memory, survey, name, release)
        excess = len(there) - wanted - len(spares)
        if excess <= 0 or not wanted:
            continue
        if service.scale and not (
            configured(system, survey) and not first_read(memory.samples, service, survey.now, last)
        ):
            continue
        most = min(excess, at_once(system, survey.carrying(name)))
        stops = contracts.victims((each for each in there if each.id not in spares), most)
        if stops and contracts.spared(there, stops, wanted):
            left = wanted + excess - len(stops)
            scale = Scale(workload=name, release=release, replicas=left, stops=stops, drain_s=service.drain_s)
            why = contracts.Why(
                controller="housekeeping",
                priority=Priority.SAVING,
                because=f"{excess} more of {release} live than the {wanted} that are settled",
            )
            yield contracts.shrink(survey, scale, why, sources=contracts.EVERY_SOURCE)


def _overdue(survey: Survey, name: str, memory: WorkloadHistory) -> Iterator[Finding]:
    for release in survey.releases(name):
        for each in survey.standing(name, release).draining:
            since = each.draining_since
            if since is not None and survey.now - since > memory.drain_s + OVERDUE_S:
                message = (
                    f"{each.id} drains since {survey.now - since:.0f} s, {memory.drain_s:g} s are allowed"
                )
                yield finding("drain-overdue", each.id, message, Evidence(looked_at=(PROCESSES,)))


def _strangers(survey: Survey, history: History) -> Iterator[Finding]:
    for name in survey.strangers(history.workloads.keys()):
        yield finding("not-ours", name, f"replicas of {name} run here, which this system never had")

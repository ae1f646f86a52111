"""Teardown: end the whole system on a person's order, and workloads that have left the spec.

Knows what lives and who needs whom. An order to end everything is carried out without looking at
load or health: replicas whose requests in flight are not known drain until their deadline.
"""

from collections.abc import Iterator

from lamplighter.controllers import contracts
from lamplighter.controllers.kinds import finding
from lamplighter.controllers.survey import Survey
from lamplighter.model.actions import Dismantle, Scale
from lamplighter.model.decisions import Priority, Proposal, Verdict
from lamplighter.model.facts import HEALTH, PROCESSES
from lamplighter.model.findings import Evidence
from lamplighter.model.history import History, WorkloadHistory
from lamplighter.model.system import System


def teardown(system: System, survey: Survey, history: History) -> Verdict:
    """Propose the next step towards nothing being left.

    1. Processes are silent: wait, and say so; nobody can tell what is left.
    2. Drain every workload that no other one still needs: the last started is the first to go.
    3. Nothing is left alive or draining: dismantle, the gateway last.
    """
    if silence := survey.silence(PROCESSES):
        message = f"{PROCESSES} silent since {silence.since:g}: {silence.why}; what is left cannot be told"
        evidence = Evidence(unavailable=(PROCESSES,))
        return Verdict(findings=(finding("telemetry-silent", PROCESSES, message, evidence),))
    names = sorted({*history.workloads, *survey.workloads()})
    left = [name for name in names if survey.remaining(name)]
    why = contracts.Why(
        controller="teardown",
        priority=Priority.SAFETY,
        because="everything was ordered down",
        ordered_by=history.stopped_by or "a person",
    )
    if not left:
        under_way = isinstance(survey.motion.actions.get("gateway"), Dismantle)
        return Verdict(proposals=() if under_way else (contracts.dismantle(system.name, why),))
    needed = {need for name in left if name in system.services for need in system.services[name].needs}
    free = [name for name in left if name not in needed] or left
    memories = ((name, history.workloads.get(name, WorkloadHistory())) for name in free)
    return Verdict(
        proposals=tuple(each for name, memory in memories for each in _drained(survey, name, memory, why))
    )


def removal(system: System, survey: Survey, history: History) -> Verdict:
    """Propose to drain workloads that the spec no longer has.

    1. It was ours and has left the spec: all of its replicas are drained, whatever their traffic.
    2. Processes or health are silent: wait (nobody ordered this one replica down by name).
    """
    if survey.silence(PROCESSES) or survey.silence(HEALTH):
        return Verdict()
    why = contracts.Why(controller="teardown", priority=Priority.ROLLOUT, because="it has left the spec")
    return Verdict(
        proposals=tuple(
            each
            for name, memory in survey.among(history.workloads)
            if name not in system.services
            for each in _drained(survey, name, memory, why)
        )
    )


def _drained(survey: Survey, name: str, memory: WorkloadHistory, why: contracts.Why) -> Iterator[Proposal]:
    sources = (PROCESSES,) if why.ordered_by else (PROCESSES, HEALTH)
    for release in sorted({*survey.releases(name), *memory.wanted}):
        stops = tuple(sorted(each.id for each in survey.staying(name, release)))
        if stops or memory.wanted.get(release, 0):
            scale = Scale(workload=name, release=release, replicas=0, stops=stops, drain_s=memory.drain_s)
            yield contracts.shrink(survey, scale, why, sources=sources)

"""Scaling: the total number of replicas follows the load, within the spec's bounds.

Knows load, bounds and what is settled; how a total is shared between releases is `numbers`' business,
broken replicas are repair's.
"""

from math import ceil

from lamplighter.controllers import contracts
from lamplighter.controllers.configure import configured
from lamplighter.controllers.kinds import finding
from lamplighter.controllers.load import Demand, asked, before, demand
from lamplighter.controllers.numbers import EPSILON, active, at_once, numbers
from lamplighter.controllers.rollout import scales
from lamplighter.controllers.survey import Survey
from lamplighter.model import system as spec
from lamplighter.model.actions import Idle, Ready, Scale
from lamplighter.model.decisions import Priority, Proposal, Verdict
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC
from lamplighter.model.findings import Evidence, Finding
from lamplighter.model.history import History, WorkloadHistory
from lamplighter.model.system import Service, System
from lamplighter.model.value import Instant

UP_AT = 1.1
"""More replicas only when the load needs a tenth more than there are (as Kubernetes' tolerance)."""
DOWN_AT = 0.9
"""Fewer only when the fewer would be at most nine tenths used; with `UP_AT` this is the hysteresis."""
HOLD_S_MAX = 600.0
"""No scale-down waits longer than this, or a calm window if that is longer, after a scale-up."""


def scaling(system: System, survey: Survey, history: History) -> Verdict:
    """Propose another total for each service whose load or bounds ask for one.

    1. The settled total is outside the spec's bounds: bring it in, whatever the load.
    2. The load is not known: nothing, and a finding says which source is silent since when.
    3. The panic window needs a tenth more than there is: as many as it needs, at once.
    4. Panic (3, or less than a calm window since the last scale-up, doubling with each one that had to
       come soon after a scale-down) never scales down.
    5. The calm window's peak fits into fewer, at most nine tenths used: drain the least busy, no more
       at once than the guards allow to be at risk, and never below what the panic window needs, nor to zero;
       then for a panic window none, so that what is left shows how it fares.
    6. `min` is 0, and nothing has been asked of it for `idle_s`, known all that time; no rollout is under
       way: to zero.
    7. At zero, and something is asked of it: as many as that needs, on the first reading.
    8. More is needed than `max` allows: a finding.
    """
    findings: list[Finding] = []
    proposals: list[Proposal] = []
    if not configured(system, survey) or survey.silence(PROCESSES):
        return Verdict()
    for name, service in survey.among(system.services):
        memory = history.workloads.get(name)
        if memory is None or not memory.stable:
            continue
        total, because = bounded(service, memory.capacity), "the spec's bounds"
        if (
            total == memory.capacity
            and service.scale is not None
            and service.replicas.min < service.replicas.max
        ):
            wants = demand(memory.samples, service, survey.now, before(history))
            findings.extend(_notes(survey, service, memory, wants))
            total, because = _followed(survey, service, memory, wants)
        if total < memory.capacity:
            total = max(total, memory.capacity - at_once(system, memory.capacity))
            proposals.extend(_down(system, survey, service, memory, (total, because)))
        elif total > memory.capacity:
            proposals.extend(_up(survey, service, memory, total, because))
    return Verdict(findings=tuple(findings), proposals=tuple(proposals))


def bounded(service: Service, total: int) -> int:
    """Return the total within the spec's bounds; without an autoscaler it is `min`."""
    top = service.replicas.max if service.scale is not None else service.replicas.min
    return max(service.replicas.min, min(total, top))


def _followed(survey: Survey, service: Service, memory: WorkloadHistory, wants: Demand) -> tuple[int, str]:
    """Return the total that the load asks for, and why; the present one where nothing is to be done."""
    assert service.scale is not None
    now, scale, total = survey.now, service.scale, memory.capacity
    if total == 0:
        return _from_zero(survey, service, scale)
    if wants.panic is not None and wants.panic > max(total * UP_AT, EPSILON):
        need = min(service.replicas.max, ceil(wants.panic - EPSILON))
        return max(total, need), f"the load needs {wants.panic:.1f} replicas of the {total} there are"
    if survey.silence(TRAFFIC) or survey.silence(HEALTH):
        return total, ""
    if idle(service, memory, now):
        return 0, f"nothing was asked of it for {scale.idle_s:g} s"
    if wants.calm is None or wants.panic is None:
        return total, ""
    if memory.scaled_up_at is not None and now - memory.scaled_up_at < held_s(scale, memory):
        return total, ""
    if memory.scaled_down_at is not None and now - memory.scaled_down_at < scale.panic_window_s:
        return total, ""
    peak = max(wants.calm, wants.panic)
    fewer = max(1, service.replicas.min, ceil(peak / DOWN_AT - EPSILON))
    if scale.on == "latency":
        fewer = max(fewer, total - 1)
    return min(total, fewer), f"{scale.window_s:g} s of load need at most {peak:.1f} of {total} replicas"


def held_s(scale: spec.Scale, memory: WorkloadHistory) -> float:
    """Return for how long after a scale-up nothing is taken away again.

    A calm window; twice as long after each time that what was taken away had to come back soon: a need
    that lies between two numbers would have them swing for ever.
    """
    return max(scale.window_s, min(scale.window_s * 2.0**memory.returns, HOLD_S_MAX))


def idle(service: Service, memory: WorkloadHistory, now: Instant) -> bool:
    """Return whether a service may go to zero: idle for long enough, known so, and nothing is rolled out."""
    if service.scale is None or service.replicas.min > 0 or memory.idle_since is None or active(memory):
        return False
    return now - memory.idle_since >= service.scale.idle_s


def _from_zero(survey: Survey, service: Service, scale: spec.Scale) -> tuple[int, str]:
    requests = asked(survey.facts.loads.get(service.name))
    if not requests:
        return 0, ""
    need = ceil(requests / scale.goal) if scale.on == "in_flight" else 1
    return min(service.replicas.max, need), f"{requests} requests wait, and there are no replicas"


def _up(
    survey: Survey, service: Service, memory: WorkloadHistory, total: int, because: str
) -> list[Proposal]:
    move = numbers(memory, service, survey, total)
    return [
        each
        for each in scales(survey, service, memory, move, _why(because, total))
        if not each.contract.destructive
    ]


def _down(
    system: System, survey: Survey, service: Service, memory: WorkloadHistory, aim: tuple[int, str]
) -> list[Proposal]:
    """Drain the least busy of the release that has the traffic; nothing while anything else is under way.

    Nor while more live than are settled, if both together were more than may be at risk: those go first.
    """
    name, (total, because) = service.name, aim
    move = numbers(memory, service, survey, total)
    proposals = []
    for release, to in sorted(move.wanted.items()):
        if to >= memory.wanted.get(release, 0) or name in survey.motion.busy or survey.coming(name, release):
            continue
        there = survey.staying(name, release)
        stops = contracts.victims(there, max(0, survey.count(name, release) - to))
        ready = survey.ready(name, release)
        left = sum(each.ready is True and each.id not in stops for each in there)
        if len(there) - len(stops) != to or left < to:
            continue
        if total and len(stops) > at_once(system, survey.carrying(name)):
            continue
        needs = (Ready(workload=name, release=release, at_least=ready),)
        proposal = contracts.shrink(
            survey,
            Scale(workload=name, release=release, replicas=to, stops=stops, drain_s=service.drain_s),
            _why(because, total),
            sources=contracts.EVERY_SOURCE,
            needs=needs if total else (*needs, Idle(workload=name)),
        )
        proposals.append(proposal if total else contracts.unasked(proposal))
    return proposals


def _why(because: str, total: int) -> contracts.Why:
    return contracts.Why(controller="scaling", priority=Priority.SCALING, because=because, capacity=total)


def _notes(survey: Survey, service: Service, memory: WorkloadHistory, wants: Demand) -> list[Finding]:
    silence = survey.silence(TRAFFIC)
    assert service.scale is not None
    if wants.panic is None:
        why = f"{TRAFFIC} silent since {silence.since:g}: {silence.why}" if silence else "no readings yet"
        return [
            finding(
                "load-unknown",
                service.name,
                f"{service.name} stays at {memory.capacity} replicas: {why}",
                Evidence(
                    empty=() if silence else (service.scale.on,), unavailable=(TRAFFIC,) if silence else ()
                ),
            )
        ]
    if wants.panic > service.replicas.max * UP_AT:
        message = f"{service.name} needs {wants.panic:.1f} replicas, the spec allows {service.replicas.max}"
        return [finding("load-exceeds-max", service.name, message, Evidence(looked_at=(TRAFFIC,)))]
    return []

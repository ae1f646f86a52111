"""Rollout: bring a new release in, step by step, and an old one out; and keep numbers as settled.

Knows releases, readiness and traffic shares; of load only whether nobody asks. A change of
the spec that changes no release never comes here.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from lamplighter.controllers import contracts
from lamplighter.controllers.configure import configured
from lamplighter.controllers.contracts import SHARE_TOLERANCE
from lamplighter.controllers.kinds import finding
from lamplighter.controllers.load import asked
from lamplighter.controllers.needs import awaited, lacking
from lamplighter.controllers.numbers import (
    Numbers,
    active,
    at_once,
    attainable,
    lost,
    numbers,
    replicas_for,
    step_share,
    steps,
)
from lamplighter.controllers.repair import failing, successors
from lamplighter.controllers.survey import Survey
from lamplighter.model.actions import Heard, Idle, Ready, Scale, Shares
from lamplighter.model.decisions import Priority, Proposal, Verdict
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC
from lamplighter.model.findings import Evidence, Finding
from lamplighter.model.history import History, RolloutState, WorkloadHistory
from lamplighter.model.system import Service, System
from lamplighter.model.value import Instant

CRASHES_MAX = 3
"""So many candidates that end soon after their start are a crash loop, not bad luck."""
REFUSALS_MAX = 5
"""So often the target may refuse or fail to start candidates before the rollout is given up."""
SHORTFALL_S_MAX = 10.0
"""For so long a candidate may have fewer ready replicas than its traffic needs: time for one repair."""


def rollout(system: System, survey: Survey, history: History) -> Verdict:
    """Propose the next capacity-safe move of each workload towards its release.

    1. The target is not configured with the spec in force, or processes or health are silent: wait.
    2. A first release starts at once at full number, once what it needs has a ready replica or is at zero.
    3. A rollout: more of the candidate as room allows, then its share of the traffic, then bake.
    4. No room (`max` plus `surge`): stable makes way, never below what its own traffic needs.
    5. A release that has lost its traffic for good is drained; one that still has some gives it back
       first.
    6. Numbers differ from the settled capacity for any other reason: bring them there.

    Returns:
        At most one Scale for each release and one Shift for each workload.
    """
    findings: list[Finding] = []
    proposals: list[Proposal] = []
    if not configured(system, survey) or any(survey.silence(each) for each in (PROCESSES, HEALTH)):
        return Verdict(findings=tuple(_waiting(survey, history)))
    for name, service in survey.among(system.services):
        memory = history.workloads.get(name)
        if memory is None or not (memory.stable or memory.rollout or memory.wanted):
            continue
        if missing := lacking(system, survey, service, history):
            findings.append(_waits_for(name, missing))
            continue
        move = numbers(memory, service, survey, max(memory.capacity, service.replicas.min))
        if move.no_room and active(memory):
            findings.append(_no_room(service))
        why = replace(_why(memory), ordered_by="")
        first = awaited(system, survey, service, history)
        for each in scales(survey, service, memory, move, why):
            proposals.extend(_needing(one, first) for one in _bounded(system, survey, memory, each))
        proposals.extend(_shift(survey, service, memory, move))
    return Verdict(findings=tuple(findings), proposals=tuple(proposals))


def _needing(proposal: Proposal, needs: tuple[Ready, ...]) -> Proposal:
    contract = proposal.contract
    return (
        replace(proposal, contract=replace(contract, needs=(*contract.needs, *needs))) if needs else proposal
    )


def scales(
    survey: Survey, service: Service, memory: WorkloadHistory, move: Numbers, why: contracts.Why
) -> list[Proposal]:
    """Return a Scale for each release whose settled number is to change.

    What lives beyond the settled number (a drain that did not come about) is not started again.
    """
    proposals = []
    timing = contracts.Timing(start_s=service.health.start_timeout_s, drain_s=service.drain_s)
    for release, to in sorted(move.wanted.items()):
        now = memory.wanted.get(release, 0)
        there = survey.staying(service.name, release)
        if to > now:
            spares = successors(memory, survey, service.name, release)
            lives = max(now, survey.count(service.name, release) - len(spares))
            proposals.append(contracts.grow(service.name, release, (now, min(lives, to), to), why, timing))
        elif to < now or (to == 0 and there):
            given = {**survey.given(service.name), **(move.shares or {})}
            proposals.extend(_fewer(survey, service, (release, to), why, given))
    return proposals


def _fewer(
    survey: Survey, service: Service, aim: tuple[str, int], why: contracts.Why, given: Mapping[str, float]
) -> tuple[Proposal, ...]:
    """Drain what is too many; all of a release that gets no traffic, known to be ready or not.

    One that is being `given` some right now, or by this very move, is not unused, whatever becomes of that.
    Of one that gets some nothing that serves is drained while those that are to stay are not all ready:
    what is only coming carries no traffic yet. The last that serves go only while nobody asks for them: at
    zero there may live one that was started when no record could be kept.
    """
    release, to = aim
    shares = survey.facts.shares.get(service.name, {})
    there = survey.staying(service.name, release)
    unused = not contracts.takes_traffic(survey, service.name, release)
    if unused and given.get(release):
        return ()
    excess = max(0, survey.count(service.name, release) - to)
    stops = contracts.victims(there, excess, unknown_too=unused)
    unknown = any(each.ready is None for each in there)
    if len(stops) < min(excess, len(there)) or (unknown and stops and not unused):
        return ()
    if not (unused or contracts.spared(there, stops, to)):
        return ()
    scale = Scale(workload=service.name, release=release, replicas=to, stops=stops, drain_s=service.drain_s)
    ready = Ready(workload=service.name, release=release, at_least=survey.ready(service.name, release))
    stand = Shares(workload=service.name, shares=dict(sorted(shares.items())))
    if not to and not unused and ready.at_least and ready.at_least == survey.ready(service.name):
        if asked(survey.facts.loads.get(service.name)) != 0:
            return ()
        idle = Idle(workload=service.name)
        return (
            contracts.unasked(
                contracts.shrink(
                    survey, scale, why, sources=contracts.EVERY_SOURCE, needs=(stand, ready, idle)
                )
            ),
        )
    needs = (stand,) if unused else (stand, ready)
    sources = (PROCESSES, HEALTH) if unused else contracts.EVERY_SOURCE
    return (contracts.shrink(survey, scale, why, sources=sources, needs=needs),)


def _bounded(
    system: System, survey: Survey, memory: WorkloadHistory, proposal: Proposal
) -> tuple[Proposal, ...]:
    """Drain no more at once than may be at risk, of a release that has traffic; all that a person ordered."""
    scale = proposal.action
    assert isinstance(scale, Scale)
    ordered = _ordered(memory, scale.release)
    excess = len(scale.stops) - at_once(system, survey.carrying(scale.workload))
    if ordered:
        needs = tuple(each for each in proposal.contract.needs if each != Heard(source=TRAFFIC))
        return (replace(proposal, ordered_by=ordered, contract=replace(proposal.contract, needs=needs)),)
    if excess <= 0 or not proposal.contract.blast_radius:
        return (proposal,)
    fewer = replace(scale, replicas=scale.replicas + excess, stops=scale.stops[:-excess])
    why = contracts.Why(controller=proposal.controller, priority=proposal.priority, because=proposal.because)
    needs = tuple(each for each in proposal.contract.needs if isinstance(each, Ready | Shares))
    return (contracts.shrink(survey, fewer, why, sources=contracts.EVERY_SOURCE, needs=needs),)


def _ordered(memory: WorkloadHistory, release: str) -> str:
    """Return whose order it is to change how many of a release there are; empty if it is nobody's.

    A person who rolls back orders the release up that is gone back to while that goes on, and the one
    that is left down, also afterwards. Whatever else changes then is the loop's own doing again.
    """
    state = memory.rollout
    if state is None or state.verdict in ("failed", "superseded"):
        return ""
    left = state.stable if state.at_once else state.candidate
    back = state.at_once or state.verdict == "rolled-back"
    return state.by if back and (not state.verdict or release == left != memory.stable) else ""


def _shift(survey: Survey, service: Service, memory: WorkloadHistory, move: Numbers) -> tuple[Proposal, ...]:
    """Share the traffic anew; while that is under way already, only to take back what goes astray."""
    shares = move.shares
    if survey.shifting(service.name):
        astray = _astray(survey, service, memory)
        shares = (shares or survey.facts.shares.get(service.name)) if astray else None
    return (contracts.shift(survey, service.name, shares, _why(memory)),) if shares else ()


def _astray(survey: Survey, service: Service, memory: WorkloadHistory) -> bool:
    """Return whether a release is being given traffic that is not its own any more.

    It has been given up or overtaken meanwhile; or it was to have all since stable was lost, which is back.
    """
    state, now = active(memory), survey.facts.shares.get(service.name, {})
    bounds = {memory.stable: 1.0}
    if state is not None:
        gone = not state.stable or lost(memory, survey, service.name, state.stable)
        bounds[state.candidate] = 1.0 if gone else step_share(state, service)
    given = survey.given(service.name).items()
    return any(
        share > max(now.get(each, 0.0), bounds.get(each, 0.0)) + SHARE_TOLERANCE for each, share in given
    )


def _why(memory: WorkloadHistory) -> contracts.Why:
    state = memory.rollout
    back = state is not None and state.verdict in ("failed", "rolled-back")
    if state is None:
        because = "the settled number of replicas"
    elif state.verdict in ("failed", "rolled-back"):
        because = f"{state.candidate} is given up: {state.reason}"
    elif state.verdict:
        because = f"{state.candidate} is {state.verdict}"
    elif not state.stable:
        because = f"{state.candidate} is the first release"
    else:
        because = f"rollout of {state.candidate}, step {state.step + 1}"
    return contracts.Why(
        controller="rollout",
        priority=Priority.SAFETY if back else Priority.ROLLOUT,
        because=because,
        ordered_by=state.by if state and (state.at_once or state.verdict == "rolled-back") else "",
    )


def _no_room(service: Service) -> Finding:
    bounds, surge = service.replicas, service.rollout.surge
    message = (
        f"{service.name}: min {bounds.min}, max {bounds.max} and surge {surge} leave no room to start or to"
        " end one more; raise surge or max, or lower min"
    )
    return finding("rollout-has-no-room", service.name, message)


def _waits_for(name: str, missing: tuple[str, ...]) -> Finding:
    return finding(
        "waits-for-needs",
        name,
        f"{name} starts once {', '.join(missing)} can serve",
        Evidence(looked_at=("health",), empty=tuple(f"ready replicas of {each}" for each in missing)),
    )


def _waiting(survey: Survey, history: History) -> list[Finding]:
    """Say of each workload that would get replicas or traffic by now what it waits for."""
    silent = tuple(each for each in (PROCESSES, HEALTH) if survey.silence(each))
    found = []
    for name, memory in survey.among(history.workloads):
        settled = sum(memory.wanted.values())
        if not active(memory) and settled >= memory.capacity:
            continue
        what = f"the rollout of {name}" if active(memory) else f"{name}, {settled} of {memory.capacity},"
        message = f"{what} waits for {' and '.join(silent) or 'the gateway'}"
        found.append(finding("rollout-waits", name, message, Evidence(unavailable=silent)))
    return found


# --- the state of a rollout, moved on by what the facts show (called by the engine's fold)


def progress(memory: WorkloadHistory, service: Service, survey: Survey, history: History) -> WorkloadHistory:
    """Return the workload's memory with its rollout moved on as far as the facts allow.

    1. Processes or health are silent: inconclusive is not failed; a bake starts anew, and so does the time
       for which the candidate may be short of ready replicas.
    2. Another release than the two has all of the traffic and serves, and stable is lost or there is none:
       that one is the stable release. (It was a candidate before this one; or the record of it was lost.)
    3. The candidate fails (see `failure`): the rollout ends, and stable stays or comes back.
       A first release ends its rollout when it has the traffic.
    4. The step's share is in force and ready replicas carry it: bake; after `bake_s`, the next step. One
       from zero has no steps, unless the former release turns out to serve: it was not known to be idle.
    5. The last step is reached: the candidate becomes the stable release.
    """
    state = active(memory)
    if state is None:
        return memory
    if survey.silence(PROCESSES) or survey.silence(HEALTH):
        since = survey.now if state.step_since is not None else None
        return _with(memory, replace(state, step_since=since, shortfall_since=None))
    if state.from_zero and survey.ready(service.name, state.stable):
        state = replace(state, from_zero=False)
        memory = _with(memory, state)
    alone = _alone(service.name, survey, state.candidate)
    other = alone not in ("", state.candidate, state.stable)
    if other and (not state.stable or lost(memory, survey, service.name, state.stable)):
        return _adopted(memory, state, alone)
    if not state.stable:
        return promoted(memory, state, survey.now) if alone == state.candidate else memory
    state = replace(state, shortfall_since=_short_since(memory, state, service, survey))
    reason = failure(memory, state, service, survey, history)
    if reason:
        return _with(memory, replace(state, verdict="failed", reason=reason, ended_at=survey.now))
    return _stepped(memory, state, service, survey)


def failure(
    memory: WorkloadHistory, state: RolloutState, service: Service, survey: Survey, history: History
) -> str:
    """Return why a candidate has failed, or an empty string.

    Crash loops, replicas that are not ready `start_timeout_s` after their start, too few ready ones
    for its traffic for `SHORTFALL_S_MAX`, or a target that will not start them. More that its traffic
    needs since the load has grown, and that a guard holds back, are no fault of the candidate's.
    """
    if state.crashes >= CRASHES_MAX:
        return f"{state.crashes} of its replicas ended soon after their start"
    subject = f"{service.name}/{state.candidate}"
    refused = [
        each
        for each in history.closed
        if each.subject == subject
        and each.result in ("refused", "failed", "undone")
        and each.at >= state.started_at
    ]
    if len(refused) >= REFUSALS_MAX:
        return f"it could not be started {len(refused)} times: {refused[-1].detail}"
    for each in survey.staying(service.name, state.candidate):
        late = survey.now - each.started_at >= service.health.start_timeout_s
        if late and each.id not in memory.first_ready and failing(memory, service, each, survey.now):
            return f"{each.id} was not ready {service.health.start_timeout_s:g} s after its start"
    if state.shortfall_since is not None and survey.now - state.shortfall_since >= SHORTFALL_S_MAX:
        return f"fewer ready replicas than its traffic needs for {SHORTFALL_S_MAX:g} s"
    return ""


def promoted(memory: WorkloadHistory, state: RolloutState, now: float) -> WorkloadHistory:
    """Return the memory with the candidate as the stable release.

    The former one is first among the earlier releases; after a rollback it is last, so that another
    rollback goes further back and not to what was just left.
    """
    others = tuple(each for each in memory.earlier if each not in (state.candidate, state.stable))
    former = (state.stable,) if state.stable and state.stable != state.candidate else ()
    return replace(
        memory,
        stable=state.candidate,
        earlier=((*others, *former) if state.at_once else (*former, *others))[:EARLIER_MAX],
        rollout=replace(state, verdict="promoted", ended_at=now),
    )


EARLIER_MAX = 10


def _share(state: RolloutState, service: Service, survey: Survey) -> float:
    return survey.facts.shares.get(service.name, {}).get(state.candidate, 0.0)


def _needed(memory: WorkloadHistory, state: RolloutState, service: Service, survey: Survey) -> int:
    """Return how many of the candidate its traffic needs; where it has none yet, the step's share."""
    goal, share = step_share(state, service), _share(state, service, survey)
    _, total = attainable(service, survey, {state.candidate, state.stable}, memory.capacity)
    return max(1, replicas_for(min(share, goal) if share > 0 else goal, total))


def _short_since(
    memory: WorkloadHistory, state: RolloutState, service: Service, survey: Survey
) -> Instant | None:
    """Return since when fewer of the candidate are ready than were settled for its traffic; None: they are.

    One that is not known to be ready is not known to be missing either. While nothing of stable serves that
    should, the candidate has more traffic than its step gives it, and nobody could take it back.
    """
    if memory.wanted.get(state.stable) and lost(memory, survey, service.name, state.stable):
        return None
    owed = min(_needed(memory, state, service, survey), memory.wanted.get(state.candidate, 0))
    there = survey.staying(service.name, state.candidate)
    if _share(state, service, survey) <= 0 or sum(each.ready is not False for each in there) >= owed:
        return None
    return survey.now if state.shortfall_since is None else state.shortfall_since


def _stepped(
    memory: WorkloadHistory, state: RolloutState, service: Service, survey: Survey
) -> WorkloadHistory:
    goal, last = step_share(state, service), state.step >= len(steps(state, service)) - 1
    enough = survey.ready(service.name, state.candidate) >= _needed(memory, state, service, survey)
    if _share(state, service, survey) < goal - SHARE_TOLERANCE or not enough:
        return _with(memory, replace(state, step_since=None))
    if last:
        return promoted(memory, state, survey.now)
    if state.step_since is None:
        return _with(memory, replace(state, step_since=survey.now))
    if survey.now - state.step_since >= service.rollout.bake_s:
        return _with(memory, replace(state, step=state.step + 1, step_since=None))
    return memory if state == memory.rollout else _with(memory, state)


def _adopted(memory: WorkloadHistory, state: RolloutState, serving: str) -> WorkloadHistory:
    """Return the memory with the release that serves alone as the stable one, and the lost one as earlier."""
    earlier = tuple(
        dict.fromkeys(each for each in (memory.stable, *memory.earlier) if each not in ("", serving))
    )
    rollout = replace(state, stable=serving)
    return replace(memory, stable=serving, earlier=earlier[:EARLIER_MAX], rollout=rollout)


def _alone(workload: str, survey: Survey, candidate: str) -> str:
    """Return the release that has all of the traffic and serves; empty if there is none.

    While a gateway has no shares set every release gets traffic: then it is the only one that serves,
    but for the candidate, which is to be given its traffic first.
    """
    shares = survey.facts.shares.get(workload) or dict.fromkeys(survey.standings(workload), 1.0)
    serving = [each for each, share in shares.items() if share > 0 and survey.ready(workload, each)]
    if len(serving) != 1 or shares[serving[0]] < 1 - SHARE_TOLERANCE:
        return ""
    placed = survey.facts.shares.get(workload) or serving[0] != candidate
    return serving[0] if placed else ""


def _with(memory: WorkloadHistory, state: RolloutState) -> WorkloadHistory:
    return replace(memory, rollout=state)

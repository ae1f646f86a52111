"""Orders: fold what people ask for into the history, and answer each.

An answer says what became of an intent when it was taken; it promises nothing about the world.
"""

from msgspec.structs import replace

from lamplighter.controllers.numbers import active
from lamplighter.controllers.scaling import bounded
from lamplighter.model.actions import Dismantle
from lamplighter.model.facts import Facts
from lamplighter.model.history import Approval, History, Pending, RolloutState, WorkloadHistory
from lamplighter.model.intents import Answer, Approve, Down, Intent, Rollback, Up
from lamplighter.model.system import Service
from lamplighter.model.value import Instant
from lamplighter.planning.basis import basis


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """An intent cannot be carried out; it changes nothing. Its code and text are the answer."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def take(
    history: History, intents: tuple[Intent, ...], facts: Facts, now: Instant, *, recordable: bool = True
) -> tuple[History, tuple[Answer, ...]]:
    """Fold intents in their order; return the history and an answer to each.

    While no record can be kept none is taken: what was promised must outlive who promised it.

    Args:
        history: what is remembered.
        intents: what was asked for since the last pass.
        facts: for the basis that a plan is bound to.
        now: the pass's instant.
        recordable: whether this pass can be recorded.
    """
    if not recordable:
        return history, tuple(_held(each) for each in intents)
    answers = []
    for intent in intents:
        try:
            history, detail = _taken(history, intent, facts, now)
            answers.append(Answer(intent=intent.id, accepted=True, detail=detail))
        except Refused as refusal:
            answers.append(Answer(intent=intent.id, accepted=False, code=refusal.code, detail=refusal.detail))
    return history, tuple(answers)


def _held(intent: Intent) -> Answer:
    why = "no record can be kept of it; free some disk space and ask again"
    return Answer(intent=intent.id, accepted=False, code="held", detail=why)


def _taken(history: History, intent: Intent, facts: Facts, now: Instant) -> tuple[History, str]:
    match intent:
        case Up():
            return _up(history, intent, facts, now)
        case Rollback():
            return _rollback(history, intent, now)
        case Approve():
            return _approve(history, intent, now)
        case Down():
            return _down(history, intent, now)


# --- up


def _up(history: History, intent: Up, facts: Facts, now: Instant) -> tuple[History, str]:
    """Bring a system into force; each service whose release is another than its own gets a rollout.

    1. The facts have changed since the plan: refused.
    2. The system is being dismantled: refused until that is done; merely draining is called off.
    3. A service without a release, now or before: refused.
    4. What stops something and has no answer yet is not asked for again if an order before this one asked
       for it (a `down` that is called off), or other guards let it pass.
    """
    if intent.basis and intent.basis != basis(facts, history):
        raise Refused("facts-changed", "the facts that the plan was made from have changed; make a new plan")
    if any(isinstance(each.decision.chosen.action, Dismantle) for each in history.pending.values()):
        raise Refused("stopping", "the system is being dismantled; try again once it is down")
    if history.system is not None and history.system.name != intent.system.name:
        raise Refused(
            "other-system", f"this maintainer keeps {history.system.name}, not {intent.system.name}"
        )
    workloads = dict(history.workloads)
    for name, service in sorted(intent.system.services.items()):
        memory = workloads.get(name, WorkloadHistory())
        release = intent.releases.get(name, "") or _in_force(memory)
        if not release:
            raise Refused("release-missing", f"no release of {name} was given, and none is in force")
        workloads[name] = _released(memory, service, release, intent, now)
    others = history.system is not None and history.system.guards != intent.system.guards
    pending = {each: _let_be(one, now, others=others) for each, one in history.pending.items()}
    started = sorted(
        name for name, memory in workloads.items() if (state := active(memory)) and state.started_at == now
    )
    history = replace(
        history,
        system=intent.system,
        workloads=workloads,
        pending=pending,
        stopping=None,
        stopped_by="",
        stopped=False,
    )
    return history, f"rolling out {', '.join(started)}" if started else "no release changes"


def _let_be(pending: Pending, now: Instant, *, others: bool) -> Pending:
    """Leave to the facts what stops something and may not have happened.

    An order before this one may have asked for it; where there are other guards, the ones before let it pass.
    """
    chosen = pending.decision.chosen
    stale = chosen.contract.destructive and (others or bool(chosen.ordered_by))
    return replace(pending, state="applied", since=now) if stale and pending.state == "decided" else pending


def _in_force(memory: WorkloadHistory) -> str:
    state = active(memory)
    return state.candidate if state else memory.stable


def _released(
    memory: WorkloadHistory, service: Service, release: str, intent: Up, now: Instant
) -> WorkloadHistory:
    """Return the memory with `release` in force or on its way; a higher `min` applies at once.

    So does a lower `max`, as far as nothing is settled to live: that scaling drains, and more finds no room.
    """
    first = not memory.stable and not any(memory.wanted.values())
    most = max(service.replicas.max, sum(memory.wanted.values()))
    kept = min(max(memory.capacity, service.replicas.min), most)
    if not first and kept > memory.capacity:
        memory = replace(memory, scaled_up_at=now)
    memory = replace(memory, drain_s=service.drain_s, capacity=bounded(service, 1) if first else kept)
    if release == _in_force(memory):
        return memory
    if release == memory.stable:
        return aborted(memory, "the stable release was asked for again", intent.by, now)
    return begun(memory, RolloutState(candidate=release, stable=memory.stable, started_at=now, by=intent.by))


def begun(memory: WorkloadHistory, state: RolloutState) -> WorkloadHistory:
    """Return the memory with a new rollout; one that was under way is superseded by it.

    At zero there is no traffic to share out: one replica shows that the release serves, and that is all.
    """
    if memory.stable and memory.capacity == 0:
        return replace(memory, rollout=replace(state, from_zero=True), capacity=1)
    return replace(memory, rollout=state)


def aborted(memory: WorkloadHistory, reason: str, by: str, now: Instant) -> WorkloadHistory:
    """Return the memory with its rollout rolled back to the stable release."""
    state = active(memory)
    assert state is not None
    return replace(memory, rollout=replace(state, verdict="rolled-back", reason=reason, by=by, ended_at=now))


# --- rollback


def _rollback(history: History, intent: Rollback, now: Instant) -> tuple[History, str]:
    """Abort the rollout under way, or else go back to an earlier release at once, without baking."""
    memory = history.workloads.get(intent.workload)
    if history.system is None or memory is None or intent.workload not in history.system.services:
        known = ", ".join(sorted(history.system.services)) if history.system else "nothing is up"
        raise Refused("unknown-workload", f"no service {intent.workload!r}; there is: {known}")
    if history.stopping is not None:
        raise Refused("stopping", "everything was ordered down")
    state = active(memory)
    if state is not None and state.at_once and intent.to in ("", state.candidate):
        return history, f"already going back to {state.candidate}"
    if state is not None and state.stable and intent.to in ("", state.stable):
        memory = aborted(memory, "rolled back on request", intent.by or "a person", now)
        detail = f"{state.candidate} gives its traffic back to {state.stable}"
    else:
        to = _earlier(memory, intent)
        memory = begun(
            memory,
            RolloutState(
                candidate=to,
                stable=memory.stable,
                started_at=now,
                by=intent.by or "a person",
                at_once=True,
                reason="rolled back on request",
            ),
        )
        detail = f"going back to {to}"
    return replace(history, workloads={**history.workloads, intent.workload: memory}), detail


def _earlier(memory: WorkloadHistory, intent: Rollback) -> str:
    there = ", ".join(memory.earlier) or "none"
    if not intent.to:
        if not memory.earlier:
            raise Refused("no-earlier-release", f"{intent.workload} has no earlier release to go back to")
        return memory.earlier[0]
    if intent.to == _in_force(memory):
        raise Refused("already-there", f"{intent.workload} is on {intent.to} or on its way there")
    if intent.to not in memory.earlier:
        raise Refused("unknown-release", f"{intent.workload} never ran {intent.to}; earlier ones: {there}")
    return intent.to


# --- approve, down


def _approve(history: History, intent: Approve, now: Instant) -> tuple[History, str]:
    """Note an approval of an action that is now asked about; whether it still holds shows in this pass."""
    if intent.action not in history.asked:
        lapsed = any(each.action == intent.action and each.result == "lapsed" for each in history.closed)
        if lapsed:
            raise Refused("lapsed", f"the facts behind {intent.action} have changed since it was asked about")
        waiting = ", ".join(sorted(history.asked)) or "none"
        raise Refused("unknown-action", f"{intent.action} waits for no approval; waiting: {waiting}")
    approval = Approval(action=intent.action, at=now, by=intent.by)
    return replace(history, approvals={**history.approvals, intent.action: approval}), "approved"


def _down(history: History, intent: Down, now: Instant) -> tuple[History, str]:
    if history.system is None or history.stopped:
        raise Refused("nothing-up", "nothing of this system is up")
    if history.stopping is not None:
        return history, "already going down"
    return replace(history, stopping=now, stopped_by=intent.by or "a person"), "draining everything"

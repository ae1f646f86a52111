"""The status of a system as a person reads it: what runs, how it stands, what is not known since when."""

from lamplighter.app.views import Status, WorkloadView
from lamplighter.faces.cli.render.paint import columns, known, paint, seconds, size
from lamplighter.model.facts import Exit, Phase, Replica
from lamplighter.planning import describe


def status_text(status: Status) -> str:
    """Return the whole status as lines."""
    lines = [paint(status.system, "bold") + "  " + _standing(status)]
    if status.gateway:
        lines.append(f"  gateway {status.gateway}")
    lines += ["", *_workloads(status)] if status.workloads else []
    lines += ["", *_replicas(status)] if status.replicas else []
    lines += _attention(status)
    return "\n".join(lines)


def _standing(status: Status) -> str:
    if status.stopped:
        return "is down"
    if status.stopping:
        return "is going down"
    holder = status.holder
    if not status.live and holder is not None and holder.standing in ("alive", "stopped"):
        how = "is stopped" if holder.standing == "stopped" else "does not answer"
        told = f"is held by pid {holder.pid} since {holder.since}, which {how}: nothing is repaired"
        mend = (
            f"kill -CONT {holder.pid}"
            if holder.standing == "stopped"
            else f"kill -KILL {holder.pid}; lamp up"
        )
        return paint(f"{told}   {mend}", "red")
    if not status.live:
        return paint("runs without a maintainer: nothing is repaired until `lamp up`", "yellow")
    return f"maintained by pid {holder.pid} since {holder.since}" if holder else "maintained"


def _workloads(status: Status) -> list[str]:
    head = ["WORKLOAD", "READY", "WANTED", "RELEASE", "IN FLIGHT", "RATE/S", "P99", "ROUTE"]
    return columns([head, *(_workload(each, status.at) for each in status.workloads)])


def _workload(view: WorkloadView, now: float) -> list[str]:
    load = view.load
    p99_s = load.latency_p99_s if load else None
    return [
        view.name,
        f"{view.ready}/{view.live}" + (f" +{view.draining} draining" if view.draining else ""),
        _wanted(view, now),
        _release(view),
        known(load.in_flight if load else None),
        known(load.rate_per_s if load else None, ".1f"),
        seconds(p99_s),
        view.route or "-",
    ]


def _wanted(view: WorkloadView, now: float) -> str:
    """Return how many are wanted; at zero also since when, or how many requests wait there."""
    wanted = sum(view.wanted.values())
    waiting = view.load.queued if view.load else None
    if not wanted and waiting and not view.ready:
        return f"{wanted} ({waiting} waiting)"
    if not wanted and view.idle_since is not None:
        return f"{wanted} (idle for {seconds(max(0.0, now - view.idle_since))})"
    return str(wanted)


def _release(view: WorkloadView) -> str:
    rollout = view.rollout
    if rollout is None or rollout.verdict:
        return view.stable or "-"
    share = view.shares.get(rollout.candidate, 0.0)
    return f"{view.stable or 'none'} -> {rollout.candidate} ({share:.0%})"


def _replicas(status: Status) -> list[str]:
    head = ["REPLICA", "STATE", "RELEASE", "IN FLIGHT", "AGE", "MEMORY", "CPU", "PID"]
    return columns([head, *(_replica(each, status.at) for each in status.replicas)])


def _replica(replica: Replica, now: float) -> list[str]:
    return [
        replica.id,
        _state(replica),
        replica.release,
        known(replica.in_flight),
        seconds(max(0.0, now - replica.started_at)),
        size(replica.memory_bytes),
        known(replica.cpu, ".2f"),
        known(replica.pid),
    ]


def _state(replica: Replica) -> str:
    if replica.phase is Phase.EXITED and replica.exit is not None:
        return f"exited ({_how(replica.exit)})"
    if replica.phase in (Phase.STARTING, Phase.RUNNING):
        return {True: "ready", False: "not ready", None: "unknown"}[replica.ready]
    return replica.phase.value


def _how(end: Exit) -> str:
    if end.signal is not None:
        return f"signal {end.signal}"
    return "how is not known" if end.code is None else f"code {end.code}"


def _attention(status: Status) -> list[str]:
    """Return what a person should know or do; nothing if all is well."""
    lines: list[str] = []
    if status.held:
        lines.append(paint(f"held: {status.held}", "red"))
    for view in status.workloads:
        rollout = view.rollout
        if rollout is not None and rollout.verdict == "failed":
            given_up = f"{view.name}: release {rollout.candidate} was given up: {rollout.reason}"
            lines.append(paint(f"urgent: rollout-failed {given_up}", "red"))
    for name, source in status.sources.items():
        if source.silent:
            since = seconds(max(0.0, status.at - source.since))
            lines.append(paint(f"unknown for {since}: {name} ({source.why})", "yellow"))
    for each in status.asked:
        what = describe(each.chosen.action)
        lines.append(paint(f"asks: {what} - {each.chosen.because}   lamp approve {each.id}", "yellow"))
    lines += [
        f"held back: {describe(each.chosen.action)} - {'; '.join(each.reasons)}" for each in status.waiting
    ]
    for pending in status.pending:
        decision = pending.decision
        lines.append(f"under way: {describe(decision.chosen.action)}   lamp explain {decision.id}")
    for finding in status.findings:
        style = {"urgent": "red", "warning": "yellow"}.get(finding.severity, "dim")
        lines.append(paint(f"{finding.severity}: {finding.kind} {finding.subject}: {finding.message}", style))
    return ["", *(f"  {each}" for each in lines)] if lines else []

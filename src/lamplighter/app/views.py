"""What is shown of a running system: the same values for the API, the command line and `--json`.

Made from the newest pass, whether a maintainer holds it in its hands or it is read from the recording.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from lamplighter.adapters.lease import Tenancy, standing
from lamplighter.engine.loop import Seen
from lamplighter.model.decisions import Decision
from lamplighter.model.errors import UserError
from lamplighter.model.facts import Facts, Load, Machine, Replica
from lamplighter.model.findings import Finding
from lamplighter.model.history import History, Pending, RolloutState
from lamplighter.model.intents import Answer
from lamplighter.model.value import Instant, Value, digest
from lamplighter.ports import LedgerEntry


class SourceView(Value):
    """One source of facts: how old its last answer is, and why it cannot be relied on, if so."""

    age_s: float
    silent: bool = False
    since: Instant = 0.0
    why: str = ""


class WorkloadView(Value):
    """One workload: what is wanted of it and how it stands. Counts are of live replicas.

    `idle_since`: since when it is known that nothing is asked of it, for one that may go to zero. At zero,
    `load.queued` is how many requests wait for it to start.
    """

    name: str
    kind: Literal["service", "agents", "job", "leaving"]
    stable: str = ""
    wanted: dict[str, int] = {}
    capacity: int = 0
    live: int = 0
    ready: int = 0
    unknown: int = 0
    draining: int = 0
    load: Load | None = None
    rollout: RolloutState | None = None
    shares: dict[str, float] = {}
    route: str = ""
    idle_since: Instant | None = None


class Holder(Value):
    """Who acts on the system. `standing`: alive, stopped, gone, or elsewhere (cannot be told from here)."""

    pid: int
    token: int
    command: str
    since: str
    standing: str


class Head(Value):
    """The newest entry of the ledger."""

    number: int
    digest: str
    wall: str


class Status(Value):
    """The whole system at one moment. `held` says why nothing destructive is done, if so.

    `live`: a maintainer made this, of `version`, from the installation with this `mark`; else it is what
    the recording ends with. Ages count from `at`. A maintainer of 0.1.0 gives neither version nor mark.
    """

    system: str
    live: bool
    at: Instant
    wall: str
    number: int = 0
    spec: str = ""
    gateway: str = ""
    workloads: tuple[WorkloadView, ...] = ()
    replicas: tuple[Replica, ...] = ()
    pending: tuple[Pending, ...] = ()
    asked: tuple[Decision, ...] = ()
    waiting: tuple[Decision, ...] = ()
    findings: tuple[Finding, ...] = ()
    sources: dict[str, SourceView] = {}
    machine: Machine = Machine()
    handed_over: dict[str, Instant] = {}
    held: str = ""
    holder: Holder | None = None
    ledger: Head | None = None
    stopping: bool = False
    stopped: bool = False
    version: str = ""
    mark: str = ""


class Explanation(Value):
    """All that is known of one action: why it was chosen, over what, and what came of it.

    `standing`: pending, asked, held, or closed. `evidence` are the findings on its subject that stood
    when it was decided. `entries` are the ledger's lines on it, oldest first.
    """

    action: str
    standing: Literal["pending", "asked", "held", "closed"]
    decision: LedgerEntry
    pending: Pending | None = None
    outcomes: tuple[LedgerEntry, ...] = ()
    closing: LedgerEntry | None = None
    evidence: tuple[LedgerEntry, ...] = ()
    entries: tuple[LedgerEntry, ...] = ()


class Entries(Value):
    """A page of the ledger. `following` is the number to ask for next; None at the end."""

    entries: tuple[LedgerEntry, ...]
    following: int | None = None


class Receipt(Value):
    """What became of an intent so far; `answer` is None while it waits for the loop."""

    intent: str
    answer: Answer | None = None


class Entered(Protocol):
    """A ledger that can be asked about one subject."""

    def about(self, subject: str) -> tuple[LedgerEntry, ...]:
        """Return the entries about a subject, oldest first."""
        ...


def status(
    system: str,
    seen: Seen | None,
    *,
    now: Instant,
    live: bool,
    tenancy: Tenancy | None,
    head: LedgerEntry | None,
) -> Status:
    """Return the system as of one pass; without one, only who holds it.

    Args:
        system: its name.
        seen: the newest pass.
        now: ages count up to here.
        live: whether a maintainer asks.
        tenancy: the lease.
        head: the ledger's newest entry.
    """
    holder = holder_of(tenancy)
    ledger = Head(number=head.number, digest=head.digest, wall=head.wall) if head else None
    if seen is None:
        return Status(system=system, live=live, at=now, wall="", holder=holder, ledger=ledger)
    facts, history = seen.inputs.facts, seen.history
    return Status(
        system=system,
        live=live,
        at=now,
        wall=facts.wall,
        number=seen.number,
        spec=digest(history.system) if history.system else "",
        gateway=_gateway(history),
        workloads=tuple(_workloads(history, facts)),
        replicas=facts.replicas,
        pending=tuple(history.pending.values()),
        asked=tuple(history.asked.values()),
        waiting=tuple(each for each in seen.result.decisions if each.state == "held"),
        findings=(*seen.troubles, *seen.result.findings),
        sources={name: _source(facts, name, now) for name in facts.sources},
        machine=facts.machine,
        handed_over=history.handed_over,
        held=seen.held,
        holder=holder,
        ledger=ledger,
        stopping=history.stopping is not None,
        stopped=history.stopped,
    )


def explain(ledger: Entered, action: str, history: History | None) -> Explanation:
    """Return all that is known of an action.

    Raises:
        UserError: the ledger has no decision of this id (`unknown-action`).
    """
    entries = ledger.about(action)
    decisions = [each for each in entries if each.kind == "decision"]
    if not decisions:
        raise UserError(
            f"no action has the id {action}",
            code="unknown-action",
            mend="`lamp ledger` lists the actions with their ids",
        )
    pending = history.pending.get(action) if history else None
    closings = [each for each in entries if each.kind == "closing"]
    return Explanation(
        action=action,
        standing=_standing(decisions[-1], pending, closings),
        decision=decisions[-1],
        pending=pending,
        outcomes=tuple(each for each in entries if each.kind == "outcome"),
        closing=closings[-1] if closings else None,
        evidence=tuple(_evidence(ledger, decisions[-1])),
        entries=entries,
    )


def _standing(
    decision: LedgerEntry, pending: Pending | None, closings: Sequence[LedgerEntry]
) -> Literal["pending", "asked", "held", "closed"]:
    state = decision.body.get("state")
    if closings:
        return "closed"
    if pending is not None or state == "act":
        return "pending"
    return "asked" if state == "asked" else "held"


def _evidence(ledger: Entered, decision: LedgerEntry) -> list[LedgerEntry]:
    """Return the findings that stood on what the decision is about when it was made."""
    action = decision.body.get("action")
    parts = action if isinstance(action, dict) else {}
    subjects = {decision.body.get("subject"), parts.get("workload"), parts.get("replica")}
    standing: dict[tuple[str, object], LedgerEntry] = {}
    for subject in sorted(str(each) for each in subjects if each):
        for entry in ledger.about(subject):
            same_pass = entry.body.get("pass") == decision.body.get("pass")
            if entry.kind != "finding" or (entry.number > decision.number and not same_pass):
                continue
            key = (subject, entry.body.get("kind"))
            if entry.body.get("change") == "began":
                standing[key] = entry
            else:
                standing.pop(key, None)
    return list(standing.values())


def _workloads(history: History, facts: Facts) -> list[WorkloadView]:
    system = history.system
    kinds: dict[str, Literal["service", "agents", "job", "leaving"]] = {}
    if system is not None:
        kinds |= dict.fromkeys(system.services, "service")
        kinds |= dict.fromkeys(system.agents, "agents")
        kinds |= dict.fromkeys(system.jobs, "job")
    seen = {each.workload for each in facts.replicas if each.live}
    seen |= {name for name, memory in history.workloads.items() if memory.stable or memory.wanted}
    return [
        _workload(name, kinds.get(name, "leaving"), history, facts) for name in sorted(kinds.keys() | seen)
    ]


def _workload(
    name: str, kind: Literal["service", "agents", "job", "leaving"], history: History, facts: Facts
) -> WorkloadView:
    known = history.workloads.get(name)
    service = history.system.services.get(name) if history.system else None
    replicas = facts.of(name)
    live = [each for each in replicas if each.live]
    return WorkloadView(
        name=name,
        kind=kind,
        stable=known.stable if known else "",
        wanted=known.wanted if known else {},
        capacity=known.capacity if known else 0,
        live=len(live),
        ready=sum(each.ready is True for each in live),
        unknown=sum(each.phase == "unknown" or each.ready is None for each in live),
        draining=sum(each.phase == "draining" for each in replicas),
        load=facts.loads.get(name),
        rollout=known.rollout if known else None,
        shares=facts.shares.get(name, {}),
        route=service.route if service else "",
        idle_since=known.idle_since if known else None,
    )


def _source(facts: Facts, name: str, now: Instant) -> SourceView:
    age_s = now - facts.sources[name].observed_at
    silence = facts.silence(name, now)
    if silence is None:
        return SourceView(age_s=age_s)
    return SourceView(age_s=age_s, silent=True, since=silence.since, why=silence.why)


def holder_of(tenancy: Tenancy | None) -> Holder | None:
    """Return who holds a lease, None if nobody does."""
    if tenancy is None or not tenancy.held:
        return None
    return Holder(
        pid=tenancy.holder.pid,
        token=tenancy.token,
        command=tenancy.command,
        since=tenancy.since,
        standing=standing(tenancy.holder),
    )


def _gateway(history: History) -> str:
    if history.system is None:
        return ""
    return f"http://{history.system.gateway.host}:{history.system.gateway.port}"

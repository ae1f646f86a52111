"""Worlds for the tests: generated passes, a step that is as small as can be, and a target that is a list."""

import itertools
import random
from collections.abc import Iterator

import msgspec

from lamplighter.model.actions import Action, Contract, Forget, Outcome, Scale
from lamplighter.model.decisions import Decision, Priority, Proposal, Refusal
from lamplighter.model.facts import SOURCES, Facts, Load, Phase, Replica, Source
from lamplighter.model.findings import Finding
from lamplighter.model.history import History, Pending, WorkloadHistory
from lamplighter.model.intents import Answer
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Run, Service, System
from lamplighter.model.value import Instant, digest
from lamplighter.ports import Scope


def system(**env: str) -> System:
    """A system of one service."""
    service = Service(name="search", run=Run(kind="app", value="a:b"), env=env)
    return System(name="library", services={"search": service})


def replica(number: int, **changes: object) -> Replica:
    """A replica that runs."""
    plain = Replica(
        id=f"search-{number}",
        workload="search",
        release="r-1",
        phase=Phase.RUNNING,
        started_at=1.0,
        ready=True,
    )
    return msgspec.structs.replace(plain, **changes)


def facts(at: Instant, *replicas: Replica, **changes: object) -> Facts:
    """A snapshot that all sources answered for."""
    plain = Facts(
        at=at, wall="w", sources={name: Source(observed_at=at) for name in SOURCES}, replicas=replicas
    )
    return msgspec.structs.replace(plain, **changes)


def generated(seed: int, passes: int) -> Iterator[Inputs]:
    """Inputs as a busy system has them: replicas come and go, change, and vanish from sight."""
    chance = random.Random(seed)  # noqa: S311 - a seed, not a secret
    numbers = itertools.count(1)
    replicas = [replica(next(numbers)) for _ in range(4)]
    for at in range(1, passes + 1):
        if chance.random() < 0.3:
            replicas.append(replica(next(numbers), started_at=float(at)))
        if chance.random() < 0.3 and replicas:
            replicas.pop(chance.randrange(len(replicas)))
        replicas = [_changed(each, chance) for each in replicas]
        chance.shuffle(replicas)
        loads = (
            {"search": Load(in_flight=chance.randrange(3), cpu=chance.random())}
            if chance.random() < 0.8
            else {}
        )
        yield Inputs(now=at + 0.5, facts=facts(float(at), *replicas, loads=loads))


def _changed(each: Replica, chance: random.Random) -> Replica:
    if chance.random() < 0.5:
        return each
    return msgspec.structs.replace(
        each,
        ready=chance.choice([True, False, None]),
        in_flight=chance.choice([None, 0, 1, 7]),
        cpu=chance.choice([None, 0.0, 0.25, chance.random()]),
        detail=chance.choice(["", "no room"]),
    )


def decision(name: str, at: Instant, action: Action, **contract: object) -> Decision:
    """A decision to act."""
    proposal = Proposal(
        controller="toy",
        priority=Priority.REPAIR,
        subject=getattr(action, "workload", "records"),
        action=action,
        contract=Contract(gain="more", **contract),  # type: ignore[arg-type]
        because="the test says so",
    )
    return Decision(id=name, at=at, subject=proposal.subject, chosen=proposal, state="act", basis=digest(at))


def toy_step(history: History, inputs: Inputs) -> tuple[History, Result]:
    """Keep three replicas by absolute ends: one action at a time, pending until it shows in the facts."""
    known = history.workloads.get("search", WorkloadHistory())
    pending = dict(history.pending)
    for outcome in inputs.outcomes:
        if outcome.action in pending:
            done = pending[outcome.action]
            pending[outcome.action] = msgspec.structs.replace(done, outcome=outcome.state, state="applied")
    have = len(inputs.facts.replicas)
    closed = [name for name, each in pending.items() if _reached(each.decision, have)]
    pending = {name: each for name, each in pending.items() if name not in closed}
    retries = tuple(name for name, each in pending.items() if each.outcome == "unknown")
    decisions: tuple[Decision, ...] = ()
    if have < 3 and not pending:
        action = Scale(
            workload="search", release="r-1", replicas=have + 1, starts=(f"search-{known.ordinal}",)
        )
        decisions = (decision(f"a-{known.ordinal}", inputs.now, action),)
        known = msgspec.structs.replace(known, ordinal=known.ordinal + 1)
        pending[decisions[0].id] = Pending(decision=decisions[0], since=inputs.now)
    answers = tuple(Answer(intent=each.id, accepted=True) for each in inputs.intents)
    findings = (Finding(kind="few", subject="search", message="fewer than three"),) if have < 3 else ()
    after = msgspec.structs.replace(history, workloads={"search": known}, pending=pending)
    return after, Result(decisions=decisions, answers=answers, findings=findings, retries=retries)


def _reached(decided: Decision, have: int) -> bool:
    action = decided.chosen.action
    return isinstance(action, Scale) and have >= action.replicas


def allow(_decision: Decision, _facts: Facts, _history: History, _now: Instant) -> Refusal | None:
    """Let everything pass."""
    return None


class ListTarget:
    """A target that is a list of replicas and a list of what was applied."""

    def __init__(self) -> None:
        self.replicas: list[Replica] = []
        self.applied: list[tuple[str, Action, int]] = []
        self.observed = 0

    async def observe(self, scope: Scope) -> Facts:
        """Tell the list."""
        self.observed += 1
        return facts(scope.now, *self.replicas)

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        """Start what is to be started, once for each id."""
        if action_id not in [name for name, _, _ in self.applied] and isinstance(action, Scale):
            self.replicas += [replica(int(name.split("-")[1])) for name in action.starts]
        self.applied.append((action_id, action, token))
        return Outcome(action=action_id, state="accepted", at=0.0)


FORGET = Forget(replicas=("search-1",))

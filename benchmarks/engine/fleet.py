"""A large fleet as facts: workloads with their replicas, and what changes from one snapshot to the next.

Made by the benchmark between passes, never within what is measured. Values are drawn from a seed.
"""

import random
from collections.abc import Iterable

from msgspec.structs import replace

from lamplighter.model.actions import Action, Configure, Forget, Outcome, Replace, Scale, Shift
from lamplighter.model.facts import (
    SOURCES,
    Exit,
    Facts,
    Load,
    Phase,
    Replica,
    Source,
)
from lamplighter.model.intents import Up
from lamplighter.model.system import Guards, Range, Resources, Run, Service, System
from lamplighter.model.system import Scale as Autoscale
from lamplighter.model.value import digest
from lamplighter.ports import Scope

EACH = 10
"""Replicas of a workload."""
RELEASE = "r-1a2b3c4d5e"
MEMORY_BYTES = 512 * 2**20
GOAL = 8.0


def named(number: int) -> str:
    """Return the name of a workload."""
    return f"w{number:05d}"


def fleet(workloads: int) -> System:
    """Return a system of so many autoscaled services, each of 2 to 20 replicas."""
    services = {
        named(number): Service(
            name=named(number),
            run=Run(kind="command", value="serve"),
            replicas=Range(min=2, max=2 * EACH),
            scale=Autoscale(on="in_flight", goal=GOAL),
            resources=Resources(cpu=1.0, memory_bytes=MEMORY_BYTES),
            route=f"/{named(number)}",
        )
        for number in range(workloads)
    }
    return System(name="fleet", services=services, guards=Guards(actions=100_000, window_s=600.0))


class Fleet:
    """A target that says what it was told to say, and starts and ends replicas at once.

    It keeps the objects of what did not change, as the local target does. Load is such that each workload
    needs the replicas that it has, give or take what an autoscaler tolerates.
    """

    def __init__(self, workloads: int, seed: int) -> None:
        self.system = fleet(workloads)
        self.chance = random.Random(seed)
        self.configured = ""
        self.now = 0.0
        self.replicas: dict[str, Replica] = {}
        self.loads = {name: self._load() for name in self.system.services}
        self.shares: dict[str, dict[str, float]] = {}
        self.actions = 0
        self._listed: tuple[Replica, ...] | None = None

    def up(self) -> Up:
        """Return the intent that brings the fleet up."""
        return Up(id="i-1", system=self.system, releases=dict.fromkeys(self.system.services, RELEASE))

    def stand(self, count: int = EACH) -> None:
        """Let every workload have so many replicas that serve, as after a rollout that is long past."""
        for name in self.system.services:
            for number in range(1, count + 1):
                self._serve(f"{name}-{number}", name)
            self.shares[name] = {RELEASE: 1.0}
        self.configured = digest(self.system)

    # --- the target

    async def observe(self, scope: Scope) -> Facts:
        """Return the fleet as it stands."""
        if self._listed is None:
            self._listed = tuple(self.replicas.values())
        self.now = scope.now
        return Facts(
            at=scope.now,
            wall=scope.wall,
            sources={each: Source(observed_at=scope.now) for each in SOURCES},
            replicas=self._listed,
            loads=self.loads,
            shares=self.shares,
            configured=self.configured,
        )

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:  # noqa: ARG002 - the port
        """Do at once what is asked."""
        self.actions += 1
        self._listed = None
        match action:
            case Configure(system=system):
                self.configured = digest(system)
            case Scale():
                for each in action.starts:
                    self._serve(each, action.workload)
                for each in action.stops:
                    self.replicas.pop(each, None)
            case Replace():
                self._serve(action.start, action.workload)
            case Shift():
                self.shares = {**self.shares, action.workload: action.shares}
            case Forget():
                for each in action.replicas:
                    self.replicas.pop(each, None)
        return Outcome(action=action_id, state="accepted", at=self.now)

    # --- what changes

    def stir(self, ids: Iterable[str] | None = None, loads: Iterable[str] | None = None) -> None:
        """Change requests in flight, cpu and memory of replicas, and loads; of all, unless some are named."""
        chance = self.chance
        for each in list(self.replicas) if ids is None else ids:
            self.replicas[each] = replace(
                self.replicas[each],
                in_flight=chance.randrange(12),
                cpu=chance.random(),
                memory_bytes=chance.randrange(10**8, MEMORY_BYTES),
            )
        changed = {name: self._load() for name in (self.loads if loads is None else loads)}
        self.loads = {**self.loads, **changed}
        self._listed = None

    def kill(self, ids: Iterable[str]) -> None:
        """Let these replicas end."""
        for each in ids:
            ended = Exit(at=self.now, signal=9, cause="ended by SIGKILL")
            self.replicas[each] = replace(
                self.replicas[each], phase=Phase.EXITED, ready=False, in_flight=0, exit=ended, cpu=None
            )
        self._listed = None

    def _serve(self, replica: str, workload: str) -> None:
        self.replicas[replica] = Replica(
            id=replica,
            workload=workload,
            release=RELEASE,
            phase=Phase.RUNNING,
            started_at=round(self.now, 3),
            ready=True,
            in_flight=self.chance.randrange(12),
            pid=1000 + len(self.replicas),
            memory_bytes=self.chance.randrange(10**8, MEMORY_BYTES),
            cpu=self.chance.random(),
        )
        self._listed = None

    def _load(self) -> Load:
        chance = self.chance
        return Load(
            in_flight=chance.randrange(76, 84),
            queued=0,
            rate_per_s=chance.random() * 100,
            errors_per_s=0.0,
            latency_p50_s=chance.random() / 10,
            latency_p99_s=chance.random(),
            cpu=chance.random() * EACH,
        )

"""A tiny ideal world: it does at once what an action says, on virtual time, and can be hurt on purpose."""

from collections.abc import Callable

from msgspec.structs import replace

from lamplighter.engine.revalidate import revalidate
from lamplighter.engine.step import step
from lamplighter.model.actions import (
    Action,
    Configure,
    Dismantle,
    Forget,
    Outcome,
    Replace,
    Scale,
    Shift,
)
from lamplighter.model.decisions import Decision
from lamplighter.model.facts import SOURCES, Exit, Facts, Load, Phase, Replica, Source
from lamplighter.model.history import History
from lamplighter.model.intents import Answer, Approve, Down, Intent, Rollback, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Health, Range, RolloutPolicy, Run, Service, System
from lamplighter.model.system import Scale as Autoscale
from lamplighter.model.value import digest


def service(name: str = "web", **changes: object) -> Service:
    """Return a service of 2 to 8 replicas that follows requests in flight, 10 for each."""
    plain = Service(
        name=name,
        run=Run(kind="command", value="serve"),
        replicas=Range(min=2, max=8),
        scale=Autoscale(on="in_flight", goal=10.0, window_s=60.0, panic_window_s=6.0),
        health=Health(start_timeout_s=20.0, unhealthy_after_s=3.0),
        rollout=RolloutPolicy(steps=(0.25, 1.0), bake_s=10.0, surge=1),
        drain_s=5.0,
    )
    return replace(plain, **changes)


def system(*services: Service, **changes: object) -> System:
    """Return a system of these services, or of one called `web`."""
    named = {each.name: each for each in services or (service(),)}
    return replace(System(name="demo", services=named), **changes)


class World:
    """Replicas, shares and a clock; the loop around `step` as the engine runs it."""

    def __init__(self, wanted: System | None = None, start_s: float = 2.0) -> None:
        self.wanted = wanted or system()
        self.now = 1000.0
        self.start_s = start_s
        self.tick_s = 1.0
        self.replicas: dict[str, Replica] = {}
        self.shares: dict[str, dict[str, float]] = {}
        self.configured = ""
        self.loads: dict[str, Load] = {}
        self.silent: dict[str, float] = {}
        self.wall = "2026-11-25T12:00:00+00:00"
        self.recordable = True
        self.never_ready: set[str] = set()
        self.refuses: Callable[[Action], str] = lambda _action: ""
        self.loses: Callable[[Action], bool] = lambda _action: False
        self.history = History()
        self.outcomes: tuple[Outcome, ...] = ()
        self.inputs: list[Inputs] = []
        self.results: list[Result] = []
        self.acted: list[Decision] = []
        self.serial = 0

    # --- what a person does

    def up(self, release: str = "r1", wanted: System | None = None, **more: str) -> Answer:
        """Ask for a release of every service, and make one pass."""
        self.wanted = wanted or self.wanted
        releases = {name: more.get(name, release) for name in self.wanted.services}
        return self.ask(Up(id=self._id(), system=self.wanted, releases=releases))

    def rollback(self, workload: str = "web", to: str = "") -> Answer:
        """Ask for an earlier release."""
        return self.ask(Rollback(id=self._id(), workload=workload, to=to, by="ann"))

    def approve(self, action: str) -> Answer:
        """Say yes to an action."""
        return self.ask(Approve(id=self._id(), action=action, by="ann"))

    def down(self) -> Answer:
        """Ask for the end."""
        return self.ask(Down(id=self._id(), by="ann"))

    def ask(self, intent: Intent) -> Answer:
        """Hand an intent in with the next pass and return its answer."""
        return self.once(intent).answers[0]

    def _id(self) -> str:
        self.serial += 1
        return f"i-{self.serial}"

    # --- the loop

    def once(self, *intents: Intent) -> Result:
        """Make one pass and let a tick go by."""
        inputs = Inputs(
            now=self.now,
            facts=self.facts(),
            intents=intents,
            outcomes=self.outcomes,
            recordable=self.recordable,
        )
        self.inputs.append(inputs)
        self.history, result = self.decide(self.history, inputs)
        self.results.append(result)
        again = [self.history.pending[each].decision for each in result.retries]
        acting = [*again, *(each for each in result.decisions if each.state == "act")]
        self.outcomes = tuple(self._apply(each) for each in acting)
        self.now += self.tick_s
        self._live()
        return result

    def decide(self, history: History, inputs: Inputs) -> tuple[History, Result]:
        """Decide one pass."""
        return step(history, inputs)

    def run(self, seconds: float) -> None:
        """Make passes for so many seconds."""
        end = self.now + seconds
        while self.now < end:
            self.once()

    def settle(self, release: str = "r1", seconds: float = 15.0) -> "World":
        """Bring a first release up and let it settle."""
        self.up(release)
        self.run(seconds)
        return self

    def _apply(self, decision: Decision) -> Outcome:
        action = decision.chosen.action
        refusal = revalidate(decision, self.facts(), self.history, self.now)
        if refusal is not None:
            return Outcome(
                action=decision.id, state="refused", at=self.now, code=refusal.code, detail=refusal.detail
            )
        if why := self.refuses(action):
            return Outcome(action=decision.id, state="refused", at=self.now, code="no", detail=why)
        self.acted.append(decision)
        if self.loses(action):
            return Outcome(action=decision.id, state="unknown", at=self.now)
        self._do(action)
        return Outcome(action=decision.id, state="accepted", at=self.now)

    def _do(self, action: Action) -> None:
        match action:
            case Configure(system=wanted):
                self.configured = digest(wanted)
            case Scale():
                self._start(action.workload, action.release, action.starts)
                self._drain(action.stops)
            case Replace():
                self._start(action.workload, action.release, (action.start,))
                self._drain((action.replica,))
            case Shift():
                self.shares[action.workload] = dict(action.shares)
            case Forget():
                for each in action.replicas:
                    self.replicas.pop(each, None)
            case Dismantle():
                self.replicas, self.shares, self.configured = {}, {}, ""

    def _start(self, workload: str, release: str, ids: tuple[str, ...]) -> None:
        for each in ids:
            assert each not in self.replicas, f"{each} is started twice"
            self.replicas[each] = Replica(
                id=each,
                workload=workload,
                release=release,
                phase=Phase.RUNNING,
                started_at=self.now,
                ready=False,
                in_flight=0,
            )

    def _drain(self, ids: tuple[str, ...]) -> None:
        for each in ids:
            known = self.replicas.get(each)
            if known is not None and known.phase is not Phase.EXITED:
                self.replicas[each] = replace(
                    known, phase=Phase.DRAINING, draining_since=self.now, ready=False
                )

    def _live(self) -> None:
        for each in list(self.replicas.values()):
            age = self.now - each.started_at
            if each.phase is Phase.DRAINING and self.now - (each.draining_since or 0.0) >= 2.0:
                self.replicas[each.id] = replace(each, phase=Phase.EXITED, exit=Exit(at=self.now, code=0))
            elif each.phase is Phase.RUNNING and age >= self.start_s:
                fit = not {each.id, each.release} & self.never_ready
                self.replicas[each.id] = replace(each, ready=each.ready or fit)

    # --- what the loop sees

    def facts(self) -> Facts:
        """Return what can be seen now; a silent source stopped answering when it was silenced."""
        return Facts(
            at=self.now,
            wall=self.wall,
            sources={each: Source(observed_at=self.silent.get(each, self.now)) for each in SOURCES},
            replicas=tuple(self.replicas.values()),
            loads=dict(self.loads),
            shares={name: dict(each) for name, each in self.shares.items()},
            configured=self.configured,
        )

    def silence(self, *sources: str) -> None:
        """Let sources be silent, for longer than anyone tolerates."""
        self.silent |= dict.fromkeys(sources, self.now - 100.0)

    def kill(self, replica: str, signal: int = 9) -> None:
        """Kill one replica; its end is proven."""
        known = self.replicas[replica]
        ended = Exit(at=self.now, signal=signal)
        self.replicas[replica] = replace(known, phase=Phase.EXITED, ready=False, exit=ended)

    def hang(self, replica: str) -> None:
        """Let one replica fail its checks from now on."""
        self.never_ready.add(replica)
        self.replicas[replica] = replace(self.replicas[replica], ready=False)

    def load(self, in_flight: int, workload: str = "web") -> None:
        """Set the requests in flight."""
        self.loads[workload] = Load(in_flight=in_flight, queued=0, rate_per_s=10.0 * in_flight)

    # --- what a test asks

    def live(self, release: str = "", workload: str = "web") -> list[str]:
        """Return the ids of live replicas."""
        return [
            each.id
            for each in self.replicas.values()
            if each.live and each.workload == workload and release in ("", each.release)
        ]

    def ready(self, release: str = "", workload: str = "web") -> list[str]:
        """Return the ids of live replicas that are ready."""
        return [each for each in self.live(release, workload) if self.replicas[each].ready]

    def kinds(self) -> list[str]:
        """Return the kinds of the last pass's findings."""
        return [each.kind for each in self.results[-1].findings]

    def did(self, kind: type, since: float = 0.0) -> list[Decision]:
        """Return what was carried out, of one kind of action."""
        return [each for each in self.acted if isinstance(each.chosen.action, kind) and each.at >= since]

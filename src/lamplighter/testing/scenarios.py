r"""Scenarios: a simulated run in a few words.

    scenario("crash during a rollout") \
        .given(search=3, release="r2") .at(20, crash("search/1")) .at(21, silence("health", for_s=30)) \
        .then(never(below=2), eventually(release="r2", replicas=3, within_s=120))

A scenario begins with its system up, on release `r1`, at rest; instants count from there. `release` is
ordered at 0. Every checker looks on, besides what the scenario itself expects.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC
from lamplighter.model.intents import Down, Intent, Rollback, Up
from lamplighter.model.system import Guards, Health, Repair, RolloutPolicy, Scale, Service, System
from lamplighter.model.value import Instant
from lamplighter.targets.simulated import Ailment, App, Demand, Faults, Trouble
from lamplighter.targets.simulated.bodies import Body
from lamplighter.targets.simulated.journal import Event
from lamplighter.testing.builders import service
from lamplighter.testing.checkers import Checker
from lamplighter.testing.report import Parts, Report
from lamplighter.testing.simulation import Simulation
from lamplighter.testing.story import Order, Story
from lamplighter.testing.witness import Witness

LEAD_S = 60.0
"""For so long the system runs before a scenario begins."""
WITHIN_S = 300.0
STEP_S = 0.5
"""A step of load takes so long."""
FIRST = "r1"

RESERVE_WRITES = 2

Want = Callable[[Simulation], str]


class Happening(NamedTuple):
    """Something that happens in a run, and how long it lasts."""

    happen: Callable[[Simulation], object]
    lasts_s: float = 0.0


class Expectation(NamedTuple):
    """What a scenario expects: something to look out for, or something to wait for."""

    checker: Callable[[], Checker] | None = None
    want: Want | None = None
    within_s: float = 0.0


# --- what happens


def crash(replica: str) -> Happening:
    """A replica (`search/1`: the first live one of search) ends by itself."""
    return Happening(lambda run: run.world.mishaps.crash(_body(run, replica)))


def hang(replica: str, for_s: float = 0.0) -> Happening:
    """A replica stops answering, for ever if no time is given."""
    return Happening(lambda run: run.world.mishaps.hang(_body(run, replica), for_s), for_s)


def lie(replica: str, for_s: float) -> Happening:
    """A replica passes its checks and fails its requests."""
    return Happening(lambda run: run.world.mishaps.lie(_body(run, replica), for_s), for_s)


def leak(replica: str) -> Happening:
    """A replica begins to use more and more memory."""
    return Happening(lambda run: run.world.mishaps.leak(_body(run, replica)))


def silence(source: str, for_s: float) -> Happening:
    """A source of facts does not answer."""
    return Happening(lambda run: run.world.silences.begin(source, for_s), for_s)


def blackout(for_s: float) -> Happening:
    """No source of facts answers."""

    def happen(run: Simulation) -> None:
        for each in (PROCESSES, HEALTH, TRAFFIC):
            run.world.silences.begin(each, for_s)

    return Happening(happen, for_s)


def kill_maintainer(after_steps: int = 0) -> Happening:
    """The maintainer is killed, after so many more calls to the world."""
    return Happening(lambda run: run.upkeep.kill(after_steps))


def second_maintainer(stopped_for_s: float = 8.0) -> Happening:
    """The maintainer stands still, another takes over, then the first one wakes up."""
    return Happening(lambda run: run.upkeep.depose(stopped_for_s), stopped_for_s)


def full_disk(for_s: float, reserve_writes: int = RESERVE_WRITES) -> Happening:
    """Nothing can be written but for a small reserve."""
    return Happening(lambda run: run.upkeep.fill(for_s, reserve_writes), for_s)


def befalls(trouble: Trouble) -> Happening:
    """A trouble of any kind comes about (its own instant does not count)."""

    def happen(run: Simulation) -> None:
        run.world.befalling.befall(trouble)
        run.upkeep.befall(trouble)

    return Happening(happen, trouble.for_s)


def trouble(faults: Faults, for_s: float) -> Happening:
    """These faults, instead of the scenario's own, for so long."""

    def happen(run: Simulation) -> None:
        before, run.world.faults = run.world.faults, faults
        run.at(run.world.now + for_s, lambda: setattr(run.world, "faults", before))

    return Happening(happen, for_s)


def order(intent: Intent) -> Happening:
    """A person asks for something."""
    return Happening(lambda run: run.upkeep.submit(intent))


def rollback(workload: str, to: str = "") -> Happening:
    """A person wants a workload's earlier release back."""
    return order(Rollback(id=f"rollback-{workload}", workload=workload, to=to, by="a person"))


def down() -> Happening:
    """A person wants everything ended."""
    return order(Down(id="down", by="a person"))


# --- what is expected


def never(*, below: int, workload: str = "") -> Expectation:
    """So few replicas never serve, whatever happens."""
    return Expectation(checker=lambda: _Never(below, workload))


def eventually(
    *, replicas: int | None = None, release: str = FIRST, workload: str = "", within_s: float = WITHIN_S
) -> Expectation:
    """In so many seconds after the last thing that happens, a workload runs this, and nothing else."""
    return Expectation(
        want=lambda run: _unlike(run, workload, release, replicas),
        within_s=within_s,
    )


def nothing_left(within_s: float = WITHIN_S) -> Expectation:
    """In so many seconds nothing runs any more."""
    return Expectation(within_s=within_s)


# --- the scenario


class Scenario:
    """A simulated run, put together step by step."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._system = System(name="sim")
        self._apps: dict[str, App] = {}
        self._ailing: dict[str, Ailment] = {}
        self._faults = Faults()
        self._orders: list[Order] = []
        self._happenings: list[tuple[Instant, Happening]] = []
        self._expected: tuple[Expectation, ...] = ()
        self._last: Instant = LEAD_S

    def given(
        self,
        *,
        release: str = "",
        ailing: Ailment | None = None,
        faults: Faults | None = None,
        **workloads: int | tuple[int, int] | Service,
    ) -> "Scenario":
        """State what there is.

        Args:
            release: ordered for every workload when the scenario begins.
            ailing: what is wrong with that release.
            faults: of the world, from the start on.
            workloads: each with its number of replicas, a range of it, or a whole service.
        """
        services = {
            name: each if isinstance(each, Service) else _quick(service(name, each))
            for name, each in workloads.items()
        }
        self._system = System(name="sim", services=services)
        self._faults = faults or Faults()
        first = Up(id="up-1", system=self._system, releases=dict.fromkeys(services, FIRST))
        self._orders.append(Order(at=0.0, intent=first))
        for name in services:
            self._apps[name] = App(service_s=0.1, start_s=2.0, demand=Demand(points=((0.0, 30.0),)))
        if release:
            self._release(LEAD_S, release, ailing)
        return self

    def guarded(self, guards: Guards) -> "Scenario":
        """State what the loop may do without asking."""
        self._system = replace(self._system, guards=guards)
        first = self._orders[0].intent
        assert isinstance(first, Up)
        self._orders[0] = Order(at=0.0, intent=replace(first, system=self._system))
        return self

    def load(self, workload: str, *rates: tuple[Instant, float]) -> "Scenario":
        """State a workload's load: requests per second from instants on; what is before 0 counts too."""
        points: list[tuple[Instant, float]] = []
        for at, rate in rates:
            start = max(0.0, at + LEAD_S)
            points += [(start, points[-1][1]), (start + STEP_S, rate)] if points else [(0.0, rate)]
        self._apps[workload] = replace(self._apps[workload], demand=Demand(points=tuple(points)))
        return self._until(max(at for at, _ in rates))

    def running(self, workload: str, app: App) -> "Scenario":
        """State what runs in a workload's replicas; its load stays as it was given."""
        self._apps[workload] = replace(app, demand=self._apps[workload].demand)
        return self

    def releases(self, at: Instant, release: str, ailing: Ailment | None = None) -> "Scenario":
        """Have a person order another release of everything."""
        self._release(at + LEAD_S, release, ailing)
        return self._until(at)

    def at(self, when: Instant, happening: Happening) -> "Scenario":
        """Have something happen, so many seconds after the scenario began."""
        self._happenings.append((when + LEAD_S, happening))
        return self._until(when + happening.lasts_s)

    def expecting(self, *expected: Expectation) -> "Scenario":
        """State what is expected, for `run` to look after."""
        self._expected += expected
        return self

    def then(self, *expected: Expectation, seed: int = 1, parts: Parts | None = None) -> Report:
        """Run it, and return how it went.

        Raises:
            AssertionError: something happened that must not, or what was expected did not; with the trace.
        """
        report = self.run(*expected, seed=seed, parts=parts)
        assert report.sound, f"scenario {self._name!r}, {report.text()}"
        return report

    def run(self, *expected: Expectation, seed: int = 1, parts: Parts | None = None) -> Report:
        """Run it, and return how it went, sound or not."""
        expected = (*self._expected, *expected)
        within_s = max((each.within_s for each in expected), default=0.0) or WITHIN_S
        story = Story(
            apps=self._apps,
            ailing=self._ailing,
            faults=self._faults,
            orders=tuple(sorted(self._orders, key=lambda each: each.at)),
            calm_at=self._last + 1.0,
            end_at=self._last + 1.0 + within_s,
        )
        run = Simulation(story, seed, parts or Parts())
        for each in expected:
            if each.checker is not None:
                self._look(run, each.checker())
            if each.want is not None:
                run.wants.append(partial(each.want, run))
        for when, happening in self._happenings:
            run.at(when, partial(happening.happen, run))
        return run.report()

    def _look(self, run: Simulation, checker: Checker) -> None:
        """Have an expectation looked after from when the scenario begins."""
        run.at(LEAD_S, lambda: run.checkers.append(checker))

    def _release(self, at: Instant, release: str, ailing: Ailment | None) -> None:
        if ailing is not None:
            self._ailing[release] = ailing
        up = Up(id=f"up-{release}", system=self._system, releases=dict.fromkeys(self._apps, release))
        self._orders.append(Order(at=at, intent=up))

    def _until(self, when: Instant) -> "Scenario":
        self._last = max(self._last, when + LEAD_S)
        return self


def scenario(name: str) -> Scenario:
    """Begin a scenario."""
    return Scenario(name)


class _Never:
    """Looks after `never`."""

    def __init__(self, below: int, workload: str) -> None:
        self._below = below
        self._workload = workload

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Count those that serve."""
        names = witness.system.services if witness.system else {}
        for name in names:
            if self._workload in ("", name):
                count = sum(each.serving for each in witness.world.bodies.values() if each.workload == name)
                if count < self._below:
                    yield f"{count} of {name} serve after: {type(event).__name__}"


def _unlike(run: Simulation, workload: str, release: str, replicas: int | None) -> str:
    """Return how a workload differs from what is expected; empty if it does not."""
    for name in run.witness.system.services if run.witness.system else ():
        if workload not in ("", name):
            continue
        there = [each for each in run.world.bodies.values() if each.workload == name and each.serving]
        found = {each.release for each in there}
        if found != {release} or (replicas is not None and len(there) != replicas):
            wanted = f"{release}" if replicas is None else f"{replicas} of {release}"
            return f"{name} runs {len(there)} of {', '.join(sorted(found)) or 'nothing'}, not {wanted}"
    return ""


def _quick(made: Service) -> Service:
    """Return a service with short times, so that a scenario is short."""
    return replace(
        made,
        scale=Scale(window_s=30.0) if made.scale is not None else None,
        health=Health(path="/healthz", start_timeout_s=20.0),
        rollout=RolloutPolicy(steps=(0.25, 1.0), bake_s=10.0, surge=1),
        repair=Repair(attempts=5, window_s=120.0),
        drain_s=10.0,
    )


def _body(run: Simulation, replica: str) -> Body:
    workload, number = replica.split("/")
    live = [each for each in run.world.bodies.values() if each.workload == workload and each.live]
    assert len(live) >= int(number), f"{replica} does not live at {run.world.now:g}"
    return live[int(number) - 1]

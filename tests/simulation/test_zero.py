"""To zero and back on the real engine and a simulated world, whatever happens on the way."""

import pytest
from msgspec.structs import replace

from lamplighter.model.actions import Contract, Scale
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.facts import TRAFFIC, Load
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Health, RolloutPolicy, Service, System
from lamplighter.model.system import Scale as Policy
from lamplighter.targets.simulated import Ailment, World
from lamplighter.testing.builders import facts, service, up
from lamplighter.testing.checkers import WaitersServed, ZeroAfterIdle, ZeroOnlyWhenIdle
from lamplighter.testing.scenarios import (
    Happening,
    Scenario,
    blackout,
    crash,
    eventually,
    kill_maintainer,
    scenario,
    silence,
)
from lamplighter.testing.simulation import Simulation
from lamplighter.testing.witness import Witness


def sleeper() -> Service:
    """Return a service that goes to zero after twenty idle seconds."""
    plain = replace(service("search", (0, 4)), scale=Policy(window_s=30.0, idle_s=20.0), drain_s=5.0)
    health = Health(path="/healthz", start_timeout_s=20.0)
    return replace(plain, health=health, rollout=RolloutPolicy(steps=(0.5, 1.0), bake_s=5.0))


def slept(name: str) -> Scenario:
    """Begin with nobody asking, until second 100."""
    return scenario(name).given(search=sleeper()).load("search", (-60, 0), (100, 30))


def looked(counts: list[int]) -> Happening:
    """Note how many serve, and have the checkers of this matter look on."""

    def happen(run: Simulation) -> None:
        counts.append(sum(each.serving for each in run.world.bodies.values()))

    return Happening(happen)


@pytest.mark.parametrize("seed", range(5))
def test_it_sleeps_and_wakes(seed: int) -> None:
    """With nobody asking there is none; the first request brings one, and nothing waits for long."""
    counts: list[int] = []
    slept("sleep and wake").at(90, looked(counts)).then(eventually(release="r1"), seed=seed)
    assert [0] == counts


def test_silence_keeps_it_up() -> None:
    """While traffic is silent nothing is known to be idle."""
    counts: list[int] = []
    slept("silent").at(-50, silence(TRAFFIC, for_s=130)).at(75, looked(counts)).then(eventually(release="r1"))
    assert [1] == counts


@pytest.mark.parametrize("steps", range(0, 12, 3))
def test_the_maintainer_dies_while_requests_wait(steps: int) -> None:
    """Its successor starts what they wait for, once."""
    slept("killed while waking").at(100, kill_maintainer(steps)).then(eventually(release="r1"))


def test_the_first_replica_dies() -> None:
    """It is repaired, and those who wait go on waiting for the next."""
    slept("first one dies").at(103, crash("search/1")).then(eventually(release="r1"))


def test_a_blackout_while_it_wakes() -> None:
    """Nobody is served by what nobody sees; afterwards they are."""
    slept("blackout").at(101, blackout(for_s=20)).then(eventually(release="r1"))


def test_a_new_release_at_zero_is_what_wakes() -> None:
    """It was tried alone while nobody asked."""
    slept("release at zero").releases(50, "r2").then(eventually(release="r2"))


def test_a_bad_release_at_zero_wakes_the_old_one() -> None:
    """It was given up, and who asks gets the one before."""
    bad = Ailment(crash_at_start_p=1.0)
    slept("bad release at zero").releases(50, "r2", bad).then(eventually(release="r1"))


@pytest.mark.parametrize(("asked_at", "at", "violations"), [((1.0, 40.0), 59.0, 1), ((1.0, 40.0), 61.0, 0)])
def test_idle_for_too_short_a_time_is_told(asked_at: tuple[float, ...], at: float, violations: int) -> None:
    """Zero comes only after the spec's idle time; what was read twice within it was asked for something."""
    checker, witness = ZeroAfterIdle(), Witness(World())
    witness.system = System(name="sim", services={"search": sleeper()})
    action = Scale(workload="search", release="r1", replicas=0, stops=("search-1",))
    chosen = Proposal("scaling", Priority.SCALING, "search/r1", action, Contract(gain="", deadline_s=1.0), "")
    down = Decision(id="a-1", at=at, subject="search/r1", chosen=chosen, state="act", basis="")
    found: list[str] = []
    for now in (*asked_at, asked_at[-1] + 1.0, at):
        load = Load(in_flight=0 if now == at else 3, rate_per_s=0.0)
        seen = replace(facts(at=now, search=[up]), loads={"search": load})
        result = Result(decisions=(down,) if now == at else ())
        found += checker.hear(Inputs(now=now, facts=seen), result, History(), witness)
    assert violations == len(found)


def test_the_checkers_are_among_those_that_look_on() -> None:
    """Every run is watched by them."""
    from lamplighter.testing.checkers import all_checkers  # noqa: PLC0415

    kinds = {type(each) for each in all_checkers()}
    assert {WaitersServed, ZeroAfterIdle, ZeroOnlyWhenIdle} <= kinds

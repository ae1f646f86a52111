"""Facts, histories and wishes that plans are made from."""

from lamplighter.engine.step import step
from lamplighter.model.actions import Outcome
from lamplighter.model.decisions import Plan
from lamplighter.model.facts import PROCESSES, SOURCES, Facts, Machine, Phase, Replica, Source
from lamplighter.model.history import History
from lamplighter.model.intents import Intent, Up
from lamplighter.model.passes import Inputs
from lamplighter.model.system import System
from lamplighter.model.value import digest
from lamplighter.planning import effect, plan, settled
from lamplighter.spec import parse

NOW = 1000.0
WALL = "2025-01-08T12:00:00+00:00"
"""A Wednesday at noon."""
EMPTY = Facts(at=NOW, wall=WALL, sources={PROCESSES: Source(observed_at=NOW)}, machine=Machine(cores=4.0))


def wanted(rest: str = "", **more: str) -> System:
    """Return a system with one service, `web`; `more` are further top-level keys."""
    tail = "".join(f"{key}: {value}\n" for key, value in more.items())
    return parse(
        f"system: x\nservices:\n  web: {{app: main:app, health: {{path: /h}}, route: /{rest}}}\n{tail}"
    )


def up(system: System, **releases: str) -> Up:
    """Return the wish to have a system, `web` on release r-1 unless said otherwise."""
    return Up(id="up-1", system=system, releases={"web": "r-1", **releases})


def planned(*intents: Intent, facts: Facts = EMPTY, history: History | None = None) -> Plan:
    """Return the plan that the loop's own step makes."""
    return plan(step, history or History(), Inputs(now=facts.at, facts=facts, intents=intents))


def running(system: System, **releases: str) -> tuple[History, Facts]:
    """Return history and facts of a system that has come up as it wants, a while ago."""
    return later(History(), EMPTY, up(system, **releases))


def later(history: History, facts: Facts, *intents: Intent) -> tuple[History, Facts]:
    """Return history and facts half a minute after the intents were given, all going well."""
    outcomes: tuple[Outcome, ...] = ()
    for _ in range(30):
        inputs = Inputs(now=facts.at, facts=facts, intents=intents, outcomes=outcomes)
        history, result = step(history, inputs)
        for each in result.decisions:
            facts = effect(each.chosen.action, facts, facts.at)
        facts, intents = settled(facts, facts.at + 1.0, WALL), ()
        outcomes = tuple(Outcome(action=each.id, state="done", at=facts.at) for each in result.decisions)
    return history, facts


def replica(
    name: str, release: str = "r-1", *, ready: bool | None = True, phase: Phase = Phase.RUNNING
) -> Replica:
    """Return one replica of `web`."""
    return Replica(id=name, workload="web", release=release, phase=phase, started_at=NOW, ready=ready)


def heard(*replicas: Replica, system: System | None = None) -> Facts:
    """Return facts in which every source answers."""
    return Facts(
        at=NOW,
        wall=WALL,
        sources={each: Source(observed_at=NOW) for each in SOURCES},
        replicas=replicas,
        configured=digest(system) if system else "",
    )

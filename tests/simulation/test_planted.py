"""The simulation finds bugs: each of these is planted, and a checker, not an exception, must tell of it.

The same run without the plant must be sound, so that it is the plant that is found.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from msgspec.structs import replace

from lamplighter.engine import guard, verify
from lamplighter.engine import loop as loop_module
from lamplighter.engine import step as step_module
from lamplighter.engine.step import step
from lamplighter.model.actions import Action, Outcome, Replace, Scale
from lamplighter.model.facts import TRAFFIC, Facts, Load, Source
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Guards, Range, Service
from lamplighter.ports import Scope, Target
from lamplighter.targets.simulated import AnswerFaults, App, Faults, ReplicaFaults, SimulatedTarget
from lamplighter.testing import stores
from lamplighter.testing.report import Parts
from lamplighter.testing.scenarios import (
    Scenario,
    crash,
    eventually,
    rollback,
    scenario,
    second_maintainer,
    silence,
    trouble,
)

CONTROLLERS = "lamplighter.controllers"
housekeeping, numbers, repair, scaling = (
    import_module(f"{CONTROLLERS}.{name}") for name in ("housekeeping", "numbers", "repair", "scaling")
)
SEEDS = 6
"""A planted bug must be found by one of so many seeds."""
Plant = Callable[[pytest.MonkeyPatch], Parts | None]


def found(make: Callable[[], Scenario], plant: Plant) -> set[str]:
    """Return the checkers that tell of a planted bug, by the first seed that shows it."""
    for seed in range(1, SEEDS + 1):
        with pytest.MonkeyPatch.context() as patch:
            report = make().run(seed=seed, parts=plant(patch))
        if not report.sound:
            clean = make().run(seed=seed)
            assert clean.sound, clean.text()
            return report.broken
    return set()


# --- situations in which the bugs show


def swing() -> Scenario:
    """A load that falls, so that there are replicas to save."""
    return scenario("swing").given(search=(3, 8)).load("search", (-60, 500), (0, 60))


def blind_swing() -> Scenario:
    """The same, with traffic silent."""
    return swing().at(2, silence(TRAFFIC, for_s=120))


def lossy() -> Scenario:
    """Rollouts, and a target half of whose answers are lost."""
    faults = Faults(answers=AnswerFaults(lost_after_p=0.3, lost_before_p=0.2))
    return scenario("lossy").given(search=3, release="r2", faults=faults).at(60, rollback("search"))


def crash_loop() -> Scenario:
    """A stable release whose replicas suddenly crash at every start."""
    faults = Faults(replicas=ReplicaFaults(crash_at_start_p=0.9))
    made = scenario("crash loop").given(search=3).at(0, trouble(faults, for_s=200))
    return made.at(1, crash("search/1"))


def poor_crash_loop() -> Scenario:
    """The same, in a system that allows few actions."""
    return crash_loop().guarded(Guards(actions=3, window_s=120.0))


def slow_growth() -> Scenario:
    """A load that rises for a while in which nothing new comes up."""
    faults = Faults(replicas=ReplicaFaults(start_slow_p=1.0, start_slow_s=400.0))
    made = scenario("slow growth").given(search=(2, 4)).load("search", (-60, 80), (0, 200), (20, 80))
    return made.at(0, trouble(faults, for_s=100)).expecting(eventually(replicas=2, within_s=20))


def busy_drain() -> Scenario:
    """A rollout under load with long requests."""
    made = scenario("busy").given(search=3, release="r2").load("search", (-60, 200))
    return made.running("search", App(service_s=0.3, long_p=0.05, long_s=4.0))


# --- the bugs


def drain_skipped(_patch: pytest.MonkeyPatch) -> Parts:
    """The target is told to end replicas at once."""
    return Parts(target=lambda each: _Changed(each, lambda action: _with(action, drain_s=0.0)))


def double_apply(_patch: pytest.MonkeyPatch) -> Parts:
    """What had no answer is sent again as if it were something new."""
    return Parts(target=_Doubling)


def two_owners(patch: pytest.MonkeyPatch) -> None:
    """A maintainer that has lost its lease goes on under its successor's token."""
    patch.setattr(stores.MemoryLeases, "held", lambda _self, _lease: True)
    patch.setattr(stores.MemoryLeases, "acquire", _same_token)


def unrecorded(patch: pytest.MonkeyPatch) -> None:
    """Decisions are applied and never written down."""

    async def recorded(*_args: object) -> tuple[int, str]:
        return 1, ""

    patch.setattr(loop_module.Loop, "_record", recorded)


def zero_for_unknown(_patch: pytest.MonkeyPatch) -> Parts:
    """A load that nobody knows is taken for none at all."""
    return Parts(
        step=lambda history, inputs: step(history, replace(inputs, facts=_zeroed(inputs.facts))),
        revalidate=lambda *_: None,
    )


def blackout_ignored(_patch: pytest.MonkeyPatch) -> Parts:
    """What a silent source said last is taken for what is so now."""
    return Parts(
        step=lambda history, inputs: step(history, replace(inputs, facts=_renewed(inputs.facts))),
        revalidate=lambda *_: None,
    )


def surge_forgotten(patch: pytest.MonkeyPatch) -> Parts:
    """A rollout starts as many as it likes beyond max, and nobody looks again whether there is room."""

    def generous(history: History, inputs: Inputs) -> tuple[History, Result]:
        after, result = step(_surging(history, 9), inputs)
        return _surging(after, 1), result

    return Parts(step=generous, revalidate=lambda *_: None)


def below_min(patch: pytest.MonkeyPatch) -> None:
    """Scaling forgets that there is a lower bound."""
    real = scaling._followed

    def followed(survey: Any, service: Service, *rest: Any) -> tuple[int, str]:
        return real(survey, replace(service, replicas=Range(min=1, max=service.replicas.max)), *rest)

    patch.setattr(scaling, "_followed", followed)
    patch.setattr(scaling, "bounded", lambda _service, total: total)


def risk_ignored(patch: pytest.MonkeyPatch) -> None:
    """As much as one likes is stopped at once."""
    patch.setattr(scaling, "at_once", lambda _system, total: total)
    patch.setattr(guard, "_at_risk", lambda *_: "")


def budget_ignored(patch: pytest.MonkeyPatch) -> None:
    """The number of actions in the window is not counted."""
    patch.setattr(guard, "_budget", lambda *_: "")


def repairs_unbounded(patch: pytest.MonkeyPatch) -> None:
    """A place is repaired as often as it breaks."""
    patch.setattr(repair, "exhausted", lambda *_: False)


def approval_of_anything(patch: pytest.MonkeyPatch) -> None:
    """A yes to something passes everything."""
    patch.setattr(guard, "_approved", lambda decision, _watch: decision)


def undo_lost(patch: pytest.MonkeyPatch) -> None:
    """What failed is neither undone nor closed."""
    real = verify.verify
    patch.setattr(step_module, "verify", lambda *args: real(*args)._replace(undo=()))


def traffic_to_the_unready(patch: pytest.MonkeyPatch) -> Parts:
    """A rollout gives its candidate all traffic, ready or not."""
    patch.setattr(numbers, "_share", lambda move, *_: move.goal)
    return Parts(revalidate=lambda *_: None)


def flapping(patch: pytest.MonkeyPatch) -> None:
    """Scaling follows every reading, both ways, with no patience."""

    def followed(_survey: Any, service: Service, _memory: Any, wants: Any) -> tuple[int, str]:
        wanted = round(wants.panic or 0)
        return max(service.replicas.min, min(service.replicas.max, wanted)), "now"

    patch.setattr(scaling, "_followed", followed)


def live_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The records of live replicas are dropped."""
    patch.setattr(housekeeping, "_forgettable", lambda survey, _history: iter(sorted(survey.replicas)[:1]))


def wobbly() -> Scenario:
    """A load that stays where it is, halfway between two numbers of replicas."""
    return scenario("wobbly").given(search=(1, 8)).load("search", (-60, 200), (0, 200), (400, 200))


def guarded() -> Scenario:
    """A load that falls, in a system that allows little to be at risk."""
    return swing().guarded(Guards(at_risk=0.2))


def careful() -> Scenario:
    """A load that falls, in a system that asks before it stops much."""
    return swing().guarded(Guards(approve_above=0.2))


def endless(_patch: pytest.MonkeyPatch) -> Parts:
    """Deciding never comes to an end."""

    def forever(history: History, inputs: Inputs) -> tuple[History, Result]:
        while inputs.now > 60:
            pass
        return step(history, inputs)

    return Parts(step=forever, cpu_s=1.0)


CASES = [
    (busy_drain, drain_skipped, {"NothingDropped", "DrainAsPromised"}),
    (lossy, double_apply, {"CountExact", "MaxKept", "AppliedOnce"}),
    (lambda: lossy().at(0.1, second_maintainer()), two_owners, {"OneOwner"}),
    (swing, unrecorded, {"RecordedFirst"}),
    (blind_swing, zero_for_unknown, {"KnownOnly"}),
    (blind_swing, blackout_ignored, {"KnownOnly"}),
    (busy_drain, surge_forgotten, {"MaxKept"}),
    (swing, below_min, {"MinKept"}),
    (guarded, risk_ignored, {"BudgetKept", "RiskKept"}),
    (crash_loop, repairs_unbounded, {"RepairsBounded"}),
    (poor_crash_loop, budget_ignored, {"BudgetKept"}),
    (careful, approval_of_anything, {"ApprovalKept"}),
    (busy_drain, traffic_to_the_unready, {"SharesSound", "MinKept"}),
    (wobbly, flapping, {"NoFlapping"}),
    (swing, live_forgotten, {"KnownOnly"}),
    (slow_growth, undo_lost, {"Convergence"}),
    (swing, endless, {"Loop"}),
]


@pytest.mark.parametrize(("make", "plant", "checkers"), CASES, ids=[each[1].__name__ for each in CASES])
def test_planted_bug_is_found(make: Callable[[], Scenario], plant: Plant, checkers: set[str]) -> None:
    """A checker that is meant for it tells of the bug within a few seeds."""
    broken = found(make, plant)
    assert broken & checkers, f"{broken or 'nothing'} was found, not one of {sorted(checkers)}"


# --- how the bugs are planted


class _Changed:
    """A target whose actions are changed on their way."""

    def __init__(self, target: Target, change: Callable[[Action], Action]) -> None:
        self._target, self._change = target, change

    async def observe(self, scope: Scope) -> Facts:
        return await self._target.observe(scope)

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        return await self._target.apply(self._change(action), action_id=action_id, token=token)


class _Doubling(_Changed):
    """A target that does not know an action again, and replicas whose names are not kept."""

    def __init__(self, target: Target) -> None:
        super().__init__(target, lambda action: action)
        self._sent: set[str] = set()

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        if action_id in self._sent and isinstance(action, Scale):
            action = replace(action, starts=tuple(f"{each}-again" for each in action.starts))
            assert isinstance(self._target, SimulatedTarget)
            self._target._world.answers.pop(action_id, None)
        self._sent.add(action_id)
        return await self._target.apply(action, action_id=action_id, token=token)


def _with(action: Action, **changes: float) -> Action:
    return replace(action, **changes) if isinstance(action, Scale | Replace) else action


def _same_token(self: stores.MemoryLeases, system: str) -> stores.Lease:
    return stores.Lease(system=system, token=1, holder="anybody", pid=1, since="")


def _zeroed(facts: Facts) -> Facts:
    loads = {name: Load(in_flight=0, rate_per_s=0.0) for name in facts.shares} | facts.loads
    return replace(_renewed(facts), loads=loads)


def _renewed(facts: Facts) -> Facts:
    sources = {name: Source(observed_at=facts.at) for name in facts.sources}
    return replace(
        facts, sources=sources, loads=facts.loads or {name: Load(in_flight=4) for name in facts.shares}
    )


def _surging(history: History, surge: int) -> History:
    if history.system is None:
        return history
    services = {
        name: replace(each, rollout=replace(each.rollout, surge=surge), replicas=replace(each.replicas))
        for name, each in history.system.services.items()
    }
    return replace(history, system=replace(history.system, services=services))

"""Plans: what the loop would do, seen before anything is touched."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

import lamplighter.planning
from lamplighter.engine.step import step
from lamplighter.model.actions import Configure, Scale, Shift
from lamplighter.model.decisions import Plan
from lamplighter.model.errors import UserError
from lamplighter.model.facts import PROCESSES, Exit, Phase, Source
from lamplighter.model.history import History
from lamplighter.model.intents import Down, Rollback
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import digest
from lamplighter.planning import basis, plan
from lamplighter.spec import parse

from .worlds import EMPTY, NOW, later, planned, running, up, wanted

OFTEN = 5


def kinds(made: Plan) -> list[str]:
    """Return the kind of each step."""
    return [type(each.action).__name__ for each in made.steps]


def shares(made: Plan) -> list[dict[str, float]]:
    """Return how the traffic is shared, shift by shift."""
    return [each.action.shares for each in made.steps if isinstance(each.action, Shift)]


def test_a_first_up() -> None:
    """The gateway is set, replicas start, and traffic goes to them."""
    made = planned(up(wanted(", replicas: 2")))
    assert ["Configure", "Scale", "Shift"] == kinds(made)
    assert {"web": 2} == made.steps[-1].capacity


def test_what_is_needed_starts_first() -> None:
    """A service waits until what it needs can serve."""
    system = wanted(", needs: [model]}\n  model: {app: m:app, health: {path: /h}")
    made = planned(up(system, model="r-m"))
    started = [each.action.workload for each in made.steps if isinstance(each.action, Scale)]
    assert ["model", "web"] == started


def test_nothing_to_do() -> None:
    """A system that is as it is wanted gives a plan without steps, and without risks."""
    system = wanted(", replicas: 2")
    history, facts = running(system)
    made = planned(up(system), facts=facts, history=history)
    assert ((), ()) == (made.steps, made.risks)


def test_a_new_release_comes_step_by_step() -> None:
    """Traffic follows the steps of the rollout, and time jumps over the bakes."""
    system = wanted(", replicas: 4, rollout: {steps: [10%, 50%, 100%], bake: 10m, surge: 4}")
    history, facts = running(system)
    made = planned(up(system, web="r-2"), facts=facts, history=history)
    assert [0.1, 0.5, 1.0] == [each["r-2"] for each in shares(made)]
    assert 1200 < made.steps[-1].at_s < 1300
    assert {"web": 4} == made.steps[-1].capacity


def test_capacity_never_falls_in_a_rollout() -> None:
    """Each step of a rollout leaves as many ready replicas as there were."""
    system = wanted(", replicas: 4, rollout: {bake: 0s}")
    history, facts = running(system)
    made = planned(up(system, web="r-2"), facts=facts, history=history)
    assert 4 == min(each.capacity["web"] for each in made.steps)


def test_a_bake_of_a_week_is_no_longer_to_plan() -> None:
    """Waiting costs no passes: the number of calls of the step stays small."""
    calls = 0

    def counted(history: History, inputs: Inputs) -> tuple[History, Result]:
        nonlocal calls
        calls += 1
        return step(history, inputs)

    system = wanted(", replicas: 2, rollout: {bake: 7d}")
    history, facts = running(system)
    inputs = Inputs(now=facts.at, facts=facts, intents=(up(system, web="r-2"),))
    assert 2 * 7 * 86_400 < plan(counted, history, inputs).steps[-1].at_s
    assert calls < 60


def test_down_ends_everything() -> None:
    """The gateway goes last; that capacity falls is the point, and no risk."""
    history, facts = running(wanted(", replicas: 2"))
    made = planned(Down(id="down-1"), facts=facts, history=history)
    assert "Dismantle" == kinds(made)[-1]
    assert "capacity-drops" not in [each.kind for each in made.risks]


def test_rollback_goes_back() -> None:
    """A rollback is planned like anything else."""
    system = wanted(", replicas: 2, rollout: {bake: 0s, steps: [100%]}")
    history, facts = running(system)
    history, facts = later(history, facts, up(system, web="r-2"))
    made = planned(Rollback(id="b-1", workload="web"), facts=facts, history=history)
    assert {"r-1": 1.0} == shares(made)[-1]


def test_a_dead_replica_is_replaced() -> None:
    """What is proven dead at the start is replaced in the plan."""
    system = wanted(", replicas: 2")
    history, facts = running(system)
    dead = replace(facts.replicas[0], phase=Phase.EXITED, ready=False, exit=Exit(at=facts.at, signal=9))
    facts = replace(facts, replicas=(dead, *facts.replicas[1:]))
    made = planned(up(system), facts=facts, history=history)
    assert "Replace" in kinds(made)
    assert {"web": 2} == made.steps[-1].capacity


def test_what_is_already_on_its_way_is_no_step() -> None:
    """An action that was decided before the plan, and not answered yet, is taken as done."""
    history, result = step(History(), Inputs(now=NOW, facts=EMPTY, intents=(up(wanted()),)))
    assert ["configure"] == [each.chosen.controller for each in result.decisions]
    facts = replace(EMPTY, at=NOW + 60, sources={PROCESSES: Source(observed_at=NOW + 60)})
    made = planned(up(wanted()), facts=facts, history=history)
    assert ["Scale", "Shift"] == kinds(made)


def test_an_intent_that_is_refused() -> None:
    """The refusal is the answer, with its code."""
    with pytest.raises(UserError) as caught:
        planned(replace(up(wanted()), basis="other"))
    assert caught.value.code
    assert caught.value.code != "user-error"


def test_nothing_runs_and_nothing_is_asked_for() -> None:
    """Without a system there is nothing to plan."""
    with pytest.raises(UserError) as caught:
        planned()
    assert "nothing-to-plan" == caught.value.code


def test_a_plan_is_bound_to_its_facts() -> None:
    """Its basis is that of the facts it was made from; its spec that of the system asked for."""
    made = planned(up(wanted()))
    assert (basis(EMPTY, History()), digest(wanted()), {"web": "r-1"}) == (
        made.basis,
        made.spec,
        made.releases,
    )


def test_a_plan_is_the_same_every_time() -> None:
    """Equal facts give equal plans."""
    assert planned(up(wanted())) == planned(up(wanted()))


def restless(times: int) -> Callable[[History, Inputs], tuple[History, Result]]:
    """Return a step that never comes to rest: after each pass the gateway is to be set again."""

    def turn(history: History, inputs: Inputs) -> tuple[History, Result]:
        after, result = step(history, inputs)
        flag = wanted(f", drain: {int(inputs.now) % times + 1}s")
        decisions = tuple(
            replace(each, chosen=replace(each.chosen, action=Configure(system=flag)))
            for each in result.decisions
        )
        return after, replace(result, decisions=decisions)

    return turn


def test_a_step_that_never_rests_is_cut_short() -> None:
    """The preview is bounded, and says that it was ended."""
    inputs = Inputs(now=NOW, facts=EMPTY, intents=(up(wanted()),))
    made = plan(restless(OFTEN), History(), inputs)
    assert "plan-cut-short" in [each.kind for each in made.risks]


def test_a_frozen_rollout_is_held_not_lost() -> None:
    """In a freeze window a new release waits; the plan shows it, with the window, and ends there."""
    system = wanted(", replicas: 2", freeze='["Mon 00:00 - Fri 00:00"]')
    history, facts = running(system)
    made = planned(up(system, web="r-2"), facts=facts, history=history)
    assert ["held"] == [each.state for each in made.steps]
    assert "Mon 00:00 - Fri 00:00" in made.steps[0].reasons[0]
    assert "held" in [each.kind for each in made.risks]


def broken(approvals: str) -> Plan:
    """Return the plan for two replicas of which one fails its checks, twenty seconds being too long."""
    system = parse(
        "system: x\nservices: {web: {app: m:app, replicas: 2, health: {path: /h, unhealthy_after: 20s}}}\n"
        f"approvals: {{above: {{blast_radius: {approvals}}}}}"
    )
    history, facts = running(system)
    ill = replace(facts.replicas[0], ready=False)
    return planned(up(system), facts=replace(facts, replicas=(ill, *facts.replicas[1:])), history=history)


def test_a_replica_that_fails_its_checks_is_planned_for() -> None:
    """The plan waits as long as the loop would, and shows the repair."""
    made = broken("100%")
    assert {"act"} == {each.state for each in made.steps}
    assert made.steps[0].at_s >= 20
    assert {"web": 2} == made.steps[-1].capacity


def test_what_needs_a_yes_is_asked_and_assumed() -> None:
    """A step above the bound is shown as asked, once, and the plan goes on as if it was allowed."""
    made = broken("0%")
    asked = [number for number, each in enumerate(made.steps, 1) if each.state == "asked"]
    assert asked
    assert [f"step {each}" for each in asked] == [
        each.subject for each in made.risks if each.kind == "needs-approval"
    ]
    assert {"web": 2} == made.steps[-1].capacity
    assert kinds(broken("100%")) == kinds(made)


def test_planning_knows_no_engine_and_no_time() -> None:
    """The step is handed in; nothing here imports the engine, a clock or chance."""
    text = "".join(each.read_text() for each in Path(lamplighter.planning.__file__).parent.glob("*.py"))
    assert [] == [each for each in ("lamplighter.engine", "import time", "random", "asyncio") if each in text]


def test_the_first_pass_sees_the_facts_as_they_are() -> None:
    """A source that is silent now is silent in the first pass: only later is the world ideal."""
    facts = replace(EMPTY, sources={PROCESSES: Source(observed_at=NOW, fault="no answer")})
    seen: list[object] = []

    def noting(history: History, inputs: Inputs) -> tuple[History, Result]:
        seen.append(inputs.facts.silence(PROCESSES, inputs.now) is None)
        return step(history, inputs)

    plan(noting, History(), Inputs(now=NOW, facts=facts, intents=(up(wanted()),)))
    assert [False, True] == seen[:2]

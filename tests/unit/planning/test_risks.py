"""What to mind about a plan."""

from msgspec.structs import replace

from lamplighter.engine.step import step
from lamplighter.model.actions import Contract, Scale
from lamplighter.model.decisions import Step
from lamplighter.model.facts import HEALTH, Facts, Machine, Source
from lamplighter.model.findings import Finding, Severity
from lamplighter.model.passes import Inputs
from lamplighter.planning import outline, plan
from lamplighter.planning.risks import Ground, lowest, risks

from .worlds import NOW, heard, planned, replica, running, up, wanted

THREE = heard(replica("a"), replica("b"), replica("c"))


def steps(*counts: int, **more: object) -> tuple[Step, ...]:
    """Return steps after which `web` has so many ready replicas."""
    action = Scale(workload="web", release="r-1", replicas=1)
    return tuple(
        Step(action=action, contract=Contract(gain=""), because="", capacity={"web": each}, **more)  # type: ignore[arg-type]
        for each in counts
    )


def found(rest: str = "", facts: Facts = THREE, after: tuple[Step, ...] = ()) -> dict[str, Finding]:
    """Return the risks by their kind."""
    ground = Ground(system=wanted(rest), facts=facts, now=NOW)
    return {each.kind: each for each in risks(ground, after)}


def test_down_to_one() -> None:
    """Where one ready replica alone is left, the step that leaves it is named."""
    assert (
        "after step 2 one ready replica alone is left of 3"
        == found(after=steps(2, 1, 3))["capacity-drops"].message
    )


def test_down_to_none_is_urgent() -> None:
    """No ready replica at all is an outage."""
    assert Severity.URGENT == found(after=steps(0, 3))["capacity-drops"].severity


def test_down_to_two_is_no_risk() -> None:
    """Two of three: one may still die."""
    assert "capacity-drops" not in found(after=steps(2, 3))


def test_one_that_was_alone_before() -> None:
    """A service of one replica that stays one has not fallen."""
    assert "capacity-drops" not in found(facts=heard(replica("a")), after=steps(1, 1))


def test_lowest_counts_the_start_too() -> None:
    """The fewest at any time, the beginning included."""
    assert {"web": 3} == lowest(THREE, steps(5, 4))


def test_more_than_the_machine_has() -> None:
    """What all replicas ask for where they are most, against cores and memory."""
    facts = replace(THREE, machine=Machine(cores=4.0, memory_bytes=2**30))
    rest = ", resources: {cpu: 1.5, memory: 512Mi}"
    told = found(rest, facts, steps(2, 4, 3))
    assert "replicas ask for 6 cores, the machine has 4" == told["beyond-cores"].message
    assert "replicas may take 2,048 MiB, the machine has 1,024" == told["beyond-memory"].message


def test_a_machine_that_is_not_known() -> None:
    """What is not known is not guessed at."""
    assert "beyond-cores" not in found(", resources: {cpu: 900}", THREE, steps(3))


def test_cost_is_said_to_be_unknown() -> None:
    """Every plan that does something says that its cost is not known; prices could not be had."""
    assert ("prices",) == found(after=steps(3))["cost-unknown"].evidence.unavailable
    assert "cost-unknown" not in found()


def test_a_plan_made_half_blind() -> None:
    """A source that is silent while replicas run is the first thing to say."""
    facts = replace(THREE, sources={**THREE.sources, HEALTH: Source(observed_at=NOW - 60, fault="gone")})
    ground = Ground(system=wanted(), facts=facts, now=NOW)
    assert ("facts-silent", Severity.URGENT) == (risks(ground, ())[0].kind, risks(ground, ())[0].severity)


def test_waits_for_a_yes_and_is_held() -> None:
    """Both name the step and the reason."""
    asked = found(after=steps(3, state="asked", reasons=("too much at once",)))["needs-approval"]
    held = found(after=steps(3, state="held", reasons=("frozen",)))["held"]
    assert "step 1 waits for a person's yes (too much at once); what follows assumes it" == asked.message
    assert "step 1 is held: frozen" == held.message


def test_no_health_path() -> None:
    """A service that only opens a port can hang unseen."""
    assert "api" == found(", drain: 1s}\n  api: {app: m:a")["no-health-path"].subject


def test_a_release_without_room_is_said_with_its_place() -> None:
    """A rollout that can never begin is the most urgent risk, told with the line of the spec to mend."""
    system = wanted(", replicas: 2, rollout: {surge: 0}")
    history, facts = running(system)
    inputs = Inputs(now=facts.at, facts=facts, intents=(up(system, web="r-2"),))
    made = plan(step, history, inputs, places={"services.web.rollout.surge": "lamp.yaml:3:9"})
    assert ("rollout-has-no-room", Severity.URGENT) == (made.risks[0].kind, made.risks[0].severity)
    assert outline(made).risks[0].startswith("urgent: lamp.yaml:3:9  web: ")
    assert () == planned(up(system), facts=facts, history=history).risks

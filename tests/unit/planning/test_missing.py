"""What a target cannot run yet: said, placed, and left out."""

from lamplighter.engine.step import step
from lamplighter.model.findings import Finding
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs
from lamplighter.planning import outline, plan, possible
from lamplighter.spec import parse, places

from .worlds import EMPTY, NOW, up, wanted

TEXT = """\
system: x
services:
  web: {app: main:app, needs: [model], route: /}
  model: {image: ghcr.io/x/y, resources: {gpu: 1}}
agents: {reader: {agent: m:Reader}}
"""


def lacking(*subjects: str) -> tuple[Finding, ...]:
    """Return findings as a target gives them."""
    return tuple(
        Finding(kind="not-on-this-target", subject=each, message="not here yet") for each in subjects
    )


def test_a_workload_that_cannot_run_is_left_out() -> None:
    """It is gone, and what needs it no longer waits for it."""
    system = possible(parse(TEXT), lacking("services.model.image", "agents.reader"))
    assert (["web"], (), {}) == (list(system.services), system.services["web"].needs, system.agents)


def test_a_part_that_cannot_be_had_leaves_the_workload() -> None:
    """Without a GPU share it runs without one."""
    assert parse(TEXT) == possible(parse(TEXT), lacking("services.model.resources.gpu", "budget"))


def test_each_has_its_place() -> None:
    """What is missing is named where the spec says it; a part that is not written, where its parent is."""
    found = lacking(
        "agents.reader", "services.model.resources.gpu", "services.web.objective.latency", "budget"
    )
    inputs = Inputs(now=NOW, facts=EMPTY, intents=(up(parse(TEXT), model="r-m"),))
    made = plan(step, History(), inputs, missing=found, places=places(TEXT))
    expected = [("lamp.yaml:5:10",), ("lamp.yaml:4:43",), ("lamp.yaml:3:3",), ()]
    assert expected == [each.evidence.looked_at for each in made.missing]


def test_a_spec_of_nothing_but_what_is_missing() -> None:
    """No steps, and the list."""
    system = parse("system: x\nagents: {reader: {agent: m:Reader}}\njobs: {j: {command: x}}")
    inputs = Inputs(now=NOW, facts=EMPTY, intents=(up(system),))
    made = plan(step, History(), inputs, missing=lacking("agents.reader", "jobs.j"))
    assert ((), 2, False) == (made.steps, len(made.missing), outline(made).changes)


def test_the_plan_is_for_the_spec_as_written() -> None:
    """Its digest is that of the whole system, also where parts of it are left out."""
    whole = wanted()
    inputs = Inputs(now=NOW, facts=EMPTY, intents=(up(whole),))
    one = plan(step, History(), inputs)
    two = plan(step, History(), inputs, missing=lacking("services.web.image"))
    assert (one.spec, ()) == (two.spec, two.steps)

"""Conditions: what the facts tell of each: yes, no, or nothing; and what may still be stopped by it."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import Why, shrink
from lamplighter.controllers.survey import Survey
from lamplighter.engine.conditions import all_hold, holds, same_shares
from lamplighter.engine.revalidate import _spared
from lamplighter.model.actions import (
    Broken,
    Condition,
    Gone,
    Heard,
    Idle,
    Live,
    Ready,
    Replace,
    Scale,
    Serving,
)
from lamplighter.model.decisions import Decision, Priority
from lamplighter.model.facts import HEALTH, PROCESSES, Load, Phase
from lamplighter.model.history import Pending
from lamplighter.testing.builders import NOW, Shape, crashed, draining, facts, hung, survey, unknown, up


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"r1": 1.0}, {"r1": 1.0}, True),
        ({"r1": 0.5, "r2": 0.5}, {"r1": 0.4951, "r2": 0.5049}, True),
        ({"r1": 0.5, "r2": 0.5}, {"r1": 0.45, "r2": 0.55}, False),
        ({"r1": 1.0}, {"r1": 1.0, "r2": 0.2}, False),
        ({"r1": 1.0, "r2": 0.2}, {"r1": 1.0}, False),
        ({"r1": 1.0, "r2": 0.005}, {"r1": 1.0}, True),
        ({}, {}, True),
        ({}, {"r1": 1.0}, False),
    ],
)
def test_shares_are_the_same_up_to_rounding(
    one: dict[str, float], other: dict[str, float], *, same: bool
) -> None:
    """A release that only one of them names has nothing in the other."""
    assert same == same_shares(one, other) == same_shares(other, one)


NOBODY = replace(up, ready=None)


@pytest.mark.parametrize(
    ("condition", "shape", "answer"),
    [
        (Gone(replica="web-1"), up, False),
        (Gone(replica="web-1"), draining, False),
        (Gone(replica="web-1"), crashed, True),
        (Gone(replica="web-1"), unknown(3.0), None),
        (Gone(replica="web-9"), up, True),
        (Serving(replica="web-1"), up, True),
        (Serving(replica="web-1"), hung, False),
        (Serving(replica="web-1"), NOBODY, None),
        (Serving(replica="web-1"), draining, False),
        (Serving(replica="web-1"), crashed, False),
        (Serving(replica="web-1"), replace(up, phase=Phase.UNKNOWN), None),
        (Serving(replica="web-9"), up, False),
        (Broken(replica="web-1"), up, False),
        (Broken(replica="web-1"), hung, True),
        (Broken(replica="web-1"), NOBODY, None),
        (Broken(replica="web-1"), crashed, True),
        (Broken(replica="web-1"), replace(hung, phase=Phase.UNKNOWN), None),
        (Broken(replica="web-9"), up, None),
        (Live(workload="web", release="r1", exactly=1), up, True),
        (Live(workload="web", release="r1", exactly=2), up, False),
        (Live(workload="web", release="r1", exactly=0), draining, True),
        (Ready(workload="web", release="r1", at_least=1), up, True),
        (Ready(workload="web", release="r1", at_least=2), up, False),
        (Ready(workload="web", release="r1", at_least=1), NOBODY, None),
        (Ready(workload="web", release="r1", at_least=2), NOBODY, False),
        (Ready(workload="web", release="r1", at_least=1), hung, False),
        (Heard(source=HEALTH), up, True),
    ],
)
def test_what_is_known_answers(condition: Condition, shape: Shape, answer: bool | None) -> None:  # noqa: FBT001
    """What cannot be told is neither."""
    assert answer is holds(condition, survey(facts(web=[shape])))


@pytest.mark.parametrize(
    ("condition", "source", "answer"),
    [
        (Gone(replica="web-9"), PROCESSES, None),
        (Gone(replica="web-9"), HEALTH, True),
        (Serving(replica="web-9"), PROCESSES, None),
        (Serving(replica="web-1"), HEALTH, None),
        (Live(workload="web", release="r1", exactly=1), PROCESSES, None),
        (Live(workload="web", release="r1", exactly=1), HEALTH, True),
        (Ready(workload="web", release="r1", at_least=1), PROCESSES, None),
        (Ready(workload="web", release="r1", at_least=9), HEALTH, None),
        (Heard(source=HEALTH), HEALTH, False),
        (Heard(source=HEALTH), PROCESSES, True),
    ],
)
def test_what_a_silent_source_would_tell_is_not_known(
    condition: Condition,
    source: str,
    answer: bool | None,  # noqa: FBT001
) -> None:
    """And nothing else is doubted for that."""
    assert answer is holds(condition, survey(facts(silent={source: 1.0}, web=[up])))


@pytest.mark.parametrize(
    ("load", "answer"),
    [
        (Load(in_flight=0), True),
        (Load(in_flight=1), False),
        (Load(in_flight=0, queued=1), False),
        (Load(queued=0), None),
        (Load(), None),
    ],
)
def test_nothing_is_asked_only_where_that_is_known(load: Load, answer: bool | None) -> None:  # noqa: FBT001
    """Requests that wait are asked for too."""
    assert answer is holds(Idle(workload="web"), survey(replace(facts(web=[up]), loads={"web": load})))


@pytest.mark.parametrize(
    ("conditions", "answer"),
    [
        ((), True),
        ((Serving(replica="web-1"),), True),
        ((Serving(replica="web-1"), Serving(replica="web-2")), None),
        ((Serving(replica="web-2"), Serving(replica="web-9")), False),
        ((Serving(replica="web-9"), Serving(replica="web-1")), False),
    ],
)
def test_all_hold_where_none_is_denied_or_unknown(
    conditions: tuple[Condition, ...],
    answer: bool | None,  # noqa: FBT001
) -> None:
    """One that is denied outweighs one that cannot be told."""
    assert answer is all_hold(conditions, survey(facts(web=[up, NOBODY])))


@pytest.mark.parametrize(
    ("stays", "stopped", "to", "ordered", "refused"),
    [
        (hung, up, 1, "", True),
        (NOBODY, up, 1, "", True),
        (crashed, up, 1, "", True),
        (up, up, 1, "", False),
        (hung, hung, 1, "", False),
        (hung, up, 0, "", False),
        (hung, up, 1, "ann", False),
    ],
)
def test_last_that_serves_is_not_stopped(
    stays: Shape, stopped: Shape, to: int, ordered: str, *, refused: bool
) -> None:
    """Unless all are to go, a person ordered it, or it does not serve either."""
    seen = survey(facts(web=[stays, stopped]))
    scale = Scale(workload="web", release="r1", replicas=to, stops=("web-2",))
    chosen = shrink(seen, scale, Why("scaling", Priority.SCALING, "a test", ordered_by=ordered), sources=())
    decision = Decision(id="a-1", at=NOW, subject="web/r1", chosen=chosen, state="act", basis="b")
    assert refused == (_spared(decision, seen) is not None)


def test_what_is_not_proven_gone_remains() -> None:
    """Who lives, who drains, and who was ordered and was not seen yet; not who has ended."""
    swap = Replace(workload="web", release="r1", replica="web-1", start="web-9")
    chosen = shrink(
        survey(facts(web=[up])),
        Scale(workload="web", release="r1", replicas=0),
        Why("repair", Priority.REPAIR, "a test"),
        sources=(),
    )
    decision = Decision(
        id="a-1", at=NOW, subject="web-1", chosen=replace(chosen, action=swap), state="act", basis="b"
    )
    seen = facts(web=[up, up, draining, crashed])
    assert 3 == Survey(seen, NOW).remaining("web")
    assert 4 == Survey(seen, NOW, {"a-1": Pending(decision=decision)}).remaining("web")
    assert 0 == Survey(seen, NOW).remaining("db")

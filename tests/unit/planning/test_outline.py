"""A plan in short, for faces to lay out."""

import pytest

from lamplighter.model.actions import Action, Configure, Dismantle, Forget, Replace, Scale, Shift
from lamplighter.planning import describe, outline

from .worlds import planned, running, up, wanted


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (Configure(system=wanted()), "set the gateway on port 8080"),
        (Scale(workload="web", release="r-1", replicas=2, starts=("a", "b")), "start 2 of web (r-1)"),
        (Scale(workload="web", release="r-1", replicas=0, stops=("a",)), "drain and end 1 of web (r-1)"),
        (Scale(workload="web", release="r-1", replicas=4), "bring web to 4 (r-1)"),
        (Replace(workload="web", release="r-1", replica="a", start="b"), "start b in place of a"),
        (Shift(workload="web", shares={"r-2": 0.25, "r-1": 0.75}), "traffic of web: 25% to r-2, 75% to r-1"),
        (Forget(replicas=("a", "b")), "drop what is noted of 2 replicas, gone for good"),
        (Forget(replicas=("a",)), "drop what is noted of a, gone for good"),
        (Dismantle(system="x"), "end what is left, the gateway last"),
    ],
)
def test_actions_in_words(action: Action, text: str) -> None:
    """Each kind of action says what it does."""
    assert text == describe(action)


def test_the_rows_of_a_first_up() -> None:
    """Number, subject, capacity: what a table needs."""
    rows = outline(planned(up(wanted(", replicas: 2")))).rows
    assert [(1, "gateway", {}), (2, "web", {"web": 2}), (3, "web", {"web": 2})] == [
        (each.number, each.subject, each.capacity) for each in rows
    ]


def test_how_long_and_how_low() -> None:
    """A rollout lasts as long as it bakes, and never leaves fewer than there were."""
    system = wanted(", replicas: 3, rollout: {steps: [50%, 100%], bake: 5m}")
    history, facts = running(system)
    made = outline(planned(up(system, web="r-2"), facts=facts, history=history))
    assert ({"web": 3}, True) == (made.lowest, 300 < made.lasts_s < 330)


def test_risks_and_changes_in_words() -> None:
    """What to mind comes as lines."""
    made = outline(planned(up(wanted())))
    assert (True, ["note: x: what this costs is not known: there are no prices for this site"]) == (
        made.changes,
        list(made.risks),
    )

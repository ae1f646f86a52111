"""The ideal world: each action's end made true."""

import pytest

from lamplighter.model.actions import Action, Configure, Dismantle, Forget, Replace, Scale, Shift
from lamplighter.model.facts import SOURCES, Phase
from lamplighter.model.value import digest
from lamplighter.planning import capacity, effect, settled

from .worlds import NOW, heard, replica, wanted

TWO = heard(replica("web-1"), replica("web-2"))


def scale(count: int, *, starts: tuple[str, ...] = (), stops: tuple[str, ...] = ()) -> Scale:
    """Return a Scale of web's first release."""
    return Scale(workload="web", release="r-1", replicas=count, starts=starts, stops=stops)


@pytest.mark.parametrize(
    ("action", "left"),
    [
        (scale(3, starts=("web-3",)), ["web-1", "web-2", "web-3"]),
        (scale(1, stops=("web-1",)), ["web-2"]),
        (scale(2, starts=("web-3",), stops=("web-1",)), ["web-2", "web-3"]),
        (scale(1), ["web-1"]),
        (scale(3), ["web-1", "web-2", "web-new-1"]),
        (scale(2), ["web-1", "web-2"]),
        (Replace(workload="web", release="r-1", replica="web-1", start="web-3"), ["web-2", "web-3"]),
        (Forget(replicas=("web-2",)), ["web-1"]),
        (Dismantle(system="x"), []),
    ],
)
def test_which_replicas_are_left(action: Action, left: list[str]) -> None:
    """Starts have started, stops are gone, and where neither is named the number is made right."""
    assert left == sorted(each.id for each in effect(action, TWO, NOW).replicas)


def test_applying_twice_is_applying_once() -> None:
    """Actions state ends, so the second time changes nothing."""
    action = scale(3, starts=("web-3",))
    once = effect(action, TWO, NOW)
    assert once == effect(action, once, NOW)


def test_the_gateway_is_as_it_was_set() -> None:
    """Configure and Shift are seen in the facts at once."""
    system = wanted()
    assert digest(system) == effect(Configure(system=system), TWO, NOW).configured
    assert {"web": {"r-1": 1.0}} == effect(Shift(workload="web", shares={"r-1": 1.0}), TWO, NOW).shares


def test_a_while_later_all_is_heard_and_settled() -> None:
    """What starts is ready, what drains is gone; what is broken stays broken."""
    before = heard(
        replica("web-1", phase=Phase.STARTING, ready=None),
        replica("web-2", phase=Phase.DRAINING),
        replica("web-3", ready=False),
    )
    after = settled(before, NOW + 9, "")
    assert [("web-1", True), ("web-3", False)] == [(each.id, each.ready) for each in after.replicas]
    assert [None] * len(SOURCES) == [after.silence(each, NOW + 9) for each in SOURCES]


def test_capacity_counts_what_can_serve() -> None:
    """Live and ready; not draining, not broken, not unknown."""
    facts = heard(replica("a"), replica("b", ready=None), replica("c", phase=Phase.DRAINING))
    assert {"web": 1} == capacity(facts)

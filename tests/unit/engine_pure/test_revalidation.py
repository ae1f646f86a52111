"""Revalidation: what fresh facts refuse right before an action, each rule at its bounds."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.contracts import Timing, Why, grow, shift, substitute
from lamplighter.engine.revalidate import _carried, _room, revalidate
from lamplighter.engine.step import step
from lamplighter.engine.terms import Pace, Terms
from lamplighter.model.actions import Forget, Replace, Scale, Shift
from lamplighter.model.decisions import Priority
from lamplighter.testing.builders import (
    Shape,
    crashed,
    draining,
    facts,
    hung,
    of,
    settled,
    survey,
    system,
    up,
)

WHY, TIMING = Why("rollout", Priority.ROLLOUT, "a test"), Timing(start_s=20.0, drain_s=5.0)
WANTED = system(web=(2, 4))
KNOWN = settled(WANTED)
TOP = 5
"""Four and a surge of one."""


def started(*ids: str, stops: tuple[str, ...] = ()) -> Scale:
    """Return an action that starts these."""
    return Scale(workload="web", release="r1", replicas=9, starts=ids, stops=stops)


def swapped(replica: str) -> Replace:
    """Return an action that starts another in the place of one."""
    return Replace(workload="web", release="r1", replica=replica, start="web-9")


@pytest.mark.parametrize(
    ("action", "web", "refused"),
    [
        (started("web-9"), [up] * 4, False),
        (started("web-9"), [up] * 5, True),
        (started("web-8", "web-9"), [up] * 4, True),
        (started("web-8", "web-9"), [up] * 3, False),
        (started("web-9"), [up] * 4 + [crashed], False),
        (started("web-9"), [up] * 4 + [draining], False),
        (started("web-9"), [up] * 4 + [of("r2")], True),
        (started("web-9", stops=("web-1",)), [up] * 5, False),
        (started("web-5"), [up] * 5, False),
        (started("web-5", "web-9"), [up] * 5, True),
        (started(stops=("web-1",)), [up] * 7, False),
        (swapped("web-1"), [up] * 5, False),
        (swapped("web-1"), [up] * 6, True),
        (swapped("web-5"), [up] * 4 + [crashed], False),
        (swapped("web-6"), [up] * 5 + [crashed], True),
        (Forget(replicas=("web-1",)), [up] * 9, False),
        (Shift(workload="web", shares={"r1": 1.0}), [up] * 9, False),
    ],
)
def test_nothing_is_started_that_there_is_no_room_for(
    action: Scale | Replace, web: list[Shape], *, refused: bool
) -> None:
    """Whoever lives counts but those who make way; who is listed was started before."""
    assert TOP == WANTED.services["web"].replicas.max + WANTED.services["web"].rollout.surge
    assert refused == (_room(action, KNOWN, survey(facts(web=web))) is not None)


def test_room_is_only_known_of_what_is_in_a_spec() -> None:
    """Neither of a workload that has left it, nor where none is in force."""
    seen = survey(facts(web=[up] * 9))
    assert _room(started("web-9"), replace(KNOWN, system=system(db=1)), seen) is None
    assert _room(started("web-9"), replace(KNOWN, system=None), seen) is None


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ({"r1": 1.0}, {"r2": 1.0}, True),
        ({"r1": 1.0}, {"r1": 0.5, "r2": 0.5}, False),
        ({"r1": 1.0}, {"r3": 1.0}, False),
        ({"r2": 1.0}, {"r1": 1.0}, False),
        ({"r1": 1.0, "r2": 0.0}, {"r2": 1.0}, True),
        ({"r1": 0.5, "r2": 0.5}, {"r1": 1.0, "r2": 0.0}, False),
        ({"r2": 1.0}, {"r4": 1.0}, True),
        ({"r4": 1.0}, {"r2": 1.0}, False),
        ({"r4": 1.0}, {"r5": 1.0}, False),
    ],
)
def test_traffic_goes_to_as_many_as_served_it_or_as_are_wanted_at_least(
    before: dict[str, float], after: dict[str, float], *, refused: bool
) -> None:
    """Three of r1, one of r2 and two of r3 serve, none of others; two are the fewest that the spec allows."""
    web = [up, up, up, hung, of("r2"), of("r3"), of("r3"), of("r4", hung)]
    seen = survey(replace(facts(web=web), shares={"web": before}))
    action = Shift(workload="web", shares=after)
    assert refused == (_carried(action, KNOWN, seen) is not None)


def test_traffic_of_what_is_in_no_spec_goes_where_it_is_sent() -> None:
    """And what is no shift sends none."""
    seen = survey(facts(web=[up, up]))
    away = Shift(workload="web", shares={"r2": 1.0})
    assert _carried(away, KNOWN, seen) is not None
    assert _carried(away, replace(KNOWN, system=system(db=1)), seen) is None
    assert _carried(away, replace(KNOWN, system=None), seen) is None
    assert _carried(started("web-9"), KNOWN, seen) is None


def test_contracts_wait_as_long_as_what_they_do_takes() -> None:
    """A start, a drain, and half a minute for the way there and back; a shift is there sooner."""
    swap = substitute(facts(web=[up]).replicas[0], 0.5, WHY, TIMING, ())
    assert 20.0 + 30.0 == grow("web", "r1", (1, 1, 2), WHY, TIMING).contract.deadline_s
    assert 20.0 + 5.0 + 30.0 == swap.contract.deadline_s
    assert 15.0 == shift(survey(facts(web=[up])), "web", {"r1": 1.0}, WHY).contract.deadline_s


def test_pace_is_a_pass_a_second_and_five_while_something_is_on_its_way() -> None:
    """As the documentation says; all that is waited for ends."""
    plain = Pace()
    assert (1.0, 0.2, 0.1) == (plain.interval_s, plain.busy_interval_s, plain.floor_s)
    waits = (plain.fresh_s, plain.observe_deadline_s, plain.apply_deadline_s, plain.record_deadline_s)
    assert (1.0, 5.0, 10.0, 20.0) == waits


def test_terms_without_a_lease_are_held() -> None:
    """The simulator's loop owns its world, and writes in place."""
    plain = Terms(system="demo", step=step, revalidate=revalidate)
    assert (True, 0, None, Pace()) == (plain.held(), plain.token, plain.threads, plain.pace)

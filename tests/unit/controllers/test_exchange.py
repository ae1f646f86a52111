"""Exchange: the arithmetic of traffic that moves from one release to another, each rule at its bounds."""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.numbers import (
    Exchange,
    Side,
    _by_ready,
    _counts,
    _left_to_strays,
    _made_room,
    _share,
    attainable,
    lost,
)
from lamplighter.controllers.rollout import failure, progress, promoted
from lamplighter.model.history import Closed, History, RolloutState, WorkloadHistory
from lamplighter.model.system import Health, RolloutPolicy
from lamplighter.testing.builders import NOW, Shape, facts, hung, of, service, starting, survey, up


def side(wanted: int, there: int, ready: int, may_serve: int | None = None, release: str = "r1") -> Side:
    """Return a release: how many are settled, live, are ready, and perhaps are."""
    return Side(release, wanted, there, ready, ready if may_serve is None else may_serve)


FULL, NONE = side(4, 4, 4), side(0, 0, 0)
STEP, LAST = Exchange("r2", "r1", 0.25, keep=True), Exchange("r2", "r1", 1.0, keep=True)
AWAY = Exchange("r2", "r1")


@pytest.mark.parametrize(
    ("move", "taker", "giver", "room", "share", "counts"),
    [
        (STEP, NONE, FULL, 5, 0.0, (1, 4)),
        (STEP, NONE, FULL, 4, 0.0, (0, 4)),
        (LAST, side(1, 1, 1), FULL, 5, 0.25, (1, 3)),
        (LAST, side(1, 1, 1), side(3, 3, 3), 5, 0.25, (2, 3)),
        (LAST, side(1, 1, 1), side(3, 4, 4), 5, 0.25, (1, 3)),
        (LAST, side(2, 2, 1), side(2, 2, 2), 5, 0.5, (3, 2)),
        (LAST, side(2, 2, 1), FULL, 5, 0.5, (2, 3)),
        (LAST, side(2, 2, 0), FULL, 5, 0.5, (2, 4)),
        (LAST, side(1, 1, 1), side(1, 3, 3), 9, 0.5, (4, 2)),
        (AWAY, NONE, FULL, 5, 0.5, (2, 3)),
        (AWAY, side(2, 2, 2), FULL, 6, 0.0, (2, 4)),
        (AWAY, side(4, 4, 4), FULL, 8, 0.0, (4, 4)),
        (AWAY, side(4, 4, 4), FULL, 8, 1.0, (4, 0)),
        (LAST, side(4, 4, 4), FULL, 8, 1.0, (4, 4)),
        (LAST, side(4, 4, 4), FULL, 5, 1.0, (4, 1)),
        (STEP, side(1, 1, 1), side(2, 2, 2), 5, 0.25, (1, 4)),
        (STEP, side(1, 3, 3), side(2, 2, 2), 5, 0.25, (1, 2)),
        (STEP, side(1, 1, 1), side(2, 2, 2), 9, 0.25, (1, 4)),
    ],
)
def test_taker_grows_into_room_and_giver_makes_it(
    move: Exchange, taker: Side, giver: Side, room: int, share: float, counts: tuple[int, int]
) -> None:
    """Of four that carry the traffic: never fewer of either than its part of it now needs."""
    assert counts == _counts(move, (taker, giver), 4, room, share)


@pytest.mark.parametrize(
    ("move", "taker", "giver", "going_up", "share", "after"),
    [
        (LAST, side(4, 4, 4), FULL, 4, 0.5, 1.0),
        (LAST, side(4, 4, 3), FULL, 4, 0.5, 0.5),
        (LAST, side(2, 2, 2), FULL, 2, 0.25, 0.5),
        (LAST, side(3, 3, 2), FULL, 3, 0.25, 0.25),
        (LAST, side(2, 2, 2), FULL, 2, 0.75, 0.75),
        (LAST, side(4, 4, 1), NONE, 4, 0.25, 1.0),
        (LAST, side(4, 4, 0), NONE, 4, 0.25, 0.25),
        (LAST, side(4, 4, 1), side(0, 1, 0, 0), 4, 0.25, 0.25),
        (STEP, side(1, 1, 1), FULL, 1, 0.0, 0.25),
        (STEP, side(1, 1, 0), FULL, 1, 0.0, 0.0),
        (AWAY, side(4, 4, 1), side(4, 4, 1), 4, 0.0, 0.25),
        (AWAY, side(4, 4, 1), side(4, 4, 0, 1), 4, 0.0, 0.25),
        (AWAY, side(4, 4, 1), side(4, 4, 0, 0), 4, 0.0, 1.0),
        (AWAY, side(4, 4, 0), side(4, 4, 0, 0), 4, 0.0, 0.0),
        (AWAY, side(4, 4, 1), FULL, 4, 0.5, 0.5),
    ],
)
def test_share_follows_who_is_ready(
    move: Exchange, taker: Side, giver: Side, going_up: int, share: float, after: float
) -> None:
    """All that is meant once enough are ready or nobody else can serve; else what those carry, never less."""
    assert after == _share(move, (taker, giver), going_up, 4, share)


@pytest.mark.parametrize(
    ("taker", "stable", "room", "counts"),
    [
        (side(2, 2, 2, release="r2"), side(3, 3, 3), 5, (2, 2)),
        (side(2, 2, 0, release="r2"), side(3, 3, 3), 5, (2, 3)),
        (side(4, 4, 4, release="r2"), side(3, 1, 1), 6, (4, 2)),
        (side(1, 1, 1, release="r2"), side(1, 1, 1), 5, (4, 1)),
        (side(1, 1, 5, release="r2"), side(2, 2, 2), 4, (2, 0)),
        (side(3, 3, 3, release="r2"), side(4, 4, 4), 4, (3, 0)),
        (side(3, 3, 2, release="r2"), side(4, 4, 4), 4, (3, 1)),
    ],
)
def test_stable_without_traffic_keeps_what_makes_up_for_others(
    taker: Side, stable: Side, room: int, counts: tuple[int, int]
) -> None:
    """And what there is room for beyond the four that are needed."""
    assert {"r2": counts[0], "r1": counts[1]} == _made_room(taker, stable, 4, room)


@pytest.mark.parametrize(
    ("capacity", "bounds", "surge", "others", "found"),
    [
        (3, (2, 6), 1, 0, (7, 3)),
        (1, (2, 6), 1, 0, (7, 2)),
        (6, (2, 6), 1, 0, (7, 6)),
        (6, (2, 6), 0, 0, (6, 5)),
        (6, (2, 6), 1, 3, (4, 3)),
        (6, (2, 6), 0, 5, (1, 2)),
        (0, (0, 6), 1, 0, (7, 1)),
        (2, (2, 2), 0, 0, (2, 2)),
    ],
)
def test_room_is_what_other_releases_leave(
    capacity: int, bounds: tuple[int, int], surge: int, others: int, found: tuple[int, int]
) -> None:
    """And one less carries the traffic, but never fewer than `min`, nor than one."""
    web = service("web", bounds, rollout=RolloutPolicy(surge=surge))
    seen = survey(facts(web=[up, of("r2"), *[of("r0")] * others]))
    assert found == attainable(web, seen, {"r1", "r2"}, capacity)


@pytest.mark.parametrize(
    ("memory", "lives", "gone"),
    [
        ({}, 0, True),
        ({"wanted": {"r1": 1}}, 0, False),
        ({"wanted": {"r1": 1}, "missing_since": {"r1": NOW - 10}}, 0, True),
        ({"wanted": {"r1": 1}, "missing_since": {"r1": NOW - 9.9}}, 0, False),
        ({"missing_since": {"r1": NOW - 90}}, 1, False),
        ({"not_ready_since": {"web-1": NOW - 10}}, 1, True),
        ({"not_ready_since": {"web-1": NOW - 9.9}}, 1, False),
        ({"not_ready_since": {"web-1": NOW - 20, "web-2": NOW - 10}}, 2, True),
        ({"not_ready_since": {"web-1": NOW - 20, "web-2": NOW - 9}}, 2, False),
        ({"not_ready_since": {"web-1": NOW - 20}}, 2, False),
    ],
)
def test_release_is_lost_once_nothing_of_it_has_served_for_a_while(
    memory: dict[str, object], lives: int, *, gone: bool
) -> None:
    """Ten seconds for each that lives, or since it was missed; that which nobody wants is lost at once."""
    seen = survey(facts(web=[hung] * lives))
    assert gone == lost(replace(WorkloadHistory(stable="r1"), **memory), seen, "web", "r1")


@pytest.mark.parametrize(
    ("stable", "candidate", "shares"),
    [
        (3, 1, {"r2": 0.25, "r1": 0.75}),
        (0, 1, {"r2": 1.0, "r1": 0.0}),
        (3, 0, {"r1": 1.0}),
        (2, 1, {"r2": 0.3333, "r1": 0.6667}),
    ],
)
def test_forgotten_shares_are_those_of_who_is_ready(
    stable: int, candidate: int, shares: dict[str, float]
) -> None:
    """To the fourth digit."""
    assert shares == _by_ready(side(9, 9, stable), side(9, 9, candidate, release="r2"))


def test_forgotten_shares_of_one_release_are_all() -> None:
    """The candidate that takes it is the release itself."""
    assert {"r1": 1.0} == _by_ready(FULL, FULL)


@pytest.mark.parametrize(
    ("web", "ours", "shares"),
    [
        ([up, of("r2")], {"r1", "r2"}, {}),
        ([up, of("r0")], {"r1", ""}, {"r0": 0.5, "r1": 0.5}),
        ([up, up, of("r0")], {"r1", ""}, {"r0": 0.3333, "r1": 0.6667}),
        ([hung, of("r0")], {"r1", ""}, {"r0": 1.0}),
        ([up, of("r0", hung)], {"r1", ""}, {}),
        ([up, of("r0")], {""}, {}),
    ],
)
def test_gateway_without_shares_gives_every_release_its_part(
    web: list[Shape], ours: set[str], shares: dict[str, float]
) -> None:
    """That counts where some of it goes to one that is neither stable nor the candidate."""
    assert shares == _left_to_strays(survey(facts(web=web)), "web", ours)


WEB = service("web", 2, health=Health(start_timeout_s=20.0, unhealthy_after_s=3.0))
STATE = RolloutState(candidate="r2", stable="r1", started_at=10.0)
MEMORY = WorkloadHistory(stable="r1", rollout=STATE, capacity=2, wanted={"r1": 2, "r2": 1})


def closed(at: float = 11.0, result: str = "refused", subject: str = "web/r2") -> Closed:
    """Return how an action on a candidate ended."""
    return Closed(action="a", at=at, result=result, subject=subject, kind="scale")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ends", "fails"),
    [
        ([closed()] * 3, True),
        ([closed(), closed(result="failed"), closed(result="undone")], True),
        ([closed()] * 2, False),
        ([closed(), closed(), closed(at=10.0)], True),
        ([closed(), closed(), closed(at=9.9)], False),
        ([closed(), closed(), closed(subject="web/r1")], False),
        ([closed(), closed(), closed(result="lapsed")], False),
        ([closed(), closed(), closed(result="overtaken")], False),
    ],
)
def test_candidate_that_cannot_be_started_has_failed(ends: list[Closed], *, fails: bool) -> None:
    """Five times since the rollout began, whichever way it went wrong."""
    seen = survey(facts(web=[up, up]))
    assert fails == bool(failure(MEMORY, STATE, WEB, seen, History(closed=(*[closed()] * 2, *ends))))


@pytest.mark.parametrize(
    ("state", "noted", "age_s", "fails"),
    [
        ({}, {"not_ready_since": {"web-1": NOW - 20}}, 20.0, True),
        ({}, {"not_ready_since": {"web-1": NOW - 20}}, 19.9, False),
        ({}, {"not_ready_since": {"web-1": NOW - 2.9}}, 20.0, False),
        ({}, {"not_ready_since": {"web-1": NOW - 20}, "first_ready": {"web-1": 45.0}}, 20.0, False),
        ({}, {}, 20.0, False),
    ],
)
def test_candidate_that_is_not_ready_in_time_has_failed(
    state: dict[str, object], noted: dict[str, object], age_s: float, *, fails: bool
) -> None:
    """Known for as long as its spec bears; one that was ready once is repair's."""
    seen = survey(facts(web=[of("r2", replace(starting, started_at=NOW - age_s))]))
    memory = replace(MEMORY, **noted)
    assert fails == bool(failure(memory, replace(STATE, **state), WEB, seen, History()))


@pytest.mark.parametrize(
    ("state", "earlier", "after"),
    [
        ({}, ("r0",), ("r1", "r0")),
        ({"at_once": True}, ("r0",), ("r0", "r1")),
        ({}, ("r2", "r1", "r0"), ("r1", "r0")),
        ({"stable": ""}, ("r0",), ("r0",)),
        ({"stable": "r2"}, ("r0",), ("r0",)),
    ],
)
def test_former_release_is_the_first_to_go_back_to(
    state: dict[str, object], earlier: tuple[str, ...], after: tuple[str, ...]
) -> None:
    """After a rollback the last; each stands there once."""
    made = promoted(replace(MEMORY, earlier=earlier), replace(STATE, **state), 50.0)
    assert (after, "r2") == (made.earlier, made.stable)
    assert made.rollout is not None
    assert ("promoted", 50.0) == (made.rollout.verdict, made.rollout.ended_at)


BAKING = RolloutPolicy(steps=(0.5, 1.0), bake_s=10.0, surge=1)


@pytest.mark.parametrize(
    ("since", "share", "after"),
    [
        (None, 0.5, (0, NOW)),
        (NOW - 9.9, 0.5, (0, NOW - 9.9)),
        (NOW - 10, 0.5, (1, None)),
        (NOW - 90, 0.49, (0, None)),
        (NOW - 9, 0.496, (0, NOW - 9)),
        (NOW - 9, 0.9, (0, NOW - 9)),
    ],
)
def test_step_bakes_while_its_share_is_in_force(
    since: float | None, share: float, after: tuple[int, float | None]
) -> None:
    """Up to a gateway's rounding; the next begins with no time of its own yet."""
    web = replace(WEB, rollout=BAKING)
    memory = replace(MEMORY, rollout=replace(STATE, step_since=since), wanted={"r1": 2, "r2": 2})
    seen = replace(facts(web=[up, up, of("r2"), of("r2")]), shares={"web": {"r1": 1 - share, "r2": share}})
    made = progress(memory, web, survey(seen), History()).rollout
    assert made is not None
    assert after == (made.step, made.step_since)

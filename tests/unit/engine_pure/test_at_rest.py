"""Who is at rest, condition by condition: until when, and within which bounds of its load."""

from math import inf

import pytest
from msgspec.structs import replace

from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.rest import Bounds, Resting, at_rest
from lamplighter.model.facts import PROCESSES, Facts, Phase, Source
from lamplighter.model.history import History, RolloutState, Sample
from lamplighter.model.system import Range, Scale, Service
from lamplighter.testing.builders import NOW, crashed, draining, facts, hung, of, service, settled, system, up

LIKE = Scale(on="in_flight", goal=10.0, window_s=60.0, panic_window_s=6.0)
WEB = replace(service("web", (2, 8)), scale=LIKE)


def held(since: float, in_flight: float) -> Sample:
    """Return a load that has been read often."""
    return Sample(at=since, in_flight=in_flight, readings=9)


STEADY = (held(-100.0, 36.0),)
WINDOW_S = WEB.repair.window_s


def history(plan: Service = WEB, /, **web: object) -> History:
    """Return the history of four that serve, with something else noted."""
    plain = settled(system(web=plan), web=4)
    memory = replace(plain.workloads["web"], **{"samples": STEADY, **web})
    return replace(plain, workloads={"web": memory}, heard=(NOW - 1, NOW))


def resting(known: History, seen: Facts | None = None, name: str = "web") -> Resting | None:
    """Return until when and in which bounds it rests, if it does."""
    survey = Survey(trusted(seen or facts(web=[up] * 4), NOW), NOW, known.pending)
    survey.catch_up(known.workloads)
    return at_rest(name, known, survey)


def test_what_stands_as_settled_rests_within_the_bounds_of_its_load() -> None:
    """From what fewer could do (nine tenths of three) to what these can (a tenth more than four)."""
    found = resting(history())
    assert found is not None
    assert found.bounds is not None
    assert inf == found.until
    assert (2.7000009, 4.4) == (round(found.bounds.lowest, 7), round(found.bounds.highest, 7))
    assert found.bounds.lowest > (3 + 1e-6) * 0.9
    assert found.bounds.highest < 4 * 1.1


@pytest.mark.parametrize(
    ("replicas", "scale", "bounds"),
    [
        (Range(min=4, max=8), LIKE, Bounds(-inf, 4.4 * (1 - 1e-9))),
        (Range(min=4, max=4), LIKE, None),
        (Range(min=4, max=8), None, None),
    ],
)
def test_fewest_and_fixed_numbers_have_no_lower_bound(
    replicas: Range, scale: Scale | None, bounds: Bounds | None
) -> None:
    """At `min` no load is too small; where the number is fixed none is looked at."""
    found = resting(history(replace(WEB, replicas=replicas, scale=scale)))
    assert found is not None
    assert bounds == found.bounds


@pytest.mark.parametrize(
    ("repairs", "restores", "since"),
    [((20.0, 30.0), (), 20.0), ((), (25.0, 26.0), 25.0), ((30.0,), (25.0,), 25.0), ((22.0,), (25.0,), 22.0)],
)
def test_rest_ends_when_the_oldest_repair_is_forgotten(
    repairs: tuple[float, ...], restores: tuple[float, ...], since: float
) -> None:
    """A little earlier, so that no rounding makes it late."""
    found = resting(history(repairs=repairs, restores=restores))
    assert found is not None
    assert 0 < since + WINDOW_S - found.until < 0.01


MANY = tuple(30.0 + each / 100 for each in range(21))


@pytest.mark.parametrize(("count", "rests"), [(20, True), (21, False)])
def test_frequent_repairs_are_no_rest(count: int, *, rests: bool) -> None:
    """Five attempts for each of four: beyond that a finding says so in each pass."""
    assert 5 == WEB.repair.attempts
    assert rests == (resting(history(repairs=MANY[:count])) is not None)


@pytest.mark.parametrize(
    "noted",
    [
        {"rollout": RolloutState(candidate="r2", stable="r1")},
        {"wanted": {"r1": 5}},
        {"wanted": {"r1": 4, "r2": 0}},
        {"stable": "r0"},
        {"capacity": 3, "wanted": {"r1": 3}},
        {"over_memory_since": {"web-1": 3.0}},
        {"replaced": {"web-9": "web-1"}},
        {"unlisted_since": {"web-9": 3.0}},
        {"answered_at": NOW + 1},
    ],
)
def test_what_is_noted_against_it_is_no_rest(noted: dict[str, object]) -> None:
    """A rollout, another number, a replica that is too large, replaced or not listed, late facts."""
    assert resting(history(**noted)) is None


@pytest.mark.parametrize("low_high", [(5, 8), (2, 3), (0, 8)])
def test_number_outside_of_the_spec_is_no_rest(low_high: tuple[int, int]) -> None:
    """And one that may go to zero has a time that runs while nothing changes."""
    low, high = low_high
    assert resting(history(replace(WEB, replicas=Range(min=low, max=high)))) is None


def test_workload_that_has_left_the_spec_is_no_rest() -> None:
    """What is left of it is on its way out."""
    known = history()
    assert (
        resting(replace(known, workloads={**known.workloads, "old": known.workloads["web"]}), name="old")
        is None
    )


ONE_OF = [up] * 3


@pytest.mark.parametrize(
    "web",
    [
        ONE_OF,
        [up] * 5,
        [*ONE_OF, hung],
        [*ONE_OF, replace(up, ready=None)],
        [*ONE_OF, replace(up, phase=Phase.UNKNOWN)],
        [*ONE_OF, crashed],
        [up] * 4 + [crashed],
        [up] * 4 + [draining],
        [up] * 4 + [of("r2", crashed)],
        [up] * 4 + [of("r2")],
        [],
    ],
)
def test_whoever_is_not_as_settled_is_no_rest(web: list[object]) -> None:
    """One missing, one too many, one that does not serve or is not known to, one that has ended."""
    assert resting(history(), facts(web=web)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "shares", [{}, {"r2": 1.0}, {"r1": 0.5, "r2": 0.5}, {"r1": 1.0, "r2": 0.0}, {"r1": 0.0}]
)
def test_traffic_that_is_not_all_its_own_is_no_rest(shares: dict[str, float]) -> None:
    """Also where nothing is set."""
    assert resting(history(), replace(facts(web=[up] * 4), shares={"web": shares} if shares else {})) is None


def test_one_that_only_starts_but_is_ready_rests() -> None:
    """Its phase is known, whichever it is."""
    assert resting(history(), facts(web=[*ONE_OF, replace(up, phase=Phase.STARTING)])) is not None


@pytest.mark.parametrize(
    ("samples", "rests"),
    [
        (STEADY, True),
        ((held(-100.0, 44.0),), False),
        ((held(-100.0, 27.0),), False),
        ((held(-100.0, 28.0),), True),
        ((held(-100.0, 43.0),), True),
        (
            (held(-100.0, 90.0), held(NOW - 50, 36.0)),
            False,
        ),
        (
            (held(-100.0, 90.0), held(NOW - 70, 36.0)),
            True,
        ),
        (
            (
                held(-100.0, 90.0),
                held(NOW - 69.9, 36.0),
            ),
            False,
        ),
        ((Sample(at=-100.0, readings=0), held(NOW - 6, 36.0)), True),
        ((Sample(at=-100.0, readings=0), held(NOW - 5.9, 36.0)), False),
        ((held(-100.0, 36.0), Sample(at=NOW - 5, readings=0)), False),
        ((Sample(at=NOW - 3, in_flight=36.0),), False),
        ((), False),
    ],
)
def test_load_asks_for_this_number_in_all_that_the_windows_see(
    samples: tuple[Sample, ...], *, rests: bool
) -> None:
    """The calm window and one part more; what is not known is long past, and there are readings enough."""
    read_once = len(samples) == 1 and samples[0].readings == 1
    known = history(samples=samples)
    known = replace(known, heard=(NOW - 4, NOW)) if read_once else known
    assert rests == (resting(known) is not None)


def test_facts_that_are_late_are_no_rest_only_where_they_are_behind() -> None:
    """Read before the last answer on it."""
    late = facts(web=[up] * 4)
    late = replace(late, sources={**late.sources, PROCESSES: Source(observed_at=NOW - 2)})
    assert resting(history(answered_at=NOW - 3), late) is not None
    assert resting(history(answered_at=NOW - 1), late) is None

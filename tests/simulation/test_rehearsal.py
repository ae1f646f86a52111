"""Rehearsals: a person's own system, by chance or as it was recorded, and how its users fare."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.recordings.make import CALM

from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.model.errors import UserError
from lamplighter.model.intents import Down, Up
from lamplighter.model.system import Freeze, Health, Resources, System
from lamplighter.targets.simulated import App, Demand, Trouble
from lamplighter.targets.simulated.bodies import MEMORY_BYTES
from lamplighter.testing.builders import service, system
from lamplighter.testing.past import past
from lamplighter.testing.rehearsal import Fare, Hardship, Past, drawn, rehearse, story_of
from lamplighter.testing.runs import Asked, Runs, lived_through
from lamplighter.testing.story import Order

DAY_MIN = 24 * 60
KEPT = Path(__file__).parents[1] / "recordings" / "previous" / "recording.sqlite"
WANTED = system(search=(2, 4))


def recorded(hours: float = 0.0, policy: object = lambda each: each) -> Past:
    """Return what the kept recording of a kill test tells."""
    opened = SqliteRecordings(KEPT, read_only=True)
    try:
        return past(opened.passes(), policy, hours=hours)  # type: ignore[arg-type]
    finally:
        opened.close()


def lived(*troubles: Trouble, wanted: System = WANTED, rate: float = 40.0, length_s: float = 120.0) -> Past:
    """Return a time in which this befell a system under a steady load."""
    up = Up(id="up-1", system=wanted, releases={"search": "r-1"}, by="a person")
    app = App(demand=Demand(points=((0.0, rate),)))
    return Past(
        system=wanted,
        length_s=length_s,
        apps={"search": app},
        orders=(Order(at=0.0, intent=up),),
        troubles=troubles,
    )


def fare_of(told: Past) -> Fare:
    """Live through it, soundly, and return how the users of search fared."""
    found = rehearse(story_of(told), 1)
    assert found.report.sound, found.report.text()
    return found.fares["search"]


def test_a_recording_tells_what_was_ordered_and_who_died() -> None:
    """Orders and deaths of the kill test are taken over; what its decisions stopped is not."""
    told = recorded()
    ordered = [type(each.intent).__name__ for each in told.orders]
    assert ("Up", "Down", True) == (ordered[0], ordered[-1], "Rollback" in ordered)
    assert {"crash"} == {each.kind for each in told.troubles}


def test_a_recording_tells_what_an_app_is_like() -> None:
    """Its time to start and its load are those that were seen."""
    app = recorded().apps["search"]
    assert (True, True) == (0.1 < app.start_s < 30, max(rate for _, rate in app.demand.points) > 2 * CALM)


def test_a_recorded_time_is_lived_through_soundly() -> None:
    """The loop closes: what was recorded happens again, and the engine decides anew."""
    told = recorded()
    found = rehearse(story_of(told), 1)
    assert found.report.sound, found.report.text()
    assert (len(told.troubles), True) == (found.report.faults["crash"], found.actions["start"] > 0)


def test_another_policy_is_wanted_instead() -> None:
    """Each `up` of the recording wants what the policy makes of it."""
    told = recorded(policy=lambda each: replace(each, guards=replace(each.guards, actions=7)))
    ups = [each.intent for each in told.orders if isinstance(each.intent, Up)]
    assert {7} == {each.system.guards.actions for each in ups}


def test_the_last_part_begins_with_what_was_wanted() -> None:
    """A part of a recording starts with everything up as it was ordered before."""
    whole, part = recorded(), recorded(hours=0.01)
    assert (36.0, 0.0) == (part.length_s, part.orders[0].at)
    assert (Up, Down) == (type(part.orders[0].intent), type(part.orders[-1].intent))
    assert len(part.troubles) < len(whole.troubles)


def test_a_recording_without_a_wish_is_refused() -> None:
    """With nothing ever wanted there is nothing to live through."""
    with pytest.raises(UserError) as refused:
        past(())
    assert "nothing-recorded" == refused.value.code


def test_in_good_times_everything_is_answered() -> None:
    """With no trouble no request is lost, and the number stays where it was."""
    fare = fare_of(lived())
    assert (1.0, 0.0, 2) == (fare.answered, fare.longest_s, fare.most)


def test_when_all_dies_requests_are_lost_and_told() -> None:
    """A machine that is away for 20 s costs about so many seconds of requests."""
    fare = fare_of(lived(Trouble(kind="reboot", at=60.0, for_s=20.0)))
    assert (True, True) == (15 < fare.longest_s < 40, 15 * 40 < fare.lost < 40 * 40)


def test_overload_is_lost_once_the_queue_is_full() -> None:
    """More than all replicas can do piles up, then is lost, and never more than was asked."""
    small = system(search=1)
    fare = fare_of(lived(wanted=small, rate=400.0, length_s=300.0))
    assert 0.3 < fare.answered < 0.7


def test_policies_are_compared_under_the_same_load_and_troubles() -> None:
    """What is drawn goes by the system as it is; only what is wanted differs."""
    less = replace(WANTED, guards=replace(WANTED.guards, actions=7))
    one, other = (drawn(WANTED, over, 3, Hardship()) for over in (lambda each: each, lambda _: less))
    assert (one.apps, one.troubles) == (other.apps, other.troubles)
    assert one.orders != other.orders


def test_hardship_is_as_asked() -> None:
    """So many troubles an hour, of these kinds only."""
    story = drawn(WANTED, lambda each: each, 3, Hardship(hours=2.0, troubles=5.0, kinds=("crash", "hang")))
    assert (10, True) == (len(story.troubles), {each.kind for each in story.troubles} <= {"crash", "hang"})


def test_a_run_is_lived_through_when_nothing_is_frozen() -> None:
    """Where weekends and mornings are frozen it begins at an hour after which there is time enough."""
    frozen = replace(WANTED, freeze=(Freeze(start_min=5 * DAY_MIN, end_min=DAY_MIN + 8 * 60),))
    story = story_of(lived(wanted=frozen))
    assert (DAY_MIN + 8 * 60) * 60.0 == story.wall_at_s
    assert rehearse(story, 1).report.sound


def test_an_app_fits_into_what_its_service_allows() -> None:
    """A small limit of memory or a short start is the simulated app's too, and no limit stays none."""
    small = service(
        "search", 2, resources=Resources(memory_bytes=1 << 20), health=Health(start_timeout_s=1.0)
    )
    story = story_of(lived(wanted=system(search=small, front=1)))
    wanted = story.orders[0].intent.system.services  # type: ignore[union-attr]
    assert (True, 0) == (
        wanted["search"].resources.memory_bytes > MEMORY_BYTES,
        wanted["front"].resources.memory_bytes,
    )
    assert story.apps["search"].start_s < 1.0


def test_runs_add_up() -> None:
    """Two runs in two processes come to what each comes to alone."""
    story = story_of(lived(Trouble(kind="crash", at=60.0, subject="search")))
    whole = Runs()
    for each in lived_through([Asked(story, seed, 10) for seed in (1, 2)], jobs=2):
        whole.take(each)
    alone = [rehearse(story, seed).fares["search"] for seed in (1, 2)]
    assert (2, 2, 2) == (whole.runs, whole.sound, whole.faults["crash"])
    assert sum(each.asked for each in alone) == whole.fares["search"].asked

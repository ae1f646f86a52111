"""Twists: a third of the drawn stories are denser, and all others are what they were."""

from collections import Counter

from lamplighter.model.intents import Up
from lamplighter.targets.simulated import Chance
from lamplighter.testing import plot
from lamplighter.testing.story import HOUR_S, Story, story
from lamplighter.testing.twists import Draft, twisted

SEEDS = range(1, 61)


def plain(seed: int) -> Draft:
    """Return what a story is drawn from before it is twisted, or is not."""
    chance = Chance(seed)
    system = plot.system(chance, plot.beat(chance), HOUR_S)
    given, _ = plot.orders(chance, system, HOUR_S)
    apps = {name: plot.app(chance, service, HOUR_S) for name, service in system.services.items()}
    return Draft(system, given, apps, plot.troubles(chance, system, (0.0,), HOUR_S), 0.0, 4.0)


def dense(seed: int) -> bool:
    """Return whether the story of a seed is a denser one."""
    draft = plain(seed)
    return twisted(draft, Chance(seed), HOUR_S) != draft


def test_about_a_third_is_denser() -> None:
    """Enough of both: what is rare comes close together in some, the others stay as calm as they were."""
    assert 10 <= sum(dense(each) for each in SEEDS) <= 30


def test_other_stories_are_what_they_were() -> None:
    """A story that is not twisted has the orders that were drawn, and no other troubles."""
    seed = next(each for each in SEEDS if not dense(each))
    told, draft = story(seed), plain(seed)
    assert [(each.at, each.intent) for each in told.orders] == draft.orders


def test_much_befalls_one_workload() -> None:
    """In a denser story one workload has far more troubles than any other one."""
    seed = next(each for each in SEEDS if dense(each))
    subjects = Counter(each.subject for each in story(seed).troubles)
    services = {name: subjects[name] for name in story(seed).apps}
    assert max(services.values()) >= 2 * sorted(services.values())[-2]


def test_all_that_is_rare_is_drawn() -> None:
    """Workloads that go to zero, ones that follow their latency, freezes, midnights: some seed has each."""
    stories = [story(each) for each in SEEDS]
    wanted = [each.intent.system for it in stories for each in it.orders if isinstance(each.intent, Up)]
    services = [service for each in wanted for service in each.services.values()]
    found = (
        any(each.replicas.min == 0 for each in services),
        any(each.scale is not None and each.scale.on == "latency" for each in services),
        any(each.freeze for each in wanted),
        any(_midnight(each) for each in stories),
    )
    assert (True, True, True, True) == found


def _midnight(it: Story) -> bool:
    return it.wall_at_s % 86_400.0 + it.calm_at > 86_400.0 and it.wall_at_s not in (85_320.0, 603_360.0)

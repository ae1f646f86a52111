"""The situations that the loop is for, one by one, on the real engine and a simulated world."""

import pytest

from lamplighter.model.facts import HEALTH, TRAFFIC
from lamplighter.targets.simulated import Ailment, App
from lamplighter.testing.scenarios import (
    blackout,
    crash,
    down,
    eventually,
    full_disk,
    hang,
    kill_maintainer,
    leak,
    never,
    nothing_left,
    rollback,
    scenario,
    second_maintainer,
    silence,
)


def test_crash_during_a_rollout() -> None:
    """A replica that dies while a release rolls out is replaced, and the rollout goes on."""
    scenario("crash during a rollout").given(search=3, release="r2").at(20, crash("search/1")).at(
        21, silence(HEALTH, for_s=30)
    ).then(never(below=2), eventually(release="r2", replicas=3, within_s=150))


def test_silence_while_there_are_replicas_to_save() -> None:
    """Nothing is scaled down while traffic is silent; it is once it is heard again."""
    scenario("silence during a scale-down").given(search=(2, 8)).load("search", (-60, 300), (0, 30)).at(
        2, silence(TRAFFIC, for_s=60)
    ).then(never(below=2), eventually(replicas=2))


@pytest.mark.parametrize("steps", range(12))
def test_maintainer_killed_between_any_two_steps(steps: int) -> None:
    """Whichever step a maintainer dies at, its successor finishes the rollout, and nothing is done twice."""
    scenario("maintainer killed").given(search=2, release="r2").at(0, kill_maintainer(steps)).at(
        8, kill_maintainer(steps)
    ).then(never(below=2), eventually(release="r2", replicas=2))


def test_bad_release_is_rolled_back() -> None:
    """A release that crashes at its start never gets traffic, and the stable one stays."""
    scenario("a bad release").given(search=3, release="r2", ailing=Ailment(crash_at_start_p=1.0)).then(
        never(below=3), eventually(release="r1", replicas=3)
    )


def test_release_that_fails_while_it_bakes_is_rolled_back() -> None:
    """A release whose replicas die under traffic gives it back."""
    scenario("a bad bake").given(search=3, release="r2", ailing=Ailment(crash_after_s=1.0)).then(
        never(below=2), eventually(release="r1", replicas=3)
    )


def test_load_step_and_back() -> None:
    """Replicas follow a fivefold load, and go again when it does."""
    scenario("a step of load").given(search=(2, 10)).load("search", (-60, 80), (0, 400), (120, 80)).then(
        never(below=2), eventually(replicas=2)
    )


def test_rollback_under_load() -> None:
    """A person takes a finished rollout back under load; nothing in flight is dropped."""
    scenario("rollback under load").given(search=4, release="r2").load("search", (-60, 200)).running(
        "search", App(service_s=0.1, long_p=0.02, long_s=4.0)
    ).at(90, rollback("search")).then(never(below=4), eventually(release="r1", replicas=4))


def test_down_during_a_rollout() -> None:
    """An order to end everything overtakes a rollout; everything is drained, and nothing is left."""
    scenario("down during a rollout").given(search=3, model=2, release="r2").at(6, down()).then(
        nothing_left()
    )


def test_down_with_the_maintainer_killed_at_the_end() -> None:
    """A maintainer that dies while it takes everything down leaves nothing behind for good."""
    for steps in range(10):
        scenario("killed while going down").given(search=1).at(0, down()).at(
            0.8, kill_maintainer(steps)
        ).then(nothing_left())


def test_second_maintainer() -> None:
    """A maintainer that was taken for dead wakes up in the middle of a pass and does nothing more."""
    scenario("second maintainer").given(search=3, release="r2").at(0.1, second_maintainer()).at(
        25, second_maintainer()
    ).then(never(below=3), eventually(release="r2", replicas=3))


def test_blackout_stops_nothing() -> None:
    """While nothing is known, nothing is stopped or replaced; what died meanwhile is replaced after it."""
    scenario("a blackout").given(search=3).at(0, blackout(for_s=60)).at(10, crash("search/1")).then(
        never(below=2), eventually(replicas=3)
    )


def test_hung_and_leaking_replicas_are_replaced() -> None:
    """A replica that hangs and one that grows too big are replaced, one after the other."""
    scenario("hang and leak").given(search=3).at(0, hang("search/1")).at(1, leak("search/2")).then(
        never(below=2), eventually(replicas=3)
    )


def test_full_disk_holds_what_is_destructive() -> None:
    """On a full disk the dead are replaced, and nothing is scaled down until there is room."""
    scenario("a full disk").given(search=(2, 8)).load("search", (-60, 300), (0, 30)).at(
        1, full_disk(for_s=90)
    ).at(10, crash("search/1")).then(never(below=2), eventually(replicas=2))


def test_intent_that_was_accepted_is_kept() -> None:
    """What a person was promised on a full disk outlives the maintainer that promised it."""
    made = scenario("accepted on a full disk").given(search=2).at(0, full_disk(for_s=30, reserve_writes=0))
    made.releases(5, "r2").at(6, kill_maintainer()).then(eventually(release="r2", replicas=2))

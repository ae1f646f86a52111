"""Moves: where a workload goes next, from each place in which it may stand.

A line reads: the replicas that there are (`+` is ready, `-` is not, `?` is not known), their shares of the
traffic, the numbers that are settled, the rollout (candidate/stable/step, and its verdict) and what is other
than usual; then the numbers next, the shares next (none: as they are), and `no room` where there is none.
Usual are bounds of 4 to 8 with one of surge, a load for the least, and steps of a quarter, a half and all.
"""

import pytest
from msgspec.structs import replace

from lamplighter.controllers.numbers import Numbers, numbers
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.model.history import RolloutState, WorkloadHistory
from lamplighter.testing.builders import NOW, Shape, facts, hung, of, service, up

MARKS = {"+": up, "-": hung, "?": replace(up, ready=None)}


def lines(text: str) -> list[str]:
    """Return the lines of a table."""
    return [each.strip() for each in text.strip().splitlines()]


def named(text: str) -> dict[str, float]:
    """Return what stands as `name=number`."""
    return {name: float(number) for name, number in (each.split("=") for each in text.split())}


def counted(text: str) -> dict[str, int]:
    """Return what stands as `name=whole number`."""
    return {name: int(number) for name, number in named(text).items()}


def standing(there: str) -> list[Shape]:
    """Return replicas as a line has them."""
    parts = (each.split(":") for each in there.split())
    return [of(release, MARKS[mark]) for release, marks in parts for mark in marks]


def rolling(rollout: str) -> RolloutState | None:
    """Return a rollout as a line has it."""
    if not rollout:
        return None
    candidate, stable, step, *verdict = rollout.split("/")
    state = RolloutState(candidate=candidate, stable=stable, step=int(step))
    return replace(state, verdict=verdict[0]) if verdict else state


def next_of(line: str) -> tuple[Numbers, Numbers]:
    """Return what a line expects, and what comes next."""
    there, shares, settled, rollout, other, wanted, then, room = (each.strip() for each in line.split("|"))
    bounds = {"low": 4, "high": 8, "surge": 1, **counted(other.replace("lost", "lost=1"))}
    plain = service("web", (bounds["low"], bounds["high"]), scale=None)
    policy = replace(plain.rollout, steps=(0.25, 0.5, 1.0), surge=bounds["surge"])
    known = replace(facts(web=standing(there)), shares={"web": named(shares)} if shares else {})
    state, capacity = rolling(rollout), bounds.get("capacity", bounds["low"])
    gone = ["r1"] if "lost" in bounds else []
    memory = WorkloadHistory(
        stable=state.stable if state else "r1",
        capacity=capacity,
        wanted=counted(settled),
        rollout=state,
        not_ready_since={each.id: 1.0 for each in known.replicas if each.release in gone},
        missing_since=dict.fromkeys(gone, 1.0),
    )
    found = numbers(memory, replace(plain, rollout=policy), Survey(trusted(known, NOW), NOW), capacity)
    return Numbers(counted(wanted), named(then) or None, room == "no room"), found


AT_REST_OR_AT_THE_BEGINNING = """
    r1:++++       | r1=1 | r1=4      |       |            | r1=4      |      |
    r1:++++       | r1=1 | r1=4      |       | capacity=6 | r1=6      |      |
    r1:++++       |      | r1=4      |       |            | r1=4      | r1=1 |
    r1:----       |      | r1=4      |       |            | r1=4      |      |
                  |      |           | r1//0 |            | r1=4      |      |
    r1:+---       |      | r1=4      | r1//0 |            | r1=4      | r1=1 |
    r1:++++ r2:++ | r1=1 | r1=4 r2=2 |       |            | r1=4 r2=0 |      |
"""


@pytest.mark.parametrize("line", lines(AT_REST_OR_AT_THE_BEGINNING))
def test_move_at_rest_or_at_the_beginning(line: str) -> None:
    """One release: as many as the load needs, all of the traffic once one of it is ready; others go."""
    expected, actual = next_of(line)
    assert expected == actual


WITH_ROOM = """
    r1:++++         | r1=1            | r1=4      | r2/r1/0          |  | r1=4 r2=1 |                 |
    r1:++++ r2:-    | r1=1            | r1=4 r2=1 | r2/r1/0          |  | r1=4 r2=1 |                 |
    r1:++++ r2:+    | r1=1            | r1=4 r2=1 | r2/r1/0          |  | r1=4 r2=1 | r1=0.75 r2=0.25 |
    r1:++++ r2:+    | r1=0.75 r2=0.25 | r1=4 r2=1 | r2/r1/0          |  | r1=4 r2=1 |                 |
    r1:++++ r2:+    | r1=0.75 r2=0.25 | r1=4 r2=1 | r2/r1/1          |  | r1=4 r2=2 |                 |
    r1:++++ r2:++   | r1=0.75 r2=0.25 | r1=4 r2=2 | r2/r1/1          |  | r1=4 r2=2 | r1=0.5 r2=0.5   |
    r1:++++ r2:++   | r1=0.5 r2=0.5   | r1=4 r2=2 | r2/r1/2          |  | r1=4 r2=4 |                 |
    r1:++++ r2:++++ | r1=0.5 r2=0.5   | r1=4 r2=4 | r2/r1/2          |  | r1=4 r2=4 | r2=1            |
    r1:++++ r2:++++ | r2=1            | r1=4 r2=4 | r2/r1/2          |  | r1=4 r2=4 |                 |
    r1:++++ r2:++++ | r2=1            | r1=4 r2=4 | r2/r2/2/promoted |  | r1=0 r2=4 |                 |
"""


@pytest.mark.parametrize("line", lines(WITH_ROOM))
def test_move_with_room(line: str) -> None:
    """The candidate first gets its replicas, then its share; stable stays whole until it has all."""
    expected, actual = next_of(line)
    assert expected == actual


WITHOUT_ROOM = """
    r1:++++      | r1=1            | r1=4      | r2/r1/0 | high=4                          | r1=4 r2=1 |                 |
    r1:++++ r2:+ | r1=0.75 r2=0.25 | r1=4 r2=1 | r2/r1/1 | high=4                          | r1=3 r2=1 |                 |
    r1:+++ r2:+  | r1=0.75 r2=0.25 | r1=3 r2=1 | r2/r1/1 | high=4                          | r1=3 r2=2 |                 |
    r1:+++ r2:++ | r1=0.75 r2=0.25 | r1=3 r2=2 | r2/r1/1 | high=4                          | r1=3 r2=2 | r1=0.5 r2=0.5   |
    r1:+++ r2:++ | r1=0.5 r2=0.5   | r1=3 r2=2 | r2/r1/2 | high=4                          | r1=2 r2=2 |                 |
    r1:++ r2:+++ | r1=0.5 r2=0.5   | r1=2 r2=3 | r2/r1/2 | high=4                          | r1=2 r2=3 | r1=0.25 r2=0.75 |
    r1:++++      | r1=1            | r1=4      | r2/r1/0 | high=4 surge=0                  | r1=4 r2=0 |                 | no room
    r1:++++      | r1=1            | r1=4      | r2/r1/0 | low=2 high=4 surge=0 capacity=4 | r1=3 r2=0 |                 |
    r1:+++ r2:+  | r1=1            | r1=3 r2=1 | r2/r1/0 | low=2 high=4 surge=0 capacity=4 | r1=3 r2=1 | r1=0.75 r2=0.25 |
"""  # noqa: E501 - a table


@pytest.mark.parametrize("line", lines(WITHOUT_ROOM))
def test_move_without_room(line: str) -> None:
    """Stable makes way one by one, never below what its own traffic needs; without any room it is said."""
    expected, actual = next_of(line)
    assert expected == actual


THAT_IS_SHORT = """
    r1:++++ r2:+- | r1=0.5 r2=0.5 | r1=4 r2=2 | r2/r1/2 |  | r1=4 r2=4 |  |
    r1:++++ r2:-- | r1=0.5 r2=0.5 | r1=4 r2=2 | r2/r1/2 |  | r1=4 r2=4 |  |
"""


@pytest.mark.parametrize("line", lines(THAT_IS_SHORT))
def test_move_that_is_short(line: str) -> None:
    """A share is never raised on replicas that are not ready, nor is stable made smaller."""
    expected, actual = next_of(line)
    assert expected == actual


BACK = """
    r1:++++ r2:++ | r1=0.5 r2=0.5 | r1=4 r2=2 | r2/r1/1/rolled-back |        | r1=4 r2=2 | r1=1 |
    r1:++ r2:+++  | r1=0.5 r2=0.5 | r1=2 r2=3 | r2/r1/1/failed      | high=4 | r1=2 r2=2 |      |
"""


@pytest.mark.parametrize("line", lines(BACK))
def test_move_back(line: str) -> None:
    """What was given up or called back keeps what its traffic needs until stable has taken that over."""
    expected, actual = next_of(line)
    assert expected == actual


WHOSE_STABLE_RELEASE_IS_LOST = """
    r1:---- r2:++ | r1=0.5 r2=0.5 | r1=4 r2=2 | r2/r1/1/failed      | lost | r1=2 r2=4 | r2=1 |
    r1:---- r2:++ | r1=0.5 r2=0.5 | r1=4 r2=2 | r2/r1/1/rolled-back | lost | r1=4 r2=2 |      |
    r1:---- r2:++ | r1=0.5 r2=0.5 | r1=4 r2=2 | r2/r1/1             | lost | r1=4 r2=4 |      |
    r1:---- r2:++ | r1=0.5 r2=0.5 | r1=4 r2=2 | r2/r1/1             |      | r1=4 r2=2 |      |
    r1:???? r2:++ | r1=0.5 r2=0.5 | r1=4 r2=2 | r2/r1/1             |      | r1=4 r2=2 |      |
"""


@pytest.mark.parametrize("line", lines(WHOSE_STABLE_RELEASE_IS_LOST))
def test_move_whose_stable_release_is_lost(line: str) -> None:
    """Nothing of it has served for ten seconds, known so: the candidate takes all; unknown is not lost."""
    expected, actual = next_of(line)
    assert expected == actual


WITH_STRAYS = """
    r1:++++ r2:++ r3:+ | r1=0.5 r2=0.5 | r1=4 r2=2 r3=1 | r3/r1/0 |       | r1=4 r2=2 | r1=1            |
    r2:++++ r3:+       | r2=1          | r2=4 r3=1      | r3//0   |       | r2=4 r3=4 | r2=0.75 r3=0.25 |
    r2:++ r3:+         |               | r2=2 r3=1      | r3//0   | low=2 | r2=2 r3=2 | r2=0.5 r3=0.5   |
    r1:++ r2:++ r3:+   |               | r1=2 r2=2 r3=1 | r3/r1/0 | low=2 | r1=2 r2=1 | r1=0.8 r3=0.2   |
"""


@pytest.mark.parametrize("line", lines(WITH_STRAYS))
def test_move_with_strays(line: str) -> None:
    """Traffic of releases that are neither stable nor the candidate goes to the heir first."""
    expected, actual = next_of(line)
    assert expected == actual


FROM_ZERO = """
    r2:+ | r1=1 | r1=0 r2=1 | r2/r1/0 | low=1 capacity=1 | r1=0 r2=1 | r2=1 |
    r2:- | r1=1 | r1=0 r2=1 | r2/r1/0 | low=1 capacity=1 | r1=0 r2=1 |      |
"""


@pytest.mark.parametrize("line", lines(FROM_ZERO))
def test_move_from_zero(line: str) -> None:
    """Nobody waits, so stable is not started to be replaced."""
    expected, actual = next_of(line)
    assert expected == actual


IN_THE_ODD = """
    r2:++++         | r1=0.5 r2=0.5        | r1=0 r2=4 | r2/r1/2        |                        | r1=0 r2=4 | r2=1                |
    r1:+ r2:++++    | r1=0.5 r2=0.5        | r1=4 r2=4 | r2/r1/2        |                        | r1=4 r2=4 | r2=1                |
    r1:++++ r2:++++ | r1=0.7 r2=0.2 r3=0.1 | r1=4 r2=4 | r2/r1/1        |                        | r1=4 r3=1 | r1=0.8 r2=0.2       |
    r1:++++++ r2:++ | r1=0.75 r2=0.25      | r1=6 r2=2 | r2/r1/0        | capacity=6             | r1=6 r2=2 |                     |
    r1:+++++ r2:+++ | r1=0.6 r2=0.4        | r1=5 r2=3 | r2/r1/1        | capacity=6             | r1=6 r2=3 | r1=0.5 r2=0.5       |
    r1:+++++ r2:+++ | r1=0.6 r2=0.4        | r1=5 r2=3 | r2/r1/1        | capacity=6 high=7      | r1=5 r2=3 | r1=0.5 r2=0.5       |
    r1:+++++ r2:+++ | r1=0.6 r2=0.4        | r1=5 r2=3 | r2/r1/1/failed | capacity=6 high=7      | r1=5 r2=3 | r1=0.8333 r2=0.1667 |
    r1:+++++ r2:--- | r1=0.6 r2=0.4        | r1=5 r2=3 | r2/r1/1/failed | capacity=6 high=7      | r1=5 r2=3 | r1=1                |
    r2:++++++++     | r1=0.6 r2=0.4        | r1=0 r2=8 | r2/r1/1/failed | capacity=6 high=7      | r1=0 r2=6 | r2=1                |
    r2:++++++++     | r1=0.6 r2=0.4        | r1=2 r2=8 | r2/r1/1/failed | capacity=6 high=7 lost | r1=2 r2=6 | r2=1                |
"""  # noqa: E501 - a table


@pytest.mark.parametrize("line", lines(IN_THE_ODD))
def test_move_in_the_odd(line: str) -> None:
    """A giver that is gone, three releases at once, sides that are larger or smaller than settled."""
    expected, actual = next_of(line)
    assert expected == actual

"""What the supervisor keeps, and what it does when that is torn or lost."""

from pathlib import Path

import pytest

from lamplighter.targets.local.supervisor.processes import Identity
from lamplighter.targets.local.supervisor.protocol import Reply
from lamplighter.targets.local.supervisor.state import ACTIONS_MAX, Replica, Reserve, State, StateFile


def state() -> State:
    """Return a state with something in each part."""
    replica = Replica(
        id="web-1", workload="web", release="r1", port=20_000, started_at=1.0, identity=Identity(7, 8, "b")
    )
    return State(boot="b", token=3, replicas={"web-1": replica}, shares={"web": {"r1": 1.0}})


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """A state survives the way to disk and back."""
    StateFile(tmp_path).save(state())
    assert state() == StateFile(tmp_path).load()


@pytest.mark.parametrize("keep", [0, 1, 40, -1])
def test_torn_state_is_none(tmp_path: Path, keep: int) -> None:
    """A state that is not whole is not believed, wherever it was cut."""
    file = StateFile(tmp_path)
    file.save(state())
    file.path.write_bytes(file.path.read_bytes()[:keep])
    assert None is file.load()


def test_the_fence_outlives_the_state(tmp_path: Path) -> None:
    """The highest token is still known when everything else was dropped."""
    file = StateFile(tmp_path)
    file.save(state())
    file.raise_fence(9)
    file.drop()
    assert (None, 9) == (file.load(), file.fence())


def test_actions_are_remembered_within_bounds() -> None:
    """The newest actions are remembered, the oldest go."""
    kept = State()
    for number in range(ACTIONS_MAX + 5):
        kept.remember(f"a{number}", Reply(state="done"))
    assert (ACTIONS_MAX, False, True) == (len(kept.actions), "a4" in kept.actions, "a5" in kept.actions)


def test_the_reserve_is_spent_and_filled_again(tmp_path: Path) -> None:
    """Space is set aside, given up, and set aside again."""
    reserve = Reserve(tmp_path / "reserve")
    reserve.fill()
    held = (tmp_path / "reserve").stat().st_blocks
    reserve.spend()
    assert (True, False) == (held > 0, (tmp_path / "reserve").exists())

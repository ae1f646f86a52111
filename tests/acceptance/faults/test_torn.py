"""Files cut and overwritten at many places: what is read is right or refused, never silently wrong."""

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.engine_io.test_recordings import fill

from lamplighter.adapters.clock import VirtualClock
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.model.errors import LampError
from lamplighter.targets.local.supervisor.processes import boot_id
from lamplighter.targets.local.supervisor.state import State, StateFile

PLACES = 20
"""Offsets that are tried for each kind of harm, drawn from one seed."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[bytes]]:
    """A ledger and a recording as a kill leaves them, their logs not folded in; and what they hold."""
    folder = tmp_path_factory.mktemp("stores")
    ledger = SqliteLedger.open(folder / "ledger.sqlite", VirtualClock(1.0))
    for number in range(90):
        ledger.append("decision", f"a-{number}", {"why": "w" * 40})
    recordings = SqliteRecordings(folder / "recording.sqlite")
    passes = [str(inputs).encode() for inputs, _, _ in fill(recordings, 90)]
    shutil.copytree(folder, folder / "killed", ignore=shutil.ignore_patterns("killed"))
    digests = [each.digest for each in ledger.entries()]
    ledger.close()
    recordings.close()
    return folder / "killed", digests, passes


def cut(path: Path, place: int) -> None:
    """End a file early."""
    with path.open("r+b") as file:
        file.truncate(place)


def overwrite(path: Path, place: int) -> None:
    """Put something else into a file."""
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(255 - each for each in range(64)))


@pytest.mark.parametrize("harm", [cut, overwrite])
@pytest.mark.parametrize("name", ["ledger.sqlite", "ledger.sqlite-wal"])
def test_a_ledger_that_was_torn(
    tmp_path: Path, written: tuple[Path, list[str], list[bytes]], name: str, harm: Callable[[Path, int], None]
) -> None:
    """Its entries are the first ones as they were; or the damage is found, or the file refused."""
    folder, digests, _ = written
    for folder_of_try in tries(tmp_path, folder, name, harm):
        try:
            ledger = SqliteLedger.open(folder_of_try / "ledger.sqlite", VirtualClock(2.0))
            found, damage = [each.digest for each in ledger.entries()], ledger.verify().damage
            ledger.close()
        except LampError:
            continue
        assert damage is not None or found == digests[: len(found)]


@pytest.mark.parametrize("harm", [cut, overwrite])
@pytest.mark.parametrize("name", ["recording.sqlite", "recording.sqlite-wal"])
def test_a_recording_that_was_torn(
    tmp_path: Path, written: tuple[Path, list[str], list[bytes]], name: str, harm: Callable[[Path, int], None]
) -> None:
    """Its passes are those that were written, as they were, or they are refused."""
    folder, _, passes = written
    for folder_of_try in tries(tmp_path, folder, name, harm):
        found: list[bytes] = []
        with suppress(LampError):
            recordings = SqliteRecordings(folder_of_try / "recording.sqlite")
            recordings.latest()
            found.extend(str(each.inputs).encode() for each in recordings.passes())
            recordings.close()
        assert found == passes[: len(found)]


def tries(folder: Path, whole: Path, name: str, harm: Callable[[Path, int], None]) -> list[Path]:
    """Return copies of a folder, each harmed at another place of one file."""
    chance = random.Random(f"{name} {harm.__name__}")  # noqa: S311 - places, not secrets
    size, made = (whole / name).stat().st_size, []
    for number in range(PLACES):
        place = folder / str(number)
        shutil.copytree(whole, place, ignore=shutil.ignore_patterns("*-shm"))
        harm(place / name, chance.randrange(min(size, 400_000)))
        made.append(place)
    return made


def test_a_supervisor_state_cut_anywhere(tmp_path: Path) -> None:
    """At each of its bytes: the state that was saved, or none."""
    store = StateFile(tmp_path)
    store.save(State(boot=boot_id(), token=7, shares={"web": {"r-1": 1.0}}))
    whole = store.path.read_bytes()
    for place in range(len(whole)):
        store.path.write_bytes(whole[:place])
        assert store.load() is None
        store.path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        assert store.load() is None

"""A full disk, really full: what was kept in hand carries the record on; then the loop holds."""

import json
import sys
from pathlib import Path

import pytest
from tests.acceptance.small_disk import on_a_small_disk

SIZE = "14m"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Run the scenario on a tmpfs of a few MiB, in a mount namespace of its own."""
    folder = tmp_path_factory.mktemp("small")
    done = on_a_small_disk(folder, SIZE, sys.executable, "-m", SCENARIO, folder)
    assert 0 == done.returncode, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


SCENARIO = "tests.acceptance.engine_io.full_disk"


def test_the_ledger_goes_on_with_no_byte_left(told: dict[str, object]) -> None:
    """Hundreds of entries are still appended when the disk is full."""
    assert 0 == told["free"]
    assert int(str(told["appended"])) > 500


def test_then_it_holds_and_says_why(told: dict[str, object]) -> None:
    """Once the reserve is used up, the ledger says so before it fails, and fails as a held record."""
    assert (False, "disk-full") == (told["writable_when_held"], told["held"])


def test_the_recording_goes_on_for_ever(told: dict[str, object]) -> None:
    """Oldest groups give way to new passes; what is kept replays exactly."""
    assert (6000, 0) == (told["recorded"], told["still_full"])
    assert [True, 6000, True] == told["kept"]


def test_with_room_again_it_goes_on_by_itself(told: dict[str, object]) -> None:
    """Nobody has to do more than free some space, and the chain is whole."""
    assert (True, None) == (told["writable_again"], told["damage"])


def test_a_folder_with_no_room_at_all_is_refused(tmp_path: Path) -> None:
    """A maintainer that could not even take the lease ends with 5 and says what to do."""
    maintainer = (sys.executable, "-m", "lamplighter.faces.http", "--state", tmp_path, "--system", "library")
    target = ("--target", "tests.acceptance.engine_io.site:FileSite")
    done = on_a_small_disk(tmp_path, "16k", *maintainer, *target, timeout_s=60)
    assert (5, True) == (done.returncode, "free some space" in done.stderr), done.stderr

"""A system of its own for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.faults.rig import Rig, rigged


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A system of two replicas that is up; taken down after the test, with nothing left."""
    with rigged(tmp_path) as made:
        yield made

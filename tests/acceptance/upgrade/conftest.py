"""The previous landing, installed once for all tests here; without it they are skipped, with the reason."""

from pathlib import Path

import pytest
from tests.acceptance.upgrade import landing


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the previous landing's commands."""
    if why := landing.absence():
        pytest.skip(why)
    return landing.install(tmp_path_factory.mktemp("previous"))

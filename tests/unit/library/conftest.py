"""Makes the example's package importable, and its index once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "examples" / "library"))

from library.index import Index, build
from library.passages import gather


@pytest.fixture(scope="session")
def index() -> Index:
    """The whole index, as a replica builds it."""
    return build(gather())

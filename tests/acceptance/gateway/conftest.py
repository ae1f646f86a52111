"""Every test gets its own gateway and replicas, and leaves none behind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.acceptance.gateway.rig import Gateway, Upstream


@pytest.fixture
def replica() -> Iterator[Callable[..., Upstream]]:
    """Starts replicas: `replica("a", "--lies")`."""
    started: list[Upstream] = []

    def start(name: str, *options: str) -> Upstream:
        started.append(Upstream(name, *options))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that is not started yet."""
    one = Gateway(tmp_path / "gateway")
    yield one
    one.kill()

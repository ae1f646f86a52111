"""A pool of agents on a real Ray cluster: a node killed under load loses nothing and doubles nothing."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.agents.peers import environments

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
VERSIONS = ROOT / "benchmarks" / "agents" / "clusters" / "versions"
LIFE_S, DEADLINE_S = 6.0, 170.0


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name: Ray puts unix sockets far below it."""
    folder = Path(tempfile.mkdtemp(prefix="r"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_a_node_that_dies_under_load_loses_and_doubles_nothing(short: Path) -> None:
    """Four nodes, one killed with all its processes: every message is heard once and in order."""
    try:
        python = environments.made("ray", environments.cache(), VERSIONS)
    except environments.AbsentError as error:
        pytest.skip(str(error))
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # loopback alone
    environment = {**os.environ, **settings, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    lived = subprocess.run(
        [str(python), str(HERE / "life.py"), str(short), str(LIFE_S)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=environment,
        check=False,
    )
    assert lived.returncode == 0, lived.stderr[-2000:]
    found = json.loads(lived.stdout.splitlines()[-1])
    assert found["messages"] > 0
    assert found["killed"] > 0, "the node that was killed had no shards"
    assert (0, 0) == (found["lost"], found["wrong"])

"""The machine gives no more: no process, and time that has run on while nobody looked."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.acceptance.faults.refusals import FORKS, refusals
from tests.acceptance.faults.rig import kill, rigged, traffic, until

STORY = "tests.acceptance.faults.namespaces"


def test_no_process_can_be_started(tmp_path: Path) -> None:
    """As with RLIMIT_NPROC or a full pids cgroup: one serves on, tries are few, then it is whole again."""
    with refusals(FORKS) as limit, rigged(tmp_path, inside=limit.inside) as rig:
        first, second = sorted(rig.replicas())
        with traffic(rig) as sent:
            with limit.of(rig.supervisor(), errno.EAGAIN):
                kill(rig.pid(first))
                until(lambda: limit.count > 0, "a start was refused")
                until(lambda: first not in rig.running(), "the dead is seen")
                tries = limit.count
            assert second in rig.running()
            until(lambda: rig.whole(first), "two serve again")
        assert ({"ok"}, True) == (set(sent.fates()), tries < 20)


def test_a_machine_that_has_slept_for_a_day(tmp_path: Path) -> None:
    """Its clocks since boot lie a day apart: ages are right, the dead is replaced, replay is exact."""
    command = ["unshare", "--user", "--map-root-user", "--time", "--boottime", "86400", "--fork"]
    ran = subprocess.run(
        [*command, sys.executable, "-m", STORY, "slept", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": "."},
    )
    if "unshare:" in ran.stderr:
        pytest.skip(f"no clocks of its own here: {ran.stderr}")
    assert (0, "") == (ran.returncode, ran.stderr), ran.stdout

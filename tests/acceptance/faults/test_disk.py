"""Disks that take no more: the maintainer's, the supervisor's, the release's; files that were torn."""

import errno
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.acceptance.faults.refusals import WRITES, Refusals, refusals
from tests.acceptance.faults.rig import Rig, kill, rigged, traffic, until
from tests.acceptance.small_disk import on_a_small_disk

HELD = 5
STORY = "tests.acceptance.faults.no_inodes"


@contextmanager
def no_writes(pid: int) -> Iterator[None]:
    """Let every write of a process fail, to any file, until the body is done.

    A limit on the size of files: the kernel answers as a full disk would, and only this process hears it.
    """
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_nothing_can_be_recorded(rig: Rig) -> None:
    """Traffic and repair of the dead go on, `status` and wishes end with 5; then it goes on by itself."""
    first, _ = sorted(rig.replicas())
    with traffic(rig) as sent:
        with no_writes(rig.maintainer()):
            until(lambda: rig.lamp("status").code == HELD, "status says that it holds")
            kill(rig.pid(first))
            until(lambda: rig.whole(first), "the dead is replaced")
            rig.edit("max: 4", "max: 3")
            assert HELD == rig.lamp("up", "-d", "-y", "--wait", "5").code
        until(lambda: rig.lamp("status").code == 0, "it goes on by itself")
        rig.up()
    assert {"ok"} == set(sent.fates())
    assert (0, 0) == (rig.lamp("ledger", "--verify").code, rig.lamp("replay").code)


def test_the_gateway_cannot_be_told(rig: Rig) -> None:
    """The supervisor can write nothing: it is said, no request fails, and it catches up by itself."""
    first, _ = sorted(rig.replicas())
    with traffic(rig) as sent:
        with no_writes(rig.supervisor()):
            kill(rig.pid(first))
            until(lambda: "gateway-not-written" in rig.lamp("status").out, "it is said")
        until(lambda: rig.whole(first), "the gateway knows the new one")
    assert {"ok"} == set(sent.fates())


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[tuple[Rig, Refusals]]:
    """A system that is up, whose processes can be refused to write."""
    with refusals(WRITES) as disk, rigged(tmp_path, inside=disk.inside) as rig:
        yield rig, disk


@pytest.mark.parametrize("error", [errno.EIO, errno.EDQUOT], ids=["EIO", "EDQUOT"])
def test_the_disk_refuses_the_stores(refused: tuple[Rig, Refusals], error: int) -> None:
    """A disk that breaks, a quota that is used up: held and said, the dead replaced, nothing torn after."""
    rig, disk = refused
    first, _ = sorted(rig.replicas())
    with traffic(rig) as sent:
        with disk.of(rig.maintainer(), error):
            until(lambda: rig.lamp("status").code == HELD, "status says that it holds")
            kill(rig.pid(first))
            until(lambda: rig.whole(first), "the dead is replaced")
        until(lambda: rig.lamp("status").code == 0, "it goes on by itself")
    assert ({"ok"}, True) == (set(sent.fates()), disk.count > 0)
    assert (0, 0) == (rig.lamp("ledger", "--verify").code, rig.lamp("replay").code)


def test_no_file_can_be_made(tmp_path: Path) -> None:
    """All inodes are used up: a dead replica is replaced, `up` ends with 5, and room ends it."""
    ran = on_a_small_disk(tmp_path, "64m,nr_inodes=400", sys.executable, "-m", STORY, tmp_path)
    assert (0, "") == (ran.returncode, ran.stderr), ran.stdout

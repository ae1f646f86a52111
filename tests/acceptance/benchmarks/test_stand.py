"""The stand that the figures of the local target are measured on: it is what it says, and leaves nothing."""

import asyncio
import subprocess
import sys
from pathlib import Path

from benchmarks.local.processes import REPLICA, Process, doubled, end_all, marked
from benchmarks.local.spec import SERVICE, SYSTEM, Wish, spec
from benchmarks.local.stand import stand
from benchmarks.local.starting import own_start_s

from lamplighter.spec import parse


def test_spec_says_what_is_wished() -> None:
    """The text is a spec without a fault, and nothing that is measured is left to a default."""
    service = parse(spec(Wish(replicas=(2, 6), goal=5, drain_s=7), 1234), file="lamp.yaml").services[SERVICE]
    assert (2, 6, 5.0, 7.0) == (
        service.replicas.min,
        service.replicas.max,
        service.scale and service.scale.goal,
        service.drain_s,
    )


def test_process_is_found_by_its_mark_and_ended(tmp_path: Path) -> None:
    """What carries the run's TMPDIR is found, whoever its parent is, and ended; others are not touched."""
    (tmp_path / "tmp").mkdir()
    sleep = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]
    ours = subprocess.Popen(
        sleep, stdout=subprocess.PIPE, env={"TMPDIR": str(tmp_path / "tmp"), "LAMP_REPLICA": "work-1"}
    )
    other = subprocess.Popen(sleep, stdout=subprocess.PIPE, env={"TMPDIR": str(tmp_path)})
    for each in (ours, other):
        assert each.stdout is not None
        each.stdout.readline()
    found = [(each.pid, each.role, each.replica) for each in end_all(tmp_path / "tmp")]
    assert ([(ours.pid, REPLICA, "work-1")], -9) == (found, ours.wait())
    assert other.poll() is None
    other.kill()
    other.wait()
    for each in (ours, other):
        assert each.stdout is not None
        each.stdout.close()


def test_a_replica_that_is_there_twice_shows() -> None:
    """Two leaders under one replica's id are told, a child of a replica is not."""
    first, again = Process(1, REPLICA, "work-1"), Process(2, REPLICA, "work-1")
    child = Process(3, REPLICA, "work-2", leads=False)
    assert (["work-1"], []) == (
        doubled([first, again]),
        doubled([first, child, Process(4, REPLICA, "work-2")]),
    )


def test_stand_runs_the_system_and_leaves_nothing() -> None:
    """Replicas serve, a copy of one starts in a time of its own, and `lamp down` leaves no process."""

    async def live() -> tuple[int, bool, list[Process], Path]:
        async with stand(Wish(replicas=(2, 2))) as site:
            ready = await site.ready()
            own_s = await own_start_s(next(iter(ready)))
            return len(ready), 0.05 < own_s < 30, await site.down(), site.project.parent

    served, plausible, left, folder = asyncio.run(live())
    assert (2, True, [], False) == (served, plausible, left, folder.exists())


def test_stand_that_breaks_off_leaves_nothing() -> None:
    """An error in a part ends what it had started, without a word of `lamp down`."""
    folders: list[Path] = []

    async def breaks() -> None:
        async with stand(Wish(replicas=(1, 1))) as site:
            folders.append(site.temporary)
            assert {"maintainer", "supervisor", "gateway", "replica"} == {e.role for e in site.processes()}
            raise ZeroDivisionError

    try:
        asyncio.run(breaks())
    except ZeroDivisionError:
        assert [[]] == [marked(each) for each in folders]
    assert SYSTEM == "bench"

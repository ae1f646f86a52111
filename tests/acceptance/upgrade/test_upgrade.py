"""This version takes over what the previous landing runs: no request fails, nothing is done twice."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from examples.demo.workplace import SERVICE
from tests.acceptance.upgrade.stage import Stage, asking, failures, on_stage, pids
from tests.recordings import review

from lamplighter import __version__
from lamplighter.adapters.recordings import SCHEMA, SqliteRecordings

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

EXIT_ENVIRONMENT = 4
REVIEWED = ("the load needs", "of load need at most", "[chosen]")
"""Decisions of the previous landing that may come out otherwise, as reviewed in tests/recordings: since
0.2.0 the load is weighted by time, and the same actions are taken under more conditions."""
STORES_DIFFER = json.loads((Path(review.HERE) / "previous" / "forms.json").read_text())["recording"] < len(
    SCHEMA
)
REPLICAS_MIN = 2
"""As the spec says; more run while the load needs them."""
HELD_S = 12.0
"""Streams and WebSockets are held from before the upgrade until after it."""


async def lived(stage: Stage) -> None:
    """Have the old version live through a start, a kill, a scale-up and a release."""
    await stage.did("old", "up", "-d", "-y")
    await stage.kill_a_replica()
    stage.spec("min: 2", "min: 3")
    await stage.did("old", "up", "-d", "-y")
    stage.edit()
    await stage.did("old", "up", "-d", "-y")
    await settled(stage, 3)


async def settled(stage: Stage, replicas: int) -> None:
    """Wait until just so many are left and serve: what a release replaced has drained."""
    await stage.until(
        lambda seen: [replicas] * 2 == [len(pids(seen)), _left(seen)],
        f"{replicas} replicas and no more",
    )


def _left(status: Any) -> int:
    """Return how many replicas have not ended."""
    return sum(each["phase"] != "exited" for each in status["replicas"])


async def held(stage: Stage) -> None:
    """Hold a stream and a WebSocket from now on; fail if either is cut."""
    _, streamed = await asyncio.gather(stage.spoke(HELD_S), asyncio.to_thread(stage.streamed, HELD_S))
    assert ["answer"] * 10 + ["done"] == streamed


def test_a_dead_maintainers_system_is_taken_over(old: Path) -> None:
    """After kill -9 of the old maintainer `lamp up` of this version adopts all of it while it serves."""

    async def story() -> None:
        async with on_stage(old) as stage:
            await stage.did("old", "up", "-d", "-y")
            async with asking(stage) as traffic:
                await lived(stage)
                before, gateway, supervisor = (
                    pids(await stage.status("old")),
                    stage.gateway(),
                    stage.supervisor(),
                )
                async with asyncio.TaskGroup() as group:
                    group.create_task(held(stage))
                    await asyncio.sleep(1.0)
                    await stage.kill_maintainer()
                    await stage.did("new", "up", "-d", "-y")
                    after = await stage.status()
                assert (before, gateway, True) == (pids(after), stage.gateway(), after["live"])
                assert supervisor != stage.supervisor()
                await _goes_on(stage)
            assert [] == failures(traffic)
            await _ends(stage)

    asyncio.run(story())


def test_a_living_maintainer_steps_down(old: Path) -> None:
    """`lamp up` of this version ends the old maintainer cleanly, says so, and takes its place."""

    async def story() -> None:
        async with on_stage(old) as stage:
            await stage.did("old", "up", "-d", "-y")
            async with asking(stage) as traffic:
                before = await stage.status()
                ran = await stage.did("new", "up", "-d", "-y")
                after = await stage.status()
                assert "taking over from the maintainer of version" in ran.err
                assert pids(before).items() <= pids(after).items()
                assert before["holder"]["pid"] != after["holder"]["pid"]
                await _goes_back_only_where_it_can(stage)
            assert [] == failures(traffic)
            await _ends(stage)

    asyncio.run(story())


async def _goes_on(stage: Stage) -> None:
    """The new version repairs, rolls back to a release of the old one's, and rolls out one of its own."""
    await stage.kill_a_replica()
    stable = {each["name"]: each["stable"] for each in (await stage.status())["workloads"]}[SERVICE]
    back = (await stage.did("new", "rollback", SERVICE, "--json")).json
    assert (stable, True) == (back["from"], back["to"] != stable)
    stage.spec("LIBRARY_LANG: en", "LIBRARY_LANG: cy")
    await stage.did("new", "up", "-d", "-y")
    assert 0 == (await stage.did("new", "ledger", "--verify")).code
    assert [] == await asyncio.to_thread(_unreviewed, stage)


def _unreviewed(stage: Stage) -> list[review.Difference]:
    """Return what comes out otherwise now and was not reviewed: anything of this version's own passes."""
    recording = stage.state / "recording.sqlite"
    opened = SqliteRecordings(recording, read_only=True)
    own = min(each.number for each in opened.passes() if each.version == __version__)
    opened.close()
    return [
        each
        for each in review.found(recording)
        if each.number >= own or not any(why in str(each) for why in REVIEWED)
    ]


async def _goes_back_only_where_it_can(stage: Stage) -> None:
    """The old version is refused, with a mend, by a newer maintainer and by stores that it may misread.

    Where it writes the stores as this version does, and nobody maintains, it may take over again.
    """
    await stage.did("new", "ledger", "--verify")
    before = await stage.status()
    await _refused(stage, "store-newer" if STORES_DIFFER else "maintainer-newer")
    await stage.kill_maintainer()
    await asyncio.sleep(0.5)
    if STORES_DIFFER:
        await _refused(stage, "store-newer")
        after = await stage.status()
        assert (pids(before), before["ledger"]["digest"]) == (pids(after), after["ledger"]["digest"])
    else:
        await stage.did("old", "up", "-d", "-y")
    await stage.did("new", "up", "-d", "-y")
    kept = pids(before).items() & pids(await stage.status()).items()
    assert len(kept) >= REPLICAS_MIN, (kept, before)


async def _refused(stage: Stage, code: str) -> None:
    ran = await stage.ran("old", "up", "-d", "-y")
    assert (EXIT_ENVIRONMENT, True) == (ran.code, code in ran.err and "upgrade" in ran.err), ran


async def _ends(stage: Stage) -> None:
    """The gateway comes back after a kill as this version configures it; `down` leaves nothing."""
    os.kill(stage.gateway(), signal.SIGKILL)
    for _ in range(100):
        try:
            assert ["answer"] * 10 + ["done"] == await asyncio.to_thread(stage.streamed, 0.1)
            break
        except OSError:
            await asyncio.sleep(0.1)
    await stage.did("new", "down")
    await asyncio.sleep(1.0)
    assert [] == stage.left()

"""A maintainer killed at any moment: nothing is decided twice, the recording reads, the chain holds."""

import contextlib
import random
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from tests.acceptance.engine_io.conftest import Start, ready, until, up

from lamplighter.adapters.clock import SystemClock
from lamplighter.adapters.ledger import SqliteLedger, anchors
from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.app.client import Client
from lamplighter.engine.replay import replay, report
from lamplighter.engine.step import step
from lamplighter.model.actions import Action
from lamplighter.model.errors import LampError

KILLS = 15


@pytest.fixture
def ended(state: Path, start: Start, client: Client) -> Path:
    """The state folder after many kills at random moments and one clean end."""
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    process = start(interval_s=0.02, loses=0.5)
    until(client.running)
    client.submit(up())
    for _ in range(KILLS):
        enough = len(_rows(state)) + chance.randrange(1, 8)
        until(lambda enough=enough: len(_rows(state)) >= enough, of=process)  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = start(interval_s=0.02, loses=0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process = start(interval_s=0.02)
    until(lambda: _calm(client))
    process.terminate()
    assert 0 == process.wait(timeout=10)
    return state


def test_many_kills_leave_everything_whole(ended: Path) -> None:
    """Replay, ledger and site agree on every action, over all maintainers."""
    recordings = SqliteRecordings(ended / "recording.sqlite", read_only=True)
    ledger = SqliteLedger.open(ended / "ledger.sqlite", SystemClock(), read_only=True)
    again = report(replay(recordings, step))
    assert again.exact, again
    assert again.decisions > 2 * KILLS
    assert ledger.verify(anchors(ended / "ledger.anchors")).damage is None
    told = Counter(each.subject for each in ledger.entries() if each.kind == "decision")
    applied = _applied(ended)
    decided = {
        each.id: each.chosen.action
        for one in recordings.passes()
        if one.result
        for each in one.result.decisions
    }
    assert set(applied) <= set(decided)
    assert {1} == {told[each] for each in decided}
    assert KILLS < len([each for each in ledger.entries() if each.kind == "started"])
    assert [] == _twice(list(applied.values()))
    assert 3 == _alive(ended)


def _calm(client: Client) -> bool:
    try:
        return ready(client)
    except LampError:
        return False


def _rows(state: Path) -> list[tuple[str, int, str]]:
    """What reached the site, in order: id, token and action."""
    with contextlib.closing(sqlite3.connect(state / "site.sqlite", timeout=5)) as site:
        return site.execute("SELECT id, token, body FROM applied ORDER BY n").fetchall()


def _applied(state: Path) -> dict[str, Action]:
    """What reached the site, by id. Tokens never went back."""
    rows = _rows(state)
    assert sorted(token for _, token, _ in rows) == [token for _, token, _ in rows]
    return {name: msgspec.json.decode(body, type=Action) for name, _, body in rows}


def _twice(actions: list[Action]) -> list[str]:
    """Replicas that were started, or replaced, by more than one action."""
    starts: Counter[str] = Counter()
    for each in actions:
        starts.update(getattr(each, "starts", ()))
        starts.update([each.start, f"instead of {each.replica}"] if hasattr(each, "start") else [])
    return [name for name, times in starts.items() if times > 1]


def _alive(state: Path) -> int:
    with contextlib.closing(sqlite3.connect(state / "site.sqlite")) as site:
        return int(site.execute("SELECT count(*) FROM replicas WHERE exited IS NULL").fetchone()[0])

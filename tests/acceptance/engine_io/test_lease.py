"""The lease among real processes: one holder, whatever happens to it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.acceptance.engine_io.conftest import ROOT

from lamplighter.adapters.clock import SystemClock
from lamplighter.adapters.lease import SqliteLeases
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.model.errors import OwnedError

CONTENDER = """
import sys
from pathlib import Path
from lamplighter.adapters.clock import SystemClock
from lamplighter.adapters.lease import SqliteLeases
from lamplighter.adapters.ledger import SqliteLedger
from lamplighter.model.errors import LampError
leases = SqliteLeases(SqliteLedger.open(Path(sys.argv[1]), SystemClock()).database, SystemClock())
sys.stdin.readline()
try:
    print(leases.acquire("library").token, flush=True)
except LampError as error:
    print(error.code, flush=True)
sys.stdin.readline()
"""


def contender(path: Path) -> subprocess.Popen[str]:
    """A process that takes the lease when it is sent a line, and holds it until it is sent another."""
    return subprocess.Popen(
        [sys.executable, "-c", CONTENDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def said(process: subprocess.Popen[str]) -> str:
    """Let it go on, and return what it says."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the lease is kept."""
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def leases(path: Path) -> SqliteLeases:
    """The lease store of this process."""
    return SqliteLeases(SqliteLedger.open(path, SystemClock()).database, SystemClock())


def test_of_many_contenders_exactly_one_wins(path: Path) -> None:
    """Twelve processes at once, three times over: one token each time, and it grows."""
    tokens = []
    for _ in range(3):
        processes = [contender(path) for _ in range(12)]
        for each in processes:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        answers = [each.stdout.readline().strip() for each in processes if each.stdout]
        for each in processes:
            each.kill()
            each.communicate()
        tokens += [each for each in answers if each.isdigit()]
        assert 11 == answers.count("owned")
    assert ["1", "2", "3"] == tokens


def test_a_living_holder_is_named(path: Path, leases: SqliteLeases) -> None:
    """The refusal tells pid, command and age of who holds it."""
    with contender(path) as holder:
        assert "1" == said(holder)
        with pytest.raises(OwnedError, match=f"pid {holder.pid} .*for \\d+ s"):
            leases.acquire("library")
        holder.kill()


def test_a_dead_holder_is_succeeded_at_once(path: Path, leases: SqliteLeases) -> None:
    """After SIGKILL, even while nobody has reaped it, the lease is free; the token is higher."""
    with contender(path) as holder:
        said(holder)
        holder.kill()
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
        assert 2 == leases.acquire("library").token


def test_a_stopped_holder_keeps_it(path: Path, leases: SqliteLeases) -> None:
    """A holder that was stopped may go on at any time; the refusal says how to end that."""
    with contender(path) as holder:
        said(holder)
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(OwnedError) as caught:
            leases.acquire("library")
        assert f"kill -KILL {holder.pid}" in caught.value.mend
        holder.kill()


def test_another_process_under_the_same_pid_is_not_the_holder(path: Path, leases: SqliteLeases) -> None:
    """A pid that was used again, told by its start time, holds nothing."""
    with contender(path) as holder:
        said(holder)
        with leases._database.transaction() as connection:
            identity = json.loads(connection.execute("SELECT holder FROM leases").fetchone()[0])
            earlier = json.dumps(identity | {"started_ticks": identity["started_ticks"] - 1})
            connection.execute("UPDATE leases SET holder = ?", (earlier,))
        assert 2 == leases.acquire("library").token
        holder.kill()


@pytest.mark.parametrize("changed", [{"boot": "another"}, {"namespace": "pid:[1]"}])
def test_where_pids_mean_nothing_the_lock_decides(
    path: Path, leases: SqliteLeases, changed: dict[str, str]
) -> None:
    """A holder in another container keeps the lease for as long as it lives, and no longer."""
    with contender(path) as holder:
        said(holder)
        with leases._database.transaction() as connection:
            identity = json.loads(connection.execute("SELECT holder FROM leases").fetchone()[0])
            connection.execute("UPDATE leases SET holder = ?", (json.dumps(identity | changed),))
        with pytest.raises(OwnedError, match="held by pid"):
            leases.acquire("library")
        holder.kill()
        holder.wait()
        assert 2 == leases.acquire("library").token


def test_a_lease_given_back_is_free_and_no_longer_held(path: Path, leases: SqliteLeases) -> None:
    """Release lets the next one in; a superseded lease is not held, nor can it be given back again."""
    first = leases.acquire("library")
    assert leases.held(first)
    leases.release(first)
    second = leases.acquire("library")
    leases.release(first)
    assert (False, True) == (leases.held(first), leases.held(second))
    assert msgspec.structs.asdict(first)["token"] + 1 == second.token

"""Make the stores that are kept of a landing: `python -m tests.recordings.make COMMIT [FOLDER]`.

Runs the landing itself (from the history, installed beside this version) through a story with real processes
and real traffic: replicas killed, load that rises fivefold and falls, a release and its rollback, a release
that cannot start, the maintainer killed. Keeps its recording, its ledger and a state of its supervisor, and
names the landing as the previous one. Takes two minutes. What is kept holds no path and no name of the
machine; a test looks for them.
"""

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from examples.demo.workplace import SERVICE
from tests.acceptance.upgrade import landing
from tests.acceptance.upgrade.stage import Stage, asking, on_stage, pids

HERE = Path(__file__).parent
CALM, HIGH = 15.0, 75.0
"""Questions a second, of 0.3 s each: two replicas carry the first, five the second."""
EXIT_GIVEN_UP = 7
FOLDER = Path("/tmp/lamp-story")  # noqa: S108 - on every machine the same: it stands in the ledger


async def story(old: Path, into: Path) -> None:
    """Let everything happen, and keep what was written of it."""
    os.environ["LOGNAME"] = "operator"
    async with on_stage(old, FOLDER) as stage:
        _without_a_cache(stage)
        await stage.did("old", "up", "-d", "-y")
        async with asking(stage) as traffic:
            traffic.set_rate(CALM)
            await stage.kill_a_replica()
            traffic.set_rate(HIGH)
            await stage.until(lambda seen: len(pids(seen)) >= 4, "four replicas serve", 60)
            await stage.kill_a_replica()
            traffic.set_rate(CALM)
            _keep_supervisor(stage.state, into)
            await stage.until(lambda seen: len(pids(seen)) == 2 and not seen.get("pending"), "two again", 60)
            stage.edit()
            await stage.did("old", "up", "-d", "-y")
            await stage.did("old", "rollback", SERVICE)
            await stage.kill_maintainer()
            await asyncio.sleep(2.0)
            stage.edit(back=True)
            await stage.did("old", "up", "-d", "-y")
            await _a_release_that_cannot_start(stage)
        await stage.did("old", "down")
        _keep_stores(stage.state, into)
        shutil.rmtree(into / "releases", ignore_errors=True)
        shutil.copytree(stage.state / "releases" / "records", into / "releases")


def _without_a_cache(stage: Stage) -> None:
    """Leave out the only line of the spec that names a folder."""
    place = stage.prototype / "lamp.yaml"
    place.write_text(re.sub(r"\n +LIBRARY_CACHE: [^\n]*", "", place.read_text(encoding="utf-8")))


async def _a_release_that_cannot_start(stage: Stage) -> None:
    place = stage.prototype / "library" / "search.py"
    place.write_text(f"raise SystemExit('broken on purpose')\n{place.read_text(encoding='utf-8')}")
    ran = await stage.ran("old", "up", "-d", "-y")
    assert ran.code == EXIT_GIVEN_UP, ran


def _keep_supervisor(state: Path, into: Path) -> None:
    """Keep a state of the supervisor, with its digest; the boot it is of is no business of the repository."""
    body = (state / "supervisor" / "state.json").read_bytes().partition(b"\n")[2]
    body = re.sub(
        rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", b"0" * 8 + b"-0000" * 3 + b"-" + b"0" * 12, body
    )
    digest = hashlib.blake2b(body, digest_size=16).hexdigest().encode()
    (into / "supervisor.json").write_bytes(digest + b"\n" + body)


def _keep_stores(state: Path, into: Path) -> None:
    """Keep the stores without the room that they hold in reserve; who held the lease is left out."""
    for name in ("recording.sqlite", "ledger.sqlite"):
        with closing(sqlite3.connect(state / name)) as store:
            with contextlib.suppress(sqlite3.OperationalError):
                store.execute("UPDATE leases SET command = '', holder = ''")
                store.commit()
            (into / name).unlink(missing_ok=True)
            store.execute("VACUUM INTO ?", (str(into / name),))
        (into / name).chmod(0o644)
    shutil.copy(state / "ledger.anchors", into / "ledger.anchors")


def _keep_forms(old: Path, into: Path) -> None:
    """Keep the numbers of the stores' schemas and the form of the values in them, as the landing has them."""
    ran = subprocess.run(
        [old / "python", HERE / "forms.py"], capture_output=True, text=True, check=True, cwd=into
    )
    (into / "forms.json").write_text(ran.stdout, encoding="utf-8")


def main() -> None:
    """Make the stores of one landing, and name it as the previous one."""
    commit = sys.argv[1]
    into = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "previous"
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        old = landing.install(Path(folder), commit)
        asyncio.run(story(old, into))
        _keep_forms(old, into)
    landing.NAMED.write_text(landing.full(commit) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()

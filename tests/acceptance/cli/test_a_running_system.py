"""What the command does with a system that runs: deploy, look, plan again, go back, take down."""

import os
import shutil
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.acceptance.cli.conftest import Prototype
from tests.acceptance.small_disk import on_a_small_disk

from lamplighter.model.release import Release
from lamplighter.model.system import Run
from lamplighter.targets.local.releases import ReleaseStore

EXIT_USER, EXIT_CHANGES = 2, 3


@pytest.fixture
def running(prototype: Prototype) -> Prototype:
    """Return a prototype that is up."""
    ran = prototype.lamp("up", "-d", "-y")
    assert 0 == ran.code, ran.err + ran.out
    return prototype


def test_up_serves_and_a_second_up_changes_nothing(running: Prototype) -> None:
    """After `up` the gateway answers; the same spec again is no change, and keeps the same processes."""
    assert "one" == running.get()
    before = running.pids()
    assert 0 == running.lamp("plan").code
    assert 0 == running.lamp("up", "-d", "-y").code
    assert before == running.pids()


def test_new_release_and_rollback(running: Prototype) -> None:
    """A changed spec rolls out a new release, and `rollback` brings the old one back."""
    running.edit("WORD: one", "WORD: two")
    assert 0 == running.lamp("up", "-d", "-y").code
    assert "two" == running.get()
    ran = running.lamp("rollback", "web", "--json")
    assert 0 == ran.code, ran.err
    assert "one" == running.get()
    assert ran.json["from"] != ran.json["to"]


def rolling_out(running: Prototype) -> int:
    """Wait until a rollout is under way; return the pid of who carries it out."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status = running.status()
        if any((each.get("rollout") or {}).get("verdict") == "" for each in status["workloads"]):
            return int(status["holder"]["pid"])
        time.sleep(0.1)
    raise AssertionError(running.status())


def test_up_goes_on_when_the_maintainer_is_killed_on_its_way(running: Prototype) -> None:
    """`up` waits for what it has asked for; if the maintainer dies, `up` starts another, which goes on."""
    running.edit("WORD: one", "WORD: two")
    running.edit("bake: 200ms", "bake: 3s")
    with running.lamp_beside("up", "-d", "-y") as up:
        os.kill(rolling_out(running), signal.SIGKILL)
        _, said = up.communicate(timeout=90)
    assert (0, True, "two") == (up.returncode, "starting another" in said, running.get()), said


def test_up_ends_when_the_system_is_taken_down_meanwhile(running: Prototype) -> None:
    """A system that somebody else takes down is not brought up again by an `up` that still waits."""
    running.edit("WORD: one", "WORD: two")
    running.edit("bake: 200ms", "bake: 60s")
    with running.lamp_beside("up", "-d", "-y") as up:
        rolling_out(running)
        assert 0 == running.lamp("down").code
        _, said = up.communicate(timeout=60)
    assert (3, True) == (up.returncode, "taken-down" in said)


def test_release_does_not_follow_the_working_tree(running: Prototype) -> None:
    """A replica that restarts gets its own release's code, not the file as edited since."""
    place = running.folder / "app.py"
    place.write_text(place.read_text().replace("WORD.encode()", "b'edited'"))
    os.kill(running.pids()[0], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while len(running.pids()) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert {"one"} == {running.get() for _ in range(20)}


def test_release_that_never_starts_is_given_up(running: Prototype) -> None:
    """A release that crashes at its start is rolled back by itself, and the stable one serves throughout."""
    place = running.folder / "app.py"
    place.write_text("raise SystemExit('broken on purpose')\n")
    ran = running.lamp("up", "-d", "-y", "--wait", "60")
    assert 7 == ran.code, ran.out
    assert "rollout-failed" in ran.err
    assert "one" == running.get()


def test_every_services_fate_is_told(prototype: Prototype) -> None:
    """One service that cannot start does not end the wait for the other; both fates are told."""
    bad = "bad: {command: exit 3, route: /bad, health: {path: /}, rollout: {steps: [100%], bake: 0s}}"
    prototype.edit("services:\n", f"services:\n  {bad}\n")
    ran = prototype.lamp("up", "-d", "-y", "--wait", "90")
    assert (7, "one") == (ran.code, prototype.get()), ran
    assert [True, True] == [each in ran.err for each in ("of bad does not stay up", "web is on r-")]


def test_plan_is_refused_once_the_facts_have_changed(running: Prototype) -> None:
    """`apply` carries out a plan only while its facts hold; exit code 3 otherwise, and nothing is done."""
    running.edit("WORD: one", "WORD: two")
    assert EXIT_CHANGES == running.lamp("plan", "--out", "plan.json").code
    os.kill(running.pids()[0], signal.SIGKILL)
    time.sleep(3)
    ran = running.lamp("apply", "plan.json")
    assert EXIT_CHANGES == ran.code, ran.out + ran.err
    assert "one" == running.get()


def test_plan_that_still_holds_is_applied(running: Prototype) -> None:
    """A plan written to a file is carried out by `apply`."""
    running.edit("WORD: one", "WORD: two")
    running.lamp("plan", "--out", "plan.json")
    ran = running.lamp("apply", "plan.json")
    assert 0 == ran.code, ran.err
    assert "two" == running.get()


def test_maintainer_is_taken_up_again(running: Prototype) -> None:
    """After kill -9 of the maintainer traffic goes on, `status` says so, and `up` adopts what runs."""
    before = running.pids()
    os.kill(running.status()["holder"]["pid"], signal.SIGKILL)
    assert "one" == running.get()
    assert "without a maintainer" in running.lamp("status").out
    assert 0 == running.lamp("up", "-d", "-y").code
    assert (before, True) == (running.pids(), running.status()["live"])


def test_changed_bounds_are_no_new_release(running: Prototype) -> None:
    """More replicas in the spec start more of the same release, and those that run stay."""
    before = running.pids()
    running.edit("min: 2", "min: 3")
    assert 0 == running.lamp("up", "-d", "-y").code
    assert (3, True) == (len(running.pids()), set(before) <= set(running.pids()))


def test_old_releases_are_deleted(running: Prototype) -> None:
    """Releases that nothing runs and nobody can go back to are deleted, but for five."""
    store = ReleaseStore(running.state / f"cli-{running.port}" / "releases")
    (store.trees / "old").mkdir()
    for number in range(8):
        run = Run(kind="command", value="serve")
        store.put(Release(workload="old", run=run, tree="old", env={"N": str(number)}))
    assert 0 == running.lamp("up", "-d", "-y").code
    assert (5, 1) == (len(store.all("old")), len(store.all("web")))


def test_logs_show_what_replicas_wrote(running: Prototype) -> None:
    """`logs` prints lines with the replica that wrote them."""
    running.get("/marker")
    lines = running.lamp("logs", "web").out.splitlines()
    assert any("asked for /marker" in each and each.startswith("web-") for each in lines)


def test_action_is_explained(running: Prototype) -> None:
    """`explain` tells controller, reason, contract and outcome of an action found in the ledger."""
    entries = [line for line in running.lamp("ledger").out.splitlines() if "start 2 of web" in line]
    action = entries[0].split()[3]
    out = running.lamp("explain", action).out
    assert all(each in out for each in ("because", "gain", "undo", "expects", "outcome", "ended"))


def test_ledger_verifies_and_shows_a_change(running: Prototype) -> None:
    """The chain is whole; an edited entry is found by number."""
    assert 0 == running.lamp("ledger", "--verify").code
    store = running.state / f"cli-{running.port}" / "ledger.sqlite"
    with closing(sqlite3.connect(store)) as database:
        database.execute("DROP TRIGGER entries_stand")
        database.execute("UPDATE entries SET subject = 'x' WHERE number = 3")
        database.commit()
    ran = running.lamp("ledger", "--verify", "--json")
    assert (1, 3) == (ran.code, ran.json["damage"]["number"])


def test_replay_makes_every_decision_again(running: Prototype) -> None:
    """Each recorded decision comes out the same; another policy shows what it would have changed."""
    ran = running.lamp("replay", "--json")
    assert (0, True) == (ran.code, ran.json["exact"])
    assert ran.json["report"]["decisions"] >= 3
    (running.folder / "policy.yaml").write_text("services: {web: {replicas: {min: 3}}}\n")
    other = running.lamp("replay", "--policy", "policy.yaml", "--json")
    assert EXIT_CHANGES == other.code
    would = [each["would"]["chosen"]["action"] for each in other.json["differences"] if each["would"]]
    assert 3 in [each.get("replicas") for each in would]


def test_an_excerpt_of_the_recording_is_free_of_what_is_private(running: Prototype) -> None:
    """`replay --export` writes a small file that decides the same and holds no value of a variable."""
    running.edit("WORD: one", "WORD: hunter2")
    assert 0 == running.lamp("up", "-d", "-y").code
    assert 0 == running.lamp("replay", "--export", "cut.sqlite").code
    assert 0 == running.lamp("replay", "--recording", "cut.sqlite").code
    said = running.lamp("replay", "--recording", "cut.sqlite", "--json").out
    assert [] == [each for each in ("hunter2", str(running.folder), "app.py") if each in said]
    assert EXIT_USER == running.lamp("replay", "--export", "cut.sqlite").code
    assert 0 == running.lamp("plan").code, "an excerpt beside the files is no part of a release"


def test_approval_is_asked_for_and_given(running: Prototype) -> None:
    """With approvals below the blast radius, ending replicas waits for `lamp approve`."""
    running.edit("services:\n", "approvals: {above: {blast_radius: 10%}}\nservices:\n")
    running.edit("min: 2, max: 4", "min: 1, max: 1")
    assert 0 == running.lamp("up", "-d", "-y", "--wait", "40").code
    asked = running.status()["asked"]
    assert 1 == len(asked)
    assert 0 == running.lamp("approve", asked[0]["id"]).code
    deadline = time.monotonic() + 30
    while running.status()["asked"] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert EXIT_USER == running.lamp("approve", asked[0]["id"]).code


def test_deleted_state_leaves_nothing_that_down_cannot_end(running: Prototype) -> None:
    """With its state folder deleted the maintainer ends; `down` ends the rest."""
    maintainer, pids = running.status()["holder"]["pid"], running.pids()
    shutil.rmtree(running.state)
    deadline = time.monotonic() + 20
    while _lives(maintainer) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _lives(maintainer)
    time.sleep(2.5)
    assert "left-behind" in running.lamp("up", "-d", "-y").err
    assert 0 == running.lamp("down").code
    assert [] == [each for each in pids if _lives(each)]
    assert 0 == running.lamp("up", "-d", "-y").code


def test_freeze_window_holds_a_new_release(running: Prototype) -> None:
    """In a freeze window a new release waits: `up` returns, and `status` says why."""
    running.edit("services:\n", 'freeze: ["Mon 00:00 - Thu 00:00", "Thu 00:00 - Mon 00:00"]\nservices:\n')
    running.edit("WORD: one", "WORD: two")
    ran = running.lamp("up", "-d", "-y", "--wait", "60")
    assert (0, "one") == (ran.code, running.get())
    assert "frozen" in running.lamp("status").out


def test_down_leaves_nothing_and_is_repeatable(running: Prototype) -> None:
    """After `down` no replica lives and the port is free; a second `down` is no error; `up` works again."""
    pids = running.pids()
    assert 0 == running.lamp("down").code
    assert [] == [each for each in pids if _lives(each)]
    assert 0 == running.lamp("down").code
    assert 0 == running.lamp("up", "-d", "-y").code
    assert "one" == running.get()


def _lives(pid: int) -> bool:
    """Whether a process is there and has not ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_full_disk_under_a_running_system(tmp_path: Path) -> None:
    """On a disk with no byte left traffic and repair go on by the reserve, `status` says so, room ends it."""
    story = (sys.executable, "-m", "tests.acceptance.cli.full_disk", tmp_path)
    ran = on_a_small_disk(tmp_path, "24m", *story)
    assert (0, "") == (ran.returncode, ran.stderr)

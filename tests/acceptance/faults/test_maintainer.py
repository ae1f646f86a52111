"""The maintainer is killed at chosen moments, is stopped, and wakes after its lease was taken."""

import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest
from tests.acceptance.faults.rig import Rig, kill, lives, send, traffic, until

from lamplighter.app.answering import required
from lamplighter.model.errors import OwnedError

OWNED = 6


def started(rig: Rig) -> Counter[str]:
    """Count how often each replica was started, by what the supervisor says."""
    lines = (rig.home / "logs" / "supervisor.log").read_text().splitlines()
    return Counter(
        each.split('"replica":"')[1].split('"')[0] for each in lines if '"replica-started"' in each
    )


def decided(rig: Rig) -> int:
    """Return how many decisions the ledger holds."""
    with closing(sqlite3.connect(rig.home / "ledger.sqlite", timeout=10)) as ledger:
        return int(ledger.execute("SELECT count(*) FROM entries WHERE kind = 'decision'").fetchone()[0])


def sound(rig: Rig) -> None:
    """Insist that nothing was decided or done twice, and that all of it can be shown."""
    assert {1} == set(started(rig).values())
    assert 0 == rig.lamp("ledger", "--verify").code
    assert 0 == rig.lamp("replay").code


def test_killed_while_the_target_has_not_answered(rig: Rig) -> None:
    """Decided and recorded, handed over, not answered: the successor sees it through, once."""
    first, *_ = sorted(rig.replicas())
    before, supervisor, maintainer = decided(rig), rig.supervisor(), rig.maintainer()
    pid = rig.pid(first)
    with traffic(rig) as sent:
        kill(pid)
        until(lambda: decided(rig) > before or not lives(pid), "the death is seen")
        send(supervisor, signal.SIGSTOP)
        time.sleep(0.3)
        kill(maintainer)
        send(supervisor, signal.SIGCONT)
        rig.up()
        until(lambda: rig.whole(first), "two serve again")
    assert {"ok"} == set(sent.fates())
    sound(rig)


def test_killed_before_it_could_note_the_answer(rig: Rig) -> None:
    """The replica was started and nobody noted it: the successor finds it and starts no other."""
    first, *_ = sorted(rig.replicas())
    maintainer, count = rig.maintainer(), len(started(rig))
    kill(rig.pid(first))
    until(lambda: len(started(rig)) > count, "the next one is started")
    kill(maintainer)
    rig.up()
    until(lambda: rig.whole(first), "two serve again")
    assert 3 == len(started(rig))
    sound(rig)


def test_stopped_it_is_named_at_once(rig: Rig) -> None:
    """Reads come from the stores and say who is stopped; wishes are refused with pid, age and mend."""
    pid = rig.maintainer()
    send(pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(OwnedError):
        required(rig.home, rig.name)
    took_s = time.monotonic() - began
    shown, refused = rig.lamp("status"), rig.lamp("approve", "a-1")
    down = rig.lamp("down")
    send(pid, signal.SIGCONT)
    assert f"held by pid {pid}" in shown.out
    assert (OWNED, OWNED) == (refused.code, down.code)
    assert all(
        each in refused.err for each in ("maintainer-silent", f"pid {pid}", "ago", f"kill -CONT {pid}")
    )
    assert took_s < 15
    until(lambda: bool(rig.seen().live), "it answers again")


def test_woken_after_its_lease_was_taken_it_does_nothing(rig: Rig) -> None:
    """It sleeps, another takes over and repairs; it wakes, writes and does nothing, and ends."""
    old, (first, *_) = rig.maintainer(), sorted(rig.replicas())
    send(old, signal.SIGSTOP)
    kill(rig.pid(first))
    with closing(sqlite3.connect(rig.home / "ledger.sqlite", timeout=10)) as ledger:
        # As if it were gone: no living holder is ever pushed aside by us.
        ledger.execute("UPDATE leases SET held = 0")
        ledger.commit()
    (rig.home / "maintainer.sock").unlink()
    rig.up()
    until(lambda: rig.whole(first), "the second one has repaired")
    before = decided(rig)
    send(old, signal.SIGCONT)
    until(lambda: not lives(old), "the first one ends")
    assert (before, True) == (decided(rig), rig.seen().live)
    sound(rig)


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_killed_at_random_moments(rig: Rig) -> None:
    """Thirty times around a repair, before, during and after: nothing twice, no request lost, all replays.

    Its victims have served for hardly a second, and would count as a crash loop soon.
    """
    rig.edit("    route: /\n", "    route: /\n    repair: {attempts: 100}\n")
    rig.up()
    chance = random.Random(11)  # noqa: S311 - moments, not secrets
    with traffic(rig) as sent:
        for _ in range(30):
            until(rig.whole, "two serve")
            maintainer, victim = rig.maintainer(), chance.choice(sorted(rig.ready()))
            kill(rig.pid(victim))
            time.sleep(chance.uniform(0.0, 0.6))
            kill(maintainer)
            rig.up()
            until(lambda gone=victim: rig.whole(gone), "two serve again")  # type: ignore[misc]
    assert {"ok"} == set(sent.fates())
    sound(rig)

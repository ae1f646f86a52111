"""The supervisor is killed, hangs and loses its socket; what descends from replicas is never orphaned."""

import json
import signal
import time

from tests.acceptance.faults.rig import Rig, kill, send, traffic, until

from lamplighter.model.facts import Exit


def succeeded(rig: Rig, old: int) -> float:
    """Wait until another supervisor has the lock; return how long that took."""
    return until(lambda: rig.supervisor() not in (0, old), "a successor")


def test_killed_under_traffic(rig: Rig) -> None:
    """Five times: no request fails, a successor adopts the same processes, within two seconds if it can."""
    before, took_s = rig.running(), []
    with traffic(rig) as sent:
        for _ in range(5):
            old = rig.supervisor()
            kill(old)
            took_s.append(succeeded(rig, old))
        until(rig.whole, "all is known again")
    assert (before, {"ok"}) == (
        rig.running(),
        set(sent.fates()),
    )
    assert min(took_s) < 2.0, took_s


def test_how_an_adopted_replica_ended_is_known(rig: Rig) -> None:
    """The successor is not its parent, and still tells its exit code."""
    old = rig.supervisor()
    kill(old)
    succeeded(rig, old)
    until(rig.whole, "all is known again")
    first, *_ = sorted(rig.replicas())
    rig.order(first, "all-die")

    def ends() -> list[Exit]:
        return [each.exit for each in rig.seen().replicas if each.id == first and each.exit]

    until(lambda: bool(ends()), "it has ended")
    assert [3] == [each.code for each in ends()], ends()
    until(lambda: rig.whole(first), "it is replaced")


def test_stopped_it_is_unknown_then_replaced(rig: Rig) -> None:
    """`status` says what is unknown since when; traffic goes on, nothing is done; then a successor adopts."""
    before, old = rig.replicas(), rig.supervisor()
    with traffic(rig) as sent:
        send(old, signal.SIGSTOP)
        until(lambda: "unknown for" in rig.lamp("status").out, "it is said")
        succeeded(rig, old)
        until(rig.whole, "all is known again")
    assert ({"ok"}, before.keys()) == (set(sent.fates()), rig.replicas().keys())


def test_its_socket_is_deleted(rig: Rig) -> None:
    """It listens anew, and is not replaced."""
    old = rig.supervisor()
    place = rig.home / "supervisor" / "supervisor.sock"
    place.unlink()
    until(lambda: place.exists() and rig.whole(), "there is a socket again, and it answers")
    first, *_ = sorted(rig.replicas())
    kill(rig.pid(first))
    until(lambda: rig.whole(first), "it takes orders")
    assert old == rig.supervisor()


def test_stopped_and_its_socket_deleted(rig: Rig) -> None:
    """Nobody can reach it: who holds its lock is ended, and a successor adopts."""
    before, old = rig.replicas().keys(), rig.supervisor()
    send(old, signal.SIGSTOP)
    (rig.home / "supervisor" / "supervisor.sock").unlink()
    succeeded(rig, old)
    until(rig.whole, "all is known again")
    assert before == rig.replicas().keys()


def test_a_daemon_without_marks_ends_with_its_replica(rig: Rig) -> None:
    """Forked twice, its session left and its environment empty, under a second supervisor: it is found."""
    (rig.folder / "app.py").write_text(DAEMON + (rig.folder / "app.py").read_text())
    rig.up()
    until(lambda: len(daemons(rig)) == 2, "each replica has a daemon")
    old = rig.supervisor()
    kill(old)
    succeeded(rig, old)
    until(rig.whole, "all is known again")
    first, *_ = sorted(rig.ready())
    mine = daemons(rig)[first]
    kill(rig.pid(first))
    until(lambda: mine not in [each.pid for each in rig.processes()], "its daemon ends")
    until(lambda: rig.whole(first), "two serve")
    until(lambda: len([each for each in rig.processes() if each.lineage]) == 2, "each has its daemon again")


DAEMON = """
import os, subprocess, sys
code = (
    "import os, sys, time\\n"
    "if os.fork(): os._exit(0)\\n"
    "os.setsid()\\n"
    "if os.fork(): os._exit(0)\\n"
    "os.environ.clear()\\n"
    "open(sys.argv[1], 'w').write(str(os.getpid()))\\n"
    "os.execve('/bin/sleep', ['sleep', '3600'], {})\\n"
)
place = os.path.join(os.environ["ORDERS"], "daemon-of-" + os.environ["LAMP_REPLICA"])
subprocess.run([sys.executable, "-c", code, place], check=False)
"""


def daemons(rig: Rig) -> dict[str, int]:
    """Return the pids of the daemons that live, by replica."""
    live = {each.pid for each in rig.processes() if each.lineage}
    found = {each.name.removeprefix("daemon-of-"): each for each in rig.orders.glob("daemon-of-*")}
    told = {name: json.loads(each.read_text() or "0") for name, each in found.items()}
    return {name: pid for name, pid in told.items() if pid in live}


def test_killed_while_it_replaces(rig: Rig) -> None:
    """Killed at five moments around a repair: no replica twice, none orphaned, two serve in the end."""
    for number in range(5):
        victim = min(rig.ready())
        kill(rig.pid(victim))
        time.sleep(number * 0.1)
        old = rig.supervisor()
        kill(old)
        succeeded(rig, old)
        until(lambda gone=victim: rig.whole(gone), "two serve")  # type: ignore[misc]
    assert 2 == len([each for each in rig.processes() if each.marks.get("LAMP_REPLICA")])

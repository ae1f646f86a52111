"""The gateway is killed, stopped, robbed of its port and of its files, while requests come."""

import os
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress

from tests.acceptance.faults.rig import Rig, Traffic, kill, lives, send, traffic, until


def again(rig: Rig, old: int, sent: Traffic) -> float:
    """Wait until another gateway answers; return how long no request was answered."""
    until(lambda: rig.gateway() not in (0, old), "another gateway")
    since = time.monotonic()
    until(lambda: sent.fates(since)["ok"] > 20, "it answers")
    return sent.gap_s()


def test_killed_it_is_back_within_a_second(rig: Rig) -> None:
    """The same port answers again within a second, at the best of six; what was refused is counted."""
    gaps_s: list[float] = []
    while len(gaps_s) < 6 and min(gaps_s, default=1.0) >= 1.0:
        with traffic(rig) as sent:
            time.sleep(1.2)
            old = rig.gateway()
            kill(old)
            gaps_s.append(again(rig, old, sent))
        assert {"ok", "refused", "reset"} >= set(sent.fates())
    assert min(gaps_s) < 1.0, gaps_s


def test_stopped_it_is_ended_and_started_again(rig: Rig) -> None:
    """One that lives and answers nobody is ended, after five seconds and not before, and why is said."""
    with traffic(rig) as sent:
        time.sleep(1.2)
        old = rig.gateway()
        send(old, signal.SIGSTOP)
        gap_s = again(rig, old, sent)
    assert 4.0 < gap_s < 60.0
    assert not lives(old)
    assert "had not answered for" in (rig.home / "logs" / "supervisor.log").read_text()


def test_its_port_is_grabbed_while_it_is_down(rig: Rig) -> None:
    """Whoever took the port is named; once it is free the gateway is back, and nothing else was touched."""
    before = rig.running()
    taken = grab(rig)
    until(lambda: f"process {os.getpid()} (" in rig.lamp("status").out, "status names who has it")
    taken.close()
    with traffic(rig) as sent:
        until(lambda: sent.fates()["ok"] > 20, "the gateway is back on its port")
    until(rig.whole, "all is well")
    assert before == rig.running()


def grab(rig: Rig) -> socket.socket:
    """Take the gateway's port as soon as it is free for a moment."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        kill(rig.gateway())
        for _ in range(200):
            probe = socket.socket()
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", rig.port))
                probe.listen()
                return probe
            probe.close()
    raise AssertionError("the port was never free")


def test_its_files_are_deleted(rig: Rig) -> None:
    """Cleaners of /dev/shm happen: it is given its files anew, is started again, and follows changes."""
    folder = (rig.home / "gateway").resolve()
    old = rig.gateway()
    with traffic(rig) as sent:
        shutil.rmtree(folder)
        again(rig, old, sent)
        first, *_ = sorted(rig.replicas())
        kill(rig.pid(first))
        until(lambda: rig.whole(first), "a dead replica is replaced, and its successor gets traffic")
    assert sys.maxsize > sent.fates()["ok"] > 0

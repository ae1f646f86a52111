"""Who is who among processes, with real ones."""

import os
import signal
import socket
import subprocess
import time

import msgspec

from lamplighter.targets.local import machine
from lamplighter.targets.local.supervisor import processes
from lamplighter.targets.local.supervisor.ports import Ports, can_listen, is_free


def sleeper(**marks: str) -> "subprocess.Popen[bytes]":
    """Start a process with marks in its environment."""
    return subprocess.Popen(["sleep", "60"], env={**os.environ, **marks}, start_new_session=True)


def test_a_process_is_itself_until_it_ends() -> None:
    """A live process opens; a zombie does not, nor does one that has another's start time."""
    with sleeper() as process:
        identity = processes.identify(process.pid)
        descriptor = processes.open_live(identity)
        os.close(descriptor)
        assert None is processes.open_live(msgspec.structs.replace(identity, started=identity.started + 1))
        assert None is processes.open_live(msgspec.structs.replace(identity, boot="another"))
        process.kill()
        time.sleep(0.05)
        assert None is processes.open_live(identity)


def test_marked_processes_are_found() -> None:
    """A process is found by the mark of its site, with its other marks; one of another site is not."""
    with sleeper(LAMP_SITE="s1", LAMP_REPLICA="web-1") as mine, sleeper(LAMP_SITE="s2") as other:
        found = processes.marked("s1")
        assert [(mine.pid, True, "web-1")] == [
            (each.pid, each.leads, each.marks["LAMP_REPLICA"]) for each in found
        ]
        mine.kill()
        other.kill()


def test_a_family_is_its_session_and_its_marks() -> None:
    """Members of the session count even where their environment says nothing."""
    shell = "sleep 60 & env -i sleep 61 & wait"
    with subprocess.Popen(
        ["/bin/sh", "-c", shell],
        env={**os.environ, "LAMP_SITE": "s3", "LAMP_REPLICA": "web-1"},
        start_new_session=True,
    ) as leader:
        deadline = time.monotonic() + 60
        while len(processes.family("s3", "web-1", leader.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        family = processes.family("s3", "web-1", leader.pid)
        processes.send(family, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while processes.family("s3", "web-1") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (3, []) == (len(family), processes.family("s3", "web-1"))


def test_a_start_time_is_on_the_clock_that_decides() -> None:
    """Ticks since boot become monotonic seconds."""
    with sleeper() as process:
        started = processes.started_at(processes.identify(process.pid).started)
        process.kill()
    assert abs(time.monotonic() - started) < 60.0


def test_a_port_is_given_to_one_owner() -> None:
    """Two supervisors of one machine never give the same port out, and an owner keeps its own."""
    one, two = Ports(), Ports()
    port = one.reserve("web-1")
    assert (port, False) == (one.reserve("web-1"), two.claim("web-2", port))
    one.release("web-1")
    assert two.claim("web-2", port)
    two.release("web-2")


def test_a_port_just_left_is_not_next() -> None:
    """The next port is another one, so that late requests for the old one meet nobody."""
    ports = Ports()
    first = ports.reserve("web-1")
    ports.release("web-1")
    assert first != ports.reserve("web-2")
    ports.release("web-2")


def test_a_port_in_use_is_not_free() -> None:
    """Neither for a server nor for a replica."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert (False, False) == (is_free(port), can_listen("127.0.0.1", port))
    assert can_listen("127.0.0.1", port)


def test_usage_counts_the_whole_session() -> None:
    """Memory and cores are those of a replica's processes together; cores need two readings."""
    usage = machine.Usage()
    with subprocess.Popen(["/bin/sh", "-c", "while :; do :; done & wait"], start_new_session=True) as leader:
        first = usage.read([leader.pid])[leader.pid]
        deadline, cores = time.monotonic() + 60, 0.0
        while cores <= 0.1 and time.monotonic() < deadline:
            time.sleep(0.3)
            memory, cores = usage.read([leader.pid])[leader.pid]
        os.killpg(leader.pid, signal.SIGKILL)
    assert (None, True, True) == (first[1], memory > 100_000, cores > 0.1)
    assert {} == usage.read([leader.pid])

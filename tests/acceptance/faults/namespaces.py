"""Stories for namespaces of their own: `python -m tests.acceptance.faults.namespaces STORY FOLDER`.

Run as the first process of a pid namespace, with a network that is down at first; prints nothing if all held.
"""

import asyncio
import fcntl
import os
import resource
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.acceptance.cli.conftest import LAMP
from tests.acceptance.faults.rig import Rig, kill, rigged, traffic, until
from tests.acceptance.local.site import Site, on_a_site

UP, GET, SET = 0x1, 0x8913, 0x8914
"""IFF_UP, SIOCGIFFLAGS, SIOCSIFFLAGS of linux/if.h and linux/sockios.h."""


def loopback(*, up: bool) -> None:
    """Bring this namespace's only interface up, or take it down."""
    with socket.socket() as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, GET, asked))[1]
        wanted = flags | UP if up else flags & ~UP
        fcntl.ioctl(any_socket, SET, struct.pack("16sh14x", b"lo", wanted))


@on_a_site
async def reused_pid(site: Site) -> None:
    """Give a dead replica's pid to a stranger: it is not adopted, not signalled, and outlives everything."""
    (web,) = await site.serving()
    pid, supervisor = (await site.replica(web)).pid or 0, await site.supervisor_pid()
    for each in (supervisor, pid):
        kill(each)
        await asyncio.to_thread(reaped, each)
    stranger = impostor(pid)
    await site.shift()
    assert (await site.exited(web)).exit
    await site.dismantle()
    assert stranger.poll() is None
    stranger.kill()


def reaped(pid: int) -> None:
    """Wait for an orphan: the first process of a namespace inherits them all."""
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def impostor(pid: int) -> "subprocess.Popen[bytes]":
    """Start a program under a pid that was another's."""
    for _ in range(50):
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        started = subprocess.Popen(["sleep", "60"])
        if started.pid == pid:
            return started
        started.kill()
        started.wait()
    raise AssertionError(f"pid {pid} was not given out again")


def no_network(folder: Path) -> None:
    """Take the loopback down for some seconds under a running system: it comes back by itself."""
    with rigged(folder) as rig:
        until(rig.whole, "two serve")
        loopback(up=False)
        until(lambda: "not ready" in rig.lamp("status").out, "it is said")
        time.sleep(4)
        loopback(up=True)
        with traffic(rig) as sent:
            until(rig.whole, "two serve again")
            until(lambda: sent.fates()["ok"] > 40, "callers are answered")
        log = (rig.home / "logs" / "supervisor.log").read_text()
        assert log.count("replica-started") <= 6, log
        assert log.count("gateway-ended") == 0, log


def few_files(folder: Path) -> None:
    """With 24 files that a process may open, what lacks is said; 64 are enough."""
    for files, code, words in ((64, 0, "2/2"), (24, 7, "Too many open files")):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        (folder / str(files)).mkdir()
        rig = Rig(folder / str(files))
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        command = ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", LAMP, "up", "-d", "-y", "--wait", "8"]
        env = os.environ | {"LAMP_STATE_DIR": str(rig.state)}
        ran = subprocess.run(command, cwd=rig.folder, env=env, check=False, capture_output=True, text=True)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        try:
            assert code == ran.returncode, ran.stdout + ran.stderr
            until(lambda r=rig, w=words: w in r.lamp("status").out, words)  # type: ignore[misc]
            assert 0 == rig.lamp("down").code
        finally:
            rig.kill_all()


def slept(folder: Path) -> None:
    """Where CLOCK_BOOTTIME is a day ahead of CLOCK_MONOTONIC: a dead one is replaced all the same."""
    assert time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic() > 80_000
    with rigged(folder) as rig:
        until(rig.whole, "two serve")
        found = rig.seen()
        ages_s = [found.at - each.started_at for each in found.replicas]
        assert all(-1 < each < 120 for each in ages_s), ages_s
        first, _ = sorted(rig.replicas())
        with traffic(rig) as sent:
            kill(rig.pid(first))
            until(lambda: rig.whole(first), "the dead is replaced")
            old = rig.supervisor()
            kill(old)
            until(lambda: rig.supervisor() not in (0, old), "a successor")
            until(rig.whole, "two serve still")
        assert {"ok"} == set(sent.fates()), sent.fates()
        assert 0 == rig.lamp("replay").code


def main(story: str, folder: Path) -> None:
    """Tell one story."""
    if story == "slept":
        slept(folder)
        return
    loopback(up=True)
    {"reused_pid": reused_pid, "no_network": no_network, "few_files": few_files}[story](folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

"""Signals are lost: the admin socket does not answer, the clock jumps, the network goes, all of it sleeps."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.acceptance.faults.rig import Rig, kill, send, traffic, until

from lamplighter.targets.local.client import MODULE


def test_the_dead_are_replaced_while_health_is_silent(rig: Rig) -> None:
    """The gateway's counters cannot be read: it is said since when, and a death is repaired all the same."""
    first, second = sorted(rig.replicas())
    admin = (rig.home / "gateway" / "admin.sock").resolve()
    until(lambda: not rig.seen().pending, "at rest")
    admin.rename(admin.with_name("unheard.sock"))
    with socket.socket(socket.AF_UNIX) as mute:  # somebody takes the questions and answers none
        mute.bind(str(admin))
        mute.listen(64)
        until(lambda: "unknown for" in rig.lamp("status").out, "it is said")
        kill(rig.pid(first))
        until(lambda: len(rig.living() - {first}) == 2, "it is replaced")
        assert second in rig.living()
    admin.unlink()
    until(rig.whole, "its counters are read again")


@pytest.mark.parametrize("asleep_s", [8, pytest.param(30, marks=pytest.mark.heavy)])
def test_everything_sleeps(rig: Rig, asleep_s: float) -> None:
    """As when a lid is closed: nothing is done about what was only asleep, and requests are answered."""
    before, pids = rig.running(), [rig.maintainer(), rig.supervisor(), rig.gateway()]
    everyone = [*pids, *before.values()]
    for pid in everyone:
        send(pid, signal.SIGSTOP)
    time.sleep(asleep_s)
    for pid in everyone:
        send(pid, signal.SIGCONT)
    with traffic(rig) as sent:
        until(lambda: sent.fates()["ok"] > 40, "it answers")
        until(rig.whole, "all is known again")
    assert before == rig.running()


SHIFT = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long shift(void) {
    char text[32] = {0};
    int file = open(PLACE, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
    close(file);
    return atol(text);
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += shift();
    return code;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    int code = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
    return code;
}
time_t time(time_t *at) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (at) *at = exact.tv_sec;
    return exact.tv_sec;
}
"""


def test_wall_time_jumps_by_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Back and forth under traffic, for maintainer and supervisor: labels change, and nothing else does."""
    place = tmp_path / "shift"
    monkeypatch.setenv("LD_PRELOAD", str(preloaded(tmp_path, place)))
    with shifted(tmp_path) as rig:
        before = rig.running()
        with traffic(rig) as sent:
            for hours in (9, -10, 3, 0):
                place.write_text(str(hours * 3600))
                number = rig.seen().number
                until(lambda seen=number: rig.seen().number > seen + 2, "passes go on")  # type: ignore[misc]
        assert (before, {"ok"}) == (rig.running(), set(sent.fates()))
        first = min(before)
        place.write_text(str(-5 * 3600))
        kill(rig.pid(first))
        until(lambda: rig.whole(first), "repair goes on")
        walls = [json.loads(each)["wall"] for each in rig.lamp("ledger", "--json").out.splitlines()]
        assert walls != sorted(walls)
        assert (0, 0) == (rig.lamp("ledger", "--verify").code, rig.lamp("replay").code)


@contextmanager
def shifted(folder: Path) -> Iterator[Rig]:
    """Give a system whose supervisor, too, has our environment: a maintainer passes little of its own on."""
    rig = Rig(folder)
    rig.home.mkdir(parents=True, mode=0o700)
    subprocess.run([sys.executable, "-P", "-m", MODULE, str(rig.home), rig.name], check=True)
    try:
        rig.up()
        yield rig
        assert 0 == rig.lamp("down").code
    finally:
        rig.kill_all()


def preloaded(folder: Path, place: Path) -> Path:
    """Return a library that shifts the wall clock of who loads it by the seconds in a file."""
    source, library = folder / "shift.c", folder / "shift.so"
    source.write_text(f'#define PLACE "{place}"\n{SHIFT}')
    try:
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no C compiler to shift the clock with: {error}")
    return library


STORY = "tests.acceptance.faults.namespaces"


SLOW = ("no_network", "few_files")


@pytest.mark.parametrize(
    "story", ["reused_pid", *(pytest.param(each, marks=pytest.mark.heavy) for each in SLOW)]
)
def test_in_a_namespace_of_its_own(tmp_path: Path, story: str) -> None:
    """A reused pid is no replica; a network that goes comes back; with few files it is said what lacks."""
    command = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc"]
    ran = subprocess.run(
        [*command, sys.executable, "-m", STORY, story, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": "."},
    )
    if "unshare:" in ran.stderr:
        pytest.skip(f"no namespaces here: {ran.stderr}")
    assert (0, "") == (ran.returncode, ran.stderr), ran.stdout

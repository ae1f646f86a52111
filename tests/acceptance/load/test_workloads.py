"""The prototypes to measure with, as real processes."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.load.chaos import InFlightFiles, strike
from benchmarks.load.driver import running
from benchmarks.load.executions import count_executions
from benchmarks.load.profile import Stage
from benchmarks.load.tally import Report
from benchmarks.load.traffic import Kind, Traffic

Fetch = Callable[[str, str], tuple[int, bytes]]
WORKLOADS = pytest.mark.parametrize("workload", ["work", "command"])


async def driven(traffic: Traffic, after_s: float, act: Callable[[], object]) -> Report:
    """Run the traffic and do something a while after it began."""
    async with running(traffic) as load:
        await asyncio.sleep(max(0.0, load.started_at + after_s - time.monotonic()))
        await asyncio.to_thread(act)
        return await load.finished()


def mixed(url: str, seconds: float = 1.0) -> Traffic:
    """All kinds of plain requests."""
    mix: dict[Kind, float] = {Kind.GET: 2, Kind.POST_KEYED: 1, Kind.POST: 1}
    return Traffic(url=url, stages=(Stage(seconds, 40),), mix=mix)


@WORKLOADS
def test_every_post_is_carried_out_once(start: Any, tmp_path: Path, workload: str) -> None:
    """Under load nothing fails, and the file of executions has each POST once."""
    file = tmp_path / "executions"
    _, url = start(workload, WORK_EXECUTIONS=str(file))
    report = asyncio.run(driven(mixed(url), 0, lambda: None))
    found = count_executions(file)
    assert (0, 0, {}, set()) == (report.failed, report.cut, found.repeated, found.lost)
    assert report.count("post") + report.count("post-key") == len(found.done)


@WORKLOADS
def test_same_request_takes_the_same_time_everywhere(start: Any, fetch: Fetch, workload: str) -> None:
    """Service time comes from the request's id and the seed, so that a run can be repeated."""
    _, url = start(workload)
    assert 30.0 == json.loads(fetch("GET", f"{url}/work?ms=30")[1])["ms"]
    began = time.monotonic()
    fetch("GET", f"{url}/work?ms=200")
    assert 0.2 <= time.monotonic() - began < 10.0


@WORKLOADS
def test_stream_is_whole_and_slots_are_bounded(start: Any, workload: str) -> None:
    """A stream ends with its end mark; two slots of 100 ms do 20 requests a second and no more."""
    _, url = start(workload, WORK_SLOTS="2")
    traffic = Traffic(
        url=url,
        stages=(Stage(0.5, 60), Stage(0.11, 10)),
        spacing="constant",
        mix={Kind.GET: 30, Kind.STREAM: 1},
        paths={Kind.GET: "/work?ms=100"},
        stream_s=1.0,
        slow_s=5.0,
        seed=2,
    )
    report = asyncio.run(driven(traffic, 0, lambda: None))
    assert (0, report.requests) == (report.cut, report.count(fate="ok"))
    assert report.count("stream") > 0
    assert report.latency["get"].most > 0.7


@WORKLOADS
@pytest.mark.parametrize(
    ("mode", "health", "work"), [("healthy", 200, 200), ("sick", 500, 200), ("lie", 200, 500)]
)
def test_modes_change_what_is_answered(
    start: Any, fetch: Fetch, workload: str, mode: str, health: int, work: int
) -> None:  # fmt: skip
    """A replica can be sick, or lie about its health, when told to."""
    _, url = start(workload)
    assert 200 == fetch("POST", f"{url}/control?mode={mode}")[0]
    time.sleep(0.1)
    assert (health, work) == (fetch("GET", f"{url}/healthz")[0], fetch("GET", f"{url}/work?ms=1")[0])


@WORKLOADS
def test_hung_replica_answers_nothing(start: Any, fetch: Fetch, workload: str) -> None:
    """A hung replica takes connections and keeps silent, until it is told to be healthy."""
    process, url = start(workload, WORK_MODE="hang")
    asked = asyncio.run(driven(Traffic(url=url, stages=(Stage(0.3, 10),), give_up_s=0.5), 0, lambda: None))
    assert {"get": {"no-headers": asked.requests}} == asked.totals
    assert 200 == fetch("POST", f"{url}/control?mode=healthy")[0]
    time.sleep(0.1)
    assert 200 == fetch("GET", f"{url}/healthz")[0]
    assert process.poll() is None


@WORKLOADS
def test_crash_ends_the_process(start: Any, fetch: Fetch, workload: str) -> None:
    """Told to crash, it ends at once with code 3."""
    process, url = start(workload)
    with contextlib.suppress(OSError):
        fetch("POST", f"{url}/control?mode=crash")
    assert 3 == process.wait(timeout=5)


@WORKLOADS
def test_sigterm_ends_it_after_its_work(start: Any, workload: str) -> None:
    """Requests on hand when SIGTERM comes are answered before it ends."""
    process, url = start(workload)
    traffic = Traffic(
        url=url, stages=(Stage(0.25, 20),), spacing="constant", paths={Kind.GET: "/work?ms=1500"}
    )
    report = asyncio.run(driven(traffic, 0.6, process.terminate))
    assert {"get": {"ok": report.requests}} == report.totals
    process.wait(timeout=10)


@WORKLOADS
def test_stubborn_replica_ignores_sigterm(start: Any, fetch: Fetch, workload: str) -> None:
    """Told to be stubborn, it goes on answering after SIGTERM."""
    process, url = start(workload, WORK_MODE="stubborn")
    assert 200 == fetch("GET", f"{url}/work?ms=1")[0]
    process.send_signal(signal.SIGTERM)
    time.sleep(0.4)
    assert (200, None) == (fetch("GET", f"{url}/work?ms=1")[0], process.poll())


def test_start_takes_as_long_as_told(start: Any) -> None:
    """START_S passes before the port listens."""
    began = time.monotonic()
    start("work", START_S="0.8")
    assert 0.8 < time.monotonic() - began


def test_leak_grows_the_process(start: Any) -> None:
    """Told to leak, its memory grows by about what it was told."""
    process, _ = start("work", WORK_MODE="leak", WORK_LEAK_BYTES_PER_S=str(100 << 20))
    before = resident_bytes(process)
    time.sleep(0.6)
    assert resident_bytes(process) - before > 20 << 20


def test_frozen_replica_takes_no_request(start: Any) -> None:
    """A frozen replica's loop stands still: connections are taken by the kernel, nothing is answered."""
    _, url = start("work", WORK_MODE="freeze", WORK_MODE_AFTER_S="0.1")
    time.sleep(0.2)
    asked = asyncio.run(driven(Traffic(url=url, stages=(Stage(0.3, 10),), give_up_s=0.5), 0, lambda: None))
    assert {"get": {"no-headers": asked.requests}} == asked.totals


def test_requests_on_hand_are_known_after_a_kill(start: Any, tmp_path: Path) -> None:
    """A replica killed with five requests on hand leaves the number five behind."""
    process, url = start("work", WORK_INFLIGHT_DIR=str(tmp_path))
    kills = []
    traffic = Traffic(
        url=url, stages=(Stage(0.26, 20),), spacing="constant", paths={Kind.GET: "/work?ms=3000"}
    )
    report = asyncio.run(
        driven(traffic, 0.8, lambda: kills.append(strike(process.pid, in_flight=InFlightFiles(tmp_path))))
    )
    assert [5] == [kill and kill.in_flight for kill in kills]
    assert {"get": {"no-headers": 5}} == report.totals


def test_websocket_is_closed_properly_on_sigterm(start: Any) -> None:
    """A WebSocket open when the replica is told to end is closed with a code, not dropped."""
    process, url = start("work")
    traffic = Traffic(url=url, stages=(Stage(0.11, 10),), spacing="constant", mix={Kind.WEBSOCKET: 1})
    report = asyncio.run(driven(traffic, 0.5, process.terminate))
    assert ({"websocket": {"closed": 1}}, {"server:1012": 1}) == (report.totals, report.closes)


def resident_bytes(process: subprocess.Popen[bytes]) -> int:
    """The memory the process has in use."""
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")

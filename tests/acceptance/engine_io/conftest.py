"""Real maintainers as processes, on a site that outlives them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lamplighter.app.client import Client
from lamplighter.model.intents import Up
from lamplighter.model.system import Guards, Range, Repair, RolloutPolicy, Run, Service, System

ROOT = Path(__file__).parents[3]
SYSTEM = "library"
SITE = "tests.acceptance.engine_io.site:FileSite"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a system, deep enough that a socket's address would not hold its path."""
    folder = tmp_path / ("deep" * 20) / SYSTEM
    folder.mkdir(parents=True, mode=0o700)
    return folder


@pytest.fixture
def client(state: Path) -> Client:
    """A client of the system's maintainer."""
    return Client(state)


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    """Start maintainers; all of them are gone after the test."""
    started: list[subprocess.Popen[str]] = []

    def starting(
        *, interval_s: float = 0.05, loses: float = 0.0, under: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "lamplighter.faces.http", "--state", str(state), "--system", SYSTEM]
        process = subprocess.Popen(
            [*under, *command, "--target", SITE, "--interval", str(interval_s)],
            cwd=ROOT,
            env=os.environ | {"SITE_LOSES": str(loses)},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield starting
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate(timeout=10)


def up(name: str = "i-up") -> Up:
    """An intent for three replicas that may be repaired as often as need be."""
    service = Service(
        name="search",
        run=Run(kind="app", value="library:app"),
        replicas=Range(min=3, max=3),
        rollout=RolloutPolicy(steps=(1.0,), bake_s=0.0),
        repair=Repair(attempts=100_000, backoff_s=0.0),
        route="/search",
    )
    guards = Guards(actions=1_000_000, at_risk=1.0)
    wanted = System(name=SYSTEM, services={"search": service}, guards=guards)
    return Up(id=name, system=wanted, releases={"search": "r-1"})


def until(
    condition: Callable[[], bool], *, within_s: float = 20.0, of: subprocess.Popen[str] | None = None
) -> None:
    """Wait for something to come true, at most until the process that it depends on has ended."""
    end = time.monotonic() + within_s
    while not condition():
        assert of is None or of.poll() is None, f"the maintainer ended: {of.communicate()[1]}"
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def ready(client: Client) -> bool:
    """Whether three replicas serve and nothing is on its way."""
    seen = client.status()
    return not seen.pending and [3] == [each.ready for each in seen.workloads]

"""Part `path`: a request's way through our gateway against Envoy configured by hand, equal in what it does.

A real system is up; its gateway, the equal Envoy and a bare one pass requests on to the same replicas, in
turns within one run. The gateway that is measured has one core to itself, the load and the replicas the
other. Slices are short and many, and every share is a median over rounds of a ratio within one round, since
a machine that is shared is never the same for long.
"""

import asyncio
import gc
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load.hammer import Hammer
from benchmarks.load.tally import nearest_rank
from benchmarks.local import byhand
from benchmarks.local.processes import GATEWAY, of_role, prefer
from benchmarks.local.spec import SERVICE, Wish, spec
from benchmarks.local.stand import Stand, free_port, stand
from benchmarks.report import Figures, Options, at_least, at_most
from lamplighter.targets.local.gateway.command import binary

REPLICAS = 4
OURS, EQUAL, BARE = "ours", "by_hand", "bare"
CONNECTIONS = 32
NICE = -11
"""Of every session that takes part, so that none is given more of a shared machine than another."""
HEALTH = "/healthz"


@dataclass(frozen=True, slots=True)
class Turns:
    """How often and how long each is measured: rounds of saturation, then rounds at a fixed rate."""

    rounds: int = 100
    slice_s: float = 0.4
    timed_rounds: int = 90
    timed_s: float = 1.0
    rate: float = 1500.0


FULL, QUICK = Turns(), Turns(rounds=10, slice_s=0.25, timed_rounds=8, timed_s=0.5)
SERVED_RATE = 100.0
SERVED_ROUNDS, SERVED_S = 7, 8.0
SERVED_ROUNDS_QUICK, SERVED_QUICK_S = 3, 5.0
BOUNDS = {
    "path_requests_share": at_least(0.97),
    "path_p99_share": at_most(1.10),
    "path_served_p99_share": at_most(1.10),
}
Contestants = Mapping[str, tuple[int, int]]
"""Name to port and pid."""


async def measure(figures: Figures, options: Options) -> None:
    """Measure the three against replicas that cost nothing, then ours and its equal against Python."""
    turns = QUICK if options.quick else FULL
    async with _system(_quick) as (site, envoys):
        _saturated(figures, envoys, turns, options)
        _timed(figures, envoys, turns, options, HEALTH)
        figures.parts["path"]["left"] = [each.role for each in await site.down()]
    async with _system(_work) as (site, envoys):
        _served(figures, envoys, options)
        await site.down()


# --- what is measured


def _saturated(figures: Figures, envoys: Contestants, turns: Turns, options: Options) -> None:
    """Closed-loop: requests a second, and the processor time of a request."""
    per_s: dict[str, list[float]] = {name: [] for name in envoys}
    cpu_us: dict[str, list[float]] = {name: [] for name in envoys}
    with _apart(envoys), _no_collection():
        hammers = {name: Hammer(port, HEALTH, CONNECTIONS) for name, (port, _) in envoys.items()}
        for turn in range(turns.rounds):
            for name in _rotated(list(envoys), turn):
                hammer, pid, before = hammers[name], envoys[name][1], hammers[name].done
                spent_ns = cpu_ns(pid)
                per_s[name].append(hammer.closed(turns.slice_s))
                cpu_us[name].append((cpu_ns(pid) - spent_ns) / 1000 / (hammer.done - before))
            if turn % 10 == 0:
                told = ", ".join(f"{name} {per_s[name][-1]:.0f}/s" for name in envoys)
                options.progress(f"path: round {turn + 1} of {turns.rounds}: {told}")
        figures.put("path_bad_answers", sum(each.bad for each in hammers.values()))
    _put_share(figures, "path_requests_share", per_s, EQUAL)
    _put_share(figures, "path_cpu_share", cpu_us, EQUAL)
    _put_share(figures, "path_cpu_share_of_bare", cpu_us, BARE)
    for name in envoys:
        figures.put(f"path_{name}_requests_per_s", statistics.median(per_s[name]))
        figures.put(f"path_{name}_cpu_us", statistics.median(cpu_us[name]))
    figures.parts["path"] = {"requests_per_s": _spreads(per_s), "cpu_us": _spreads(cpu_us)}


def _timed(figures: Figures, envoys: Contestants, turns: Turns, options: Options, path: str) -> None:
    """Open-loop at one rate: p99 of the time since a request was due."""
    took: dict[str, list[list[float]]] = {name: [] for name in envoys}
    with _apart(envoys), _no_collection():
        hammers = {name: Hammer(port, path, CONNECTIONS) for name, (port, _) in envoys.items()}
        for turn in range(turns.timed_rounds):
            for name in _rotated(list(envoys), turn):
                each, _ = hammers[name].open(turns.rate, turns.timed_s, options.seed + turn)
                took[name].append(sorted(each))
    _put_latency(figures, "path", took)
    figures.put("path_rate_per_s", turns.rate)


def _served(figures: Figures, envoys: Contestants, options: Options) -> None:
    """The same before replicas that take their time: ours and its equal, at the rate that those bear."""
    rounds = SERVED_ROUNDS_QUICK if options.quick else SERVED_ROUNDS
    seconds = SERVED_QUICK_S if options.quick else SERVED_S
    took: dict[str, list[list[float]]] = {name: [] for name in (OURS, EQUAL)}
    hammers = {name: Hammer(envoys[name][0], "/work?ms=50", 2 * CONNECTIONS) for name in took}
    for turn in range(rounds):
        for name in _rotated(list(took), turn):
            each, _ = hammers[name].open(SERVED_RATE, seconds, options.seed + turn)
            took[name].append(sorted(each))
        options.progress(f"path: Python replicas, round {turn + 1} of {rounds}")
    _put_latency(figures, "path_served", took)


# --- who is measured


@asynccontextmanager
async def _system(write: Callable[[Stand], None]) -> AsyncIterator[tuple[Stand, Contestants]]:
    """Give a system that is up, and the two Envoys beside its gateway."""
    async with stand() as site:
        write(site)
        await site.must("up", "-d", "-y")
        await site.settled(REPLICAS)
        observed = await site.supervised()
        assert observed is not None, "the system is up"
        replicas = [each.port for each in observed.replicas]
        ports = {EQUAL: free_port(), BARE: free_port()}
        made = {EQUAL: byhand.equal(ports[EQUAL], replicas, HEALTH), BARE: byhand.bare(ports[BARE], replicas)}
        with ExitStack() as stack:
            envoys = {OURS: (site.port, of_role(site.processes(), GATEWAY)[0])}
            for name, port in ports.items():
                envoys[name] = (port, stack.enter_context(_envoy(made[name])))
            for port, _ in envoys.values():
                await _answers(port)
            sessions = [each.pid for each in site.processes() if each.leads]
            prefer([os.getpid(), *sessions, *(pid for _, pid in envoys.values())], NICE)
            yield site, envoys


def _quick(site: Stand) -> None:
    """Write a spec of replicas that answer at once."""
    whole = json.loads(spec(Wish(replicas=(REPLICAS, REPLICAS)), site.port))
    source = Path(__file__).parents[1] / "workloads" / "quick.py"
    (site.project / "quick.py").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    service = whole["services"][SERVICE]
    del service["app"]
    service |= {"command": "python quick.py", "env": {"QUICK_ENVOY": str(binary())}}
    (site.project / "lamp.yaml").write_text(json.dumps(whole), encoding="utf-8")


def _work(site: Stand) -> None:
    """Write a spec of replicas that do real work."""
    text = spec(Wish(replicas=(REPLICAS, REPLICAS)), site.port)
    (site.project / "lamp.yaml").write_text(text, encoding="utf-8")


@contextmanager
def _envoy(configuration: dict[str, Any]) -> Iterator[int]:
    """Run an Envoy with as many workers as ours has; gives its pid."""
    with tempfile.TemporaryDirectory(prefix="lamp-byhand-") as folder:
        (Path(folder) / "envoy.json").write_text(json.dumps(configuration), encoding="utf-8")
        words = ["-c", "envoy.json", "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
        process = subprocess.Popen([str(binary()), *words], cwd=folder, start_new_session=True)
        try:
            yield process.pid
        finally:
            process.kill()
            process.wait()


async def _answers(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(OSError, AssertionError, ValueError):
            Hammer(port, HEALTH, 1)
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"nothing answers on {port}")


# --- how the machine is shared out


@contextmanager
def _apart(envoys: Contestants) -> Iterator[None]:
    """Give the gateways one core and the load another, if there are two."""
    cores = sorted(os.sched_getaffinity(0))
    for _, pid in envoys.values():
        _pin(pid, {cores[0]})
    os.sched_setaffinity(0, {cores[-1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(cores))


def _pin(pid: int, cores: set[int]) -> None:
    for each in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(each.name), cores)


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def cpu_ns(pid: int) -> int:
    """Return the processor time of all threads of a process so far, in nanoseconds (proc(5), schedstat)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((each / "schedstat").read_text(encoding="ascii").split()[0]) for each in tasks)


# --- what comes of it


def _rotated(names: Sequence[str], turn: int) -> list[str]:
    shift = turn % len(names)
    return [*names[shift:], *names[:shift]]


def _put_share(figures: Figures, name: str, values: Mapping[str, Sequence[float]], of: str) -> None:
    """Put the median over rounds of ours by another's, both of the same round."""
    shares = [ours / other for ours, other in zip(values[OURS], values[of], strict=True)]
    figures.put(name, statistics.median(shares))
    low, _, high = statistics.quantiles(shares, n=4)
    figures.put(f"{name}_quarter", low)
    figures.put(f"{name}_three_quarters", high)


def _put_latency(figures: Figures, prefix: str, took: Mapping[str, list[list[float]]]) -> None:
    p99_s = {name: [nearest_rank(each, 0.99) for each in rounds] for name, rounds in took.items()}
    _put_share(figures, f"{prefix}_p99_share", p99_s, EQUAL)
    for name in took:
        figures.put(f"{prefix}_{name}_p99_ms", statistics.median(p99_s[name]) * 1000)
        halves = [nearest_rank(each, 0.5) for each in took[name]]
        figures.put(f"{prefix}_{name}_p50_ms", statistics.median(halves) * 1000)


def _spreads(values: Mapping[str, list[float]]) -> dict[str, Any]:
    return {name: [round(each, 2) for each in taken] for name, taken in values.items()}

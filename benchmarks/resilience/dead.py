"""One dependency of three hangs: its callers must not take the others' places.

A dependency is stopped and let go on again, in turns, so that a drift of the machine falls on both alike. The
baseline is the same caller with one pool of places for all three, and no breaker.
"""

import asyncio
import signal
import statistics
from typing import Any

from benchmarks.load import Kind, Sample, Stage, Traffic, running
from benchmarks.report import Bound, Options, at_most
from benchmarks.resilience.serving import Server, servers

TURNS, TURNS_QUICK = 6, 2
TURN_S = 4.0
SETTLE_S = 1.0
RATE = 25.0
NAMES = ("a", "b", "dead")
OWN: dict[str, Any] = {"timeout_s": 0.5, "retries": 1, "concurrency": 16, "breaker": {}}
SHARED: dict[str, Any] = {"timeout_s": 0.5, "retries": 1, "concurrency": 4, "waiting": 1000}
BOUNDS: dict[str, Bound] = {
    "dead_others_p50_times": at_most(1.1),
    "dead_others_p95_times": at_most(1.1),
}

Moments = list[tuple[float, float, bool]]


async def measure(options: Options) -> None:
    """Measure the others' latency while one hangs, against while it does not."""
    turns = TURNS_QUICK if options.quick else TURNS
    own = await _run(OWN, turns, [], options)
    shared = await _run(SHARED, TURNS_QUICK, list(NAMES), options)
    for name, times in own.items():
        options.figures.put(f"dead_others_{name}_times", times, BOUNDS.get(f"dead_others_{name}_times"))
    options.figures.baselines |= {f"dead_others_{name}_times_shared": each for name, each in shared.items()}


async def _run(policy: dict[str, Any], turns: int, shared: list[str], options: Options) -> dict[str, float]:
    backends = {name: Server("backend", {"work_s": 0.02, "workers": 100}) for name in NAMES}
    settings = {
        "calls": {name: each.url for name, each in backends.items()},
        "policies": dict.fromkeys(NAMES, policy),
        "shared": shared,
    }
    caller = Server("caller", settings)
    loop, moments = asyncio.get_running_loop(), list[tuple[float, float, bool]]()
    async with servers(*backends.values(), caller):
        seconds = 1 + 2 * turns * TURN_S
        loads = asyncio.gather(*(_samples(caller, name, seconds, options.seed) for name in NAMES))
        await asyncio.sleep(2)
        for turn in range(2 * turns):
            hangs = bool(turn % 2)
            backends["dead"].signal(signal.SIGSTOP if hangs else signal.SIGCONT)
            moments.append((loop.time() + SETTLE_S, loop.time() + TURN_S, hangs))
            await asyncio.sleep(TURN_S)
        backends["dead"].signal(signal.SIGCONT)
        taken = [
            each for name, part in zip(NAMES, await loads, strict=True) if name != "dead" for each in part
        ]
    return _times(taken, moments)


def _times(taken: list[Sample], moments: Moments) -> dict[str, float]:
    sides: dict[bool, list[float]] = {True: [], False: []}
    for begin, end, hangs in moments:
        sides[hangs] += [each.took_s for each in taken if begin <= each.scheduled_at < end]
    cuts = {hangs: statistics.quantiles(each, n=20) for hangs, each in sides.items()}
    return {"p50": cuts[True][9] / cuts[False][9], "p95": cuts[True][18] / cuts[False][18]}


async def _samples(caller: Server, name: str, seconds: float, seed: int) -> list[Sample]:
    traffic = Traffic(
        url=caller.url, stages=(Stage(seconds, RATE),), paths={Kind.GET: f"/call/{name}"}, name=name,
        seed=seed, give_up_s=5.0,
    )  # fmt: skip
    async with running(traffic) as load:
        await load.finished()
        return load.samples

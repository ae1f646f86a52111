"""A retry storm: what three callers send while what they call is dead, and as it comes back.

One retries under a budget, one under a budget and a breaker, one as libraries do by themselves: three times,
with full jitter, whatever the others do. The load of a second is the tries in it, by
the normal rate or the calls in it, whichever is more: a machine that stands still for a moment bunches calls.
"""

import asyncio
from typing import Any

from benchmarks.load import Kind, Stage, Traffic, measured
from benchmarks.report import Bound, Options, at_most
from benchmarks.resilience.serving import Server, servers

OUTAGE_S, OUTAGE_QUICK_S = 30.0, 8.0
BEFORE_S, AFTER_S = 5.0, 10.0
RATE = 50.0
POLICIES: dict[str, dict[str, Any]] = {
    "budget": {"retries": 3, "timeout_s": 1.0},
    "breaker": {"retries": 3, "timeout_s": 1.0, "breaker": {}},
    "without": {},
}
BOUNDS: dict[str, Bound] = {
    "storm_budget_load_most_times": at_most(1.2),
    "storm_breaker_load_most_times": at_most(1.2),
    "storm_recovery_s": at_most(3.0),
}


async def measure(options: Options) -> None:
    """Kill all three backends for a while, under a steady load."""
    outage_s = OUTAGE_QUICK_S if options.quick else OUTAGE_S
    backends = {name: Server("backend", {"work_s": 0.01}) for name in POLICIES}
    callers = {name: _caller(name, each.url) for name, each in backends.items()}
    async with servers(*backends.values(), *callers.values()):
        seconds = BEFORE_S + outage_s + AFTER_S
        loads = asyncio.gather(*(measured(_traffic(each, name, seconds)) for name, each in callers.items()))
        await asyncio.sleep(BEFORE_S + 1)
        await asyncio.gather(*(each.end() for each in backends.values()))
        await asyncio.sleep(outage_s)
        await asyncio.gather(*(each.start() for each in backends.values()))
        reports = dict(zip(POLICIES, await loads, strict=True))
        sent = {name: (await each.get("/sent"))[name] for name, each in callers.items()}
        counted = {name: (await each.get("/counted"))[name] for name, each in callers.items()}
        options.figures.parts["storm"] = {"sent": sent, "counted": counted}
    for name in POLICIES:
        most = max(tries / max(RATE, calls) for _, calls, tries in sent[name])
        if name == "without":
            options.figures.baselines["storm_without_budget_load_most_times"] = most
        else:
            figure = f"storm_{name}_load_most_times"
            options.figures.put(figure, most, BOUNDS[figure])
    series = reports["breaker"].series
    began = next((each.at for each in series if each.failed), 0.0)
    last = max((each.at for each in series if each.failed), default=0.0)
    recovery = max(0.0, last + 1 - began - outage_s)
    options.figures.put("storm_recovery_s", recovery, BOUNDS["storm_recovery_s"])


def _caller(name: str, url: str) -> Server:
    """A caller in a process of its own: what one does must not slow the others."""
    plain = ["without"] if name == "without" else []
    return Server("caller", {"calls": {name: url}, "policies": {name: POLICIES[name]}, "plain": plain})


def _traffic(caller: Server, name: str, seconds: float) -> Traffic:
    return Traffic(
        url=caller.url, stages=(Stage(seconds, RATE),), paths={Kind.GET: f"/call/{name}"}, name=name,
        spacing="constant", slow_s=5.0,
    )  # fmt: skip

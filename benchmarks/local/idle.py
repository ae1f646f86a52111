"""Part `idle`: the start of the command, and what maintainer and supervisor take while nothing happens (8).

The bare interpreter is the real binary behind any link or shim, isolated (`-I`), without site packages (`-S`)
and told to do nothing: the cheapest start there is, so the strictest to be measured against.
"""

import asyncio
import os
import subprocess
import sys
import time

from benchmarks.local.processes import GATEWAY, MAINTAINER, SUPERVISOR, cpu_s, of_role, pss_bytes
from benchmarks.local.spec import Wish
from benchmarks.local.stand import Stand, lamp_command, stand
from benchmarks.report import Figures, Options, at_most, interleaved

ROUNDS, ROUNDS_QUICK = 21, 7
FACTOR, EXTRA_S = 2.0, 0.1
REPLICAS = 10
IDLE_S, IDLE_QUICK_S = 60.0, 15.0
REST_S = 10.0
"""For what a start leaves to be done to be over."""
CPU_SHARE_MAX, PSS_MIB_MAX = 0.02, 120.0
MIB = 1 << 20
INTERPRETER = os.path.realpath(sys.executable)
BOUNDS = {
    "idle_help_over_bound_s": at_most(0),
    "idle_cpu_share": at_most(CPU_SHARE_MAX),
    "idle_pss_mib": at_most(PSS_MIB_MAX),
}


async def measure(figures: Figures, options: Options) -> None:
    """Time the command against the interpreter, then watch an idle system."""
    await _help(figures, options)
    async with stand(Wish(replicas=(REPLICAS, REPLICAS))) as site:
        await asyncio.sleep(REST_S)
        await _watch(site, figures, IDLE_QUICK_S if options.quick else IDLE_S)
        await site.down()


async def _help(figures: Figures, options: Options) -> None:
    bare, lamp = [INTERPRETER, "-I", "-S", "-c", "pass"], [lamp_command(), "--help"]
    _timed(lamp)  # once beforehand, so that its modules are compiled
    rounds = ROUNDS_QUICK if options.quick else ROUNDS
    took = await interleaved({"bare": lambda: _timed(bare), "lamp": lambda: _timed(lamp)}, rounds)
    figures.put("idle_help_s", took["lamp"].median)
    figures.put("idle_help_over_bound_s", took["lamp"].median - (FACTOR * took["bare"].median + EXTRA_S))
    figures.baselines["idle_bare_interpreter_s"] = took["bare"].median


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return time.perf_counter() - began


async def _watch(site: Stand, figures: Figures, seconds: float) -> None:
    processes = await asyncio.to_thread(site.processes)
    pids = {role: of_role(processes, role) for role in (MAINTAINER, SUPERVISOR, GATEWAY)}
    began, before = time.monotonic(), {role: sum(map(cpu_s, each)) for role, each in pids.items()}
    await asyncio.sleep(seconds)
    took_s = time.monotonic() - began
    share = {role: (sum(map(cpu_s, each)) - before[role]) / took_s for role, each in pids.items()}
    pss = {role: sum(map(pss_bytes, each)) / MIB for role, each in pids.items()}
    figures.put("idle_cpu_share", share[MAINTAINER] + share[SUPERVISOR])
    figures.put("idle_pss_mib", pss[MAINTAINER] + pss[SUPERVISOR])
    for role in pids:
        figures.put(f"idle_{role}_cpu_share", share[role])
        figures.put(f"idle_{role}_pss_mib", pss[role])

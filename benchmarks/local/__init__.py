"""The local target, by the figures it must hold: real `lamp`, real Envoy, real work, open-loop load.

Each part brings up a system of its own in a temporary folder and leaves nothing behind. A part that breaks
off leaves its figures unknown, which holds nothing, and says why; the others go on.
"""

import os
import traceback
from collections.abc import Awaitable, Callable
from types import ModuleType

from benchmarks.local import demo, fresh, idle, kill, outages, owners, path, repair, replaying, rolling, zero
from benchmarks.local.processes import busy_share
from benchmarks.report import Bound, CannotRunError, Figures, Options
from benchmarks.specs import COUNT, COUNT_QUICK, run_specs

PARTS = {
    "demo": "the whole story in one command: how long it takes, and that nothing is left (figure 1)",
    "kill": "SIGKILL of a random replica every 5 s at half capacity (figure 2)",
    "rolling": "a rolling release, a scale-down from 8 to 2 and a rollback under load (figure 3)",
    "repair": "how soon a killed replica is replaced, and a step of load is followed (figure 4)",
    "owners": "maintainer and supervisor killed again and again under load (figure 5)",
    "outages": "telemetry silent for 1 s to 3 min while load turns, replicas die, releases come",
    "replay": "every decision made again in another process; an edited controller shows (figure 6)",
    "specs": "generated and mutated specs: a plan, or a fault with a place (figure 7)",
    "path": "a request's way through the gateway against Envoy configured by hand (figure 9)",
    "idle": "what `lamp --help` takes, and an idle maintainer and supervisor (figure 8)",
    "zero": "woken from zero by a request, and by 500 at a time: none lost, time beyond the app's own start",
    "fresh": "`make demo` in a fresh clone, set-up included; only when named (figure 1)",
}
ONLY_WHEN_NAMED = frozenset({"fresh"})
_MODULES: dict[str, ModuleType] = {
    "demo": demo, "kill": kill, "rolling": rolling, "repair": repair, "owners": owners, "replay": replaying,
    "idle": idle, "fresh": fresh, "outages": outages, "path": path, "zero": zero,
}  # fmt: skip


async def run(options: Options) -> Figures:
    """Run the parts that were asked for, one after the other."""
    asked = [each for each in PARTS if options.wants(each) and each not in ONLY_WHEN_NAMED - options.only]
    for part in asked:
        for name, bound in _bounds(part).items():
            options.figures.put(name, None, bound)
    for part in asked:
        options.progress(f"part {part}")
        await _guarded(part, options)
    return options.figures


async def _guarded(part: str, options: Options) -> None:
    """Run one part; note how busy the machine was with it, and why it broke off if it did."""
    figures, (busy, whole), load = options.figures, busy_share(), os.getloadavg()[0]
    try:
        await _work(part)(figures, options)
    except CannotRunError:
        raise
    except Exception as error:  # noqa: BLE001 - the edge of a part: the others still have their say
        figures.parts.setdefault(part, {})["broke_off"] = traceback.format_exc()
        options.progress(f"part {part} broke off: {type(error).__name__}: {error}")
    busy_after, whole_after = busy_share()
    figures.parts.setdefault(part, {})["machine"] = {
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "busy_share": round((busy_after - busy) / max(whole_after - whole, 1.0), 3),
    }


def _bounds(part: str) -> dict[str, Bound]:
    bounds: dict[str, Bound] = _MODULES[part].BOUNDS if part in _MODULES else {}
    return bounds


def _work(part: str) -> Callable[[Figures, Options], Awaitable[None]]:
    if part == "specs":
        return _specs
    measure: Callable[[Figures, Options], Awaitable[None]] = _MODULES[part].measure
    return measure


async def _specs(figures: Figures, options: Options) -> None:
    figures.merge(run_specs(COUNT_QUICK if options.quick else COUNT, options.seed, options))

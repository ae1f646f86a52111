"""What a policy costs, and what it and a server's admission do under overload and outage."""

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.report import Figures, Options
from benchmarks.resilience import cost, dead, overload, storm

PARTS = {
    "cost": "a call through deadline, retry, breaker and bulkhead, beside other libraries",
    "overload": "three times the capacity of a server, by priority",
    "storm": "an outage of what is called: tries a second, under a budget and without",
    "dead": "one dependency of three hangs: latency of the others",
}

_MEASURES: dict[str, Callable[[Options], Coroutine[Any, Any, None]]] = {
    "cost": cost.measure,
    "overload": overload.measure,
    "storm": storm.measure,
    "dead": dead.measure,
}


def run(options: Options) -> Figures:
    """Measure the parts that were asked for; one that breaks off leaves its figures unknown."""
    for name, measure in _MEASURES.items():
        if options.wants(name):
            options.progress(name)
            for figure, bound in _BOUNDS[name].items():
                options.figures.put(figure, None, bound)
            try:
                asyncio.run(measure(options))
            except Exception:  # noqa: BLE001 - the edge of a part: the others are still measured
                options.figures.parts[name] = {"broke_off": traceback.format_exc()}
                options.progress(traceback.format_exc())
    return options.figures


_BOUNDS = {
    "cost": cost.BOUNDS, "overload": overload.BOUNDS, "storm": storm.BOUNDS, "dead": dead.BOUNDS,
}  # fmt: skip

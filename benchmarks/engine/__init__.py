"""One pass of the loop over a large fleet, deciding and recording included, by what has changed.

10,000 workloads of ten replicas each (`--quick`: 1,000), brought up through the loop on real stores. Each
form of the step runs in a process of its own: the one that a maintainer runs, and as a baseline the plain
one, which looks at every workload in every pass.
"""

import json
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.engine.fleet import EACH
from benchmarks.report import Figures, Options, at_most

PARTS = {
    "pass": "seconds a pass takes with nothing, 1% and everything changed; deaths, takeover, memory, bytes",
    "plain": "the same in the plain form of the step, as a baseline",
}
WORKLOADS, WORKLOADS_QUICK = 10_000, 1_000
PASSES, PASSES_QUICK, PASSES_PLAIN = 20, 5, 3
ALL_CHANGED_S, SOME_CHANGED_S, PEAK_BYTES = 1.0, 0.05, 2**30
TRIAL_S = 3600.0


def run(options: Options) -> Figures:
    """Run the parts that were asked for."""
    figures = options.figures
    workloads = WORKLOADS_QUICK if options.quick else WORKLOADS
    figures.put("workloads", workloads)
    figures.put("replicas", workloads * EACH)
    if options.wants("pass"):
        passes = PASSES_QUICK if options.quick else PASSES
        _tell(figures, _trial("resting", workloads, passes, options))
    if options.wants("plain"):
        plain = _trial("plain", workloads, PASSES_PLAIN, options)
        for name, spent in sorted(plain["passes"].items()):
            figures.baselines[f"plain_{name}_s"] = statistics.median(spent)
    return figures


def _trial(form: str, workloads: int, passes: int, options: Options) -> dict[str, Any]:
    options.progress(f"{form}: {workloads} workloads, {workloads * EACH} replicas")
    numbers = map(str, (workloads, options.seed, passes, passes))
    command = [sys.executable, "-m", "benchmarks.engine.trial", form, *numbers]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=TRIAL_S)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _tell(figures: Figures, trial: dict[str, Any]) -> None:
    """Put down medians (with their bounds), the longest passes, and processor time for each kind of pass."""
    passes, measured = trial["passes"], trial["figures"]
    bounds = {"all": ALL_CHANGED_S, "some_workloads": SOME_CHANGED_S, "some_replicas": SOME_CHANGED_S}
    for name, spent in passes.items():
        bound = at_most(bounds[name]) if name in bounds else None
        figures.put(f"{name}_s", statistics.median(spent), bound)
        if not name.endswith("_cpu"):
            figures.put(f"{name}_longest_s", max(spent))
    figures.put("peak_bytes", measured.pop("peak_bytes"), at_most(PEAK_BYTES))
    for name, value in measured.items():
        figures.put(name, value)
    figures.parts["passes"] = passes

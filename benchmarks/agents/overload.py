"""Overload: three times as many messages as a host can handle, for a minute.

A host whose agents work half a millisecond on each message, and callers in another process who do not wait
for each other: first as many at once as keep the host busy, which shows its capacity, then at three times
that rate whatever comes back. What is refused must say when to try again; the host's memory must not grow
with the time, it must go on handling what it can, and answer at once when the load is gone.
"""

from pathlib import Path

from benchmarks.agents import turns
from benchmarks.report import Options, at_least, at_most, exactly

TIMES, SECONDS, SECONDS_QUICK = 3.0, 60.0, 10.0
CAPACITY_SECONDS = 10.0
GOODPUT, RECOVERY_S, GROWTH_MIB = 0.9, 2.0, 64.0
AGENTS = 10_000


def measure(options: Options, folder: Path | None) -> None:
    """Measure capacity, then what is left of it under three times the load."""
    figures = options.figures
    seconds = SECONDS_QUICK if options.quick else SECONDS
    with turns.swarm(1, AGENTS, folder) as running:
        options.progress("overload: capacity")
        before = running.order("capacity", seconds=CAPACITY_SECONDS)
        held_mib = _peak_mib(running)
        options.progress(f"overload: {TIMES:g} times that for {seconds:g} s")
        half = running.order("overload", rate=TIMES * before["per_s"], seconds=seconds / 2)
        half_mib = _peak_mib(running)
        rest = running.order("overload", rate=TIMES * before["per_s"], seconds=seconds / 2)
        peak_mib = _peak_mib(running)
        after = running.order("capacity", seconds=CAPACITY_SECONDS)
    capacity = (before["per_s"] + after["per_s"]) / 2
    figures.parts["overload"] = {"before": before, "half": half, "rest": rest, "after": after}
    figures.put("overload_capacity_per_s", capacity)
    figures.put("overload_offered_times", (half["offered"] + rest["offered"]) / seconds / capacity)
    goodput = (half["answered"] + rest["answered"]) / (half["seconds"] + rest["seconds"])
    figures.put("overload_goodput_share", goodput / capacity, at_least(GOODPUT))
    figures.put("overload_refused", half["refused"] + rest["refused"], at_least(1))
    figures.put("overload_refused_without_retry_after", half["untold"] + rest["untold"], exactly(0))
    figures.put("overload_failed", half["failed"] + rest["failed"], exactly(0))
    figures.put("overload_first_answer_after_s", rest["recovered_s"], at_most(RECOVERY_S))
    figures.put("overload_growth_mib", peak_mib - half_mib, at_most(GROWTH_MIB))
    figures.put("overload_peak_mib", peak_mib)
    figures.put("overload_peak_mib_before", held_mib)


def _peak_mib(running: turns.Swarm) -> float:
    """The host's peak memory so far."""
    status = Path(f"/proc/{running.hosts[0].pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024

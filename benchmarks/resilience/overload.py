"""Overload: three times what a server can do, a tenth of it of high priority; then half of what it can."""

import asyncio
import time
from typing import NamedTuple

from benchmarks.load import Report, Sample, Stage, Traffic, running
from benchmarks.load.tally import LAG_P99_MAX_S
from benchmarks.report import Bound, Options, at_least, at_most
from benchmarks.resilience.serving import Server, servers

TIMES, SECONDS, SECONDS_QUICK = 3.0, 60.0, 8.0
HIGH_PART = 0.1
BACKEND = {"workers": 4, "work_s": 0.04}
"""Few workers, so that the machine has little to do: what is measured is who is let in."""
AFTER_S, AFTER_RATE = 10.0, 0.5
WARM_S, CAPACITY_S, AT_ONCE = 3.0, 5.0, 6
LATE_S = 1.0
"""An answer later than this is of no use: it does not count."""
BOUNDS: dict[str, Bound] = {
    "overload_goodput_share": at_least(0.9),
    "overload_high_priority_share": at_least(0.99),
    "overload_recovery_s": at_most(1.0),
    "overload_generator_lag_p99_s": at_most(LAG_P99_MAX_S),
}


async def measure(options: Options) -> None:
    """Measure a server that sheds, and beside it one that does not."""
    seconds = SECONDS_QUICK if options.quick else SECONDS
    shedding, plain = Server("backend", {**BACKEND, "shedding": True}), Server("backend", BACKEND)
    async with servers(shedding, plain):
        capacity = await _capacity(plain)
        options.figures.put("overload_capacity_per_s", capacity)
        shed = await _offered(shedding, capacity, seconds, options.seed)
        queued = await _offered(plain, capacity, min(seconds, 15.0), options.seed)
    figures = options.figures
    lag_s = max(each.generator.lag_p99_s for each in shed.reports)
    figures.put("overload_generator_lag_p99_s", lag_s, BOUNDS["overload_generator_lag_p99_s"])
    for name, share in _shares(shed.samples, capacity, seconds).items():
        figures.put(name, share, BOUNDS.get(name))
    without = _shares(queued.samples, capacity, min(seconds, 15.0))
    figures.baselines |= {f"{name}_without_shedding": share for name, share in without.items()}


Samples = dict[str, list[Sample]]


class _Taken(NamedTuple):
    """What two generators saw."""

    samples: Samples
    reports: list[Report]


def _shares(samples: Samples, capacity: float, seconds: float) -> dict[str, float]:
    begin = min(each.scheduled_at for part in samples.values() for each in part)
    during = {name: [s for s in part if s.scheduled_at < begin + seconds] for name, part in samples.items()}
    after = [s for part in samples.values() for s in part if s.scheduled_at >= begin + seconds]
    good = sum(not each.fate.failed for part in during.values() for each in part)
    high = during["high"]
    bad_at = [each.scheduled_at - begin - seconds for each in after if each.fate.failed]
    return {
        "overload_goodput_share": good / seconds / capacity,
        "overload_high_priority_share": sum(not each.fate.failed for each in high) / len(high),
        "overload_recovery_s": max(bad_at, default=0.0),
        "overload_offered_times": sum(map(len, during.values())) / seconds / capacity,
        "overload_p99_answered_s": _p99(
            [s.latency_s for p in during.values() for s in p if not s.fate.failed]
        ),
    }


def _p99(values: list[float]) -> float:
    return sorted(values)[int(0.99 * (len(values) - 1))] if values else 0.0


async def _offered(server: Server, capacity: float, seconds: float, seed: int) -> _Taken:
    """Both priorities at once, by generators that wait for nothing."""
    await _reports(_traffic(server, "warm", 0.5 * capacity, WARM_S, seed))
    shares = {"high": HIGH_PART, "normal": 1 - HIGH_PART}
    taken = await asyncio.gather(
        *(_reports(_traffic(server, n, TIMES * capacity * p, seconds, seed)) for n, p in shares.items())
    )
    samples = {name: each for name, (_, each) in zip(shares, taken, strict=True)}
    return _Taken(samples, [report for report, _ in taken])


def _traffic(server: Server, name: str, rate: float, seconds: float, seed: int) -> Traffic:
    after = rate / TIMES * AFTER_RATE
    headers = {"x-lamp-deadline-ms": f"{LATE_S * 1000:.0f}", "x-lamp-priority": name}
    return Traffic(
        url=server.url, stages=(Stage(seconds, rate), Stage(AFTER_S, after)), name=name, seed=seed,
        slow_s=LATE_S, give_up_s=3.0, headers=headers,
    )  # fmt: skip


async def _reports(traffic: Traffic) -> tuple[Report, list[Sample]]:
    async with running(traffic) as load:
        return await load.finished(), load.samples


async def _capacity(server: Server) -> float:
    """How many requests a second it answers when it always has some to do and few wait."""
    done, until = 0, time.monotonic() + CAPACITY_S

    async def ask() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while time.monotonic() < until:
            writer.write(b"GET /work HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readuntil(b"done")
            done += 1
        writer.close()

    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return done / CAPACITY_S

"""How much load something bears: the highest rate at which nothing fails and the tail stays short."""

from collections.abc import Awaitable, Callable

import msgspec

from benchmarks.load.driver import measured
from benchmarks.load.profile import Stage
from benchmarks.load.tally import Report
from benchmarks.load.traffic import Traffic

Measure = Callable[[Traffic], Awaitable[Report]]


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """How to look for the capacity.

    Args:
        p99_s: the bound on the latency at p99, of the kind that fares worst.
        first_rate: requests per second of the first step; should hold.
        growth: factor from step to step while they hold, above 1.
        step_s: length of a step; in a short one a rate above capacity has no time to build up its queue.
        halvings: how often the gap between the last step that held and the first that did not is halved.
        confirm_s: length of a last step at the rate found, which is lowered until it holds; 0 leaves it out.
        rate_max: where to stop in any case.
    """

    p99_s: float = 0.75
    first_rate: float = 100.0
    growth: float = 1.5
    step_s: float = 8.0
    halvings: int = 2
    confirm_s: float = 20.0
    rate_max: float = 2000.0


LOWERED = 0.93
"""What an unconfirmed rate is multiplied by before it is tried again."""
LOWERINGS_MAX = 6


class Step(msgspec.Struct, frozen=True):
    """One rate that was tried, and whether it held."""

    rate: float
    held: bool
    p99_s: float
    failed: int
    cut: int
    why: str = ""


class Capacity(msgspec.Struct, frozen=True):
    """The highest rate that held, in requests per second; 0 if none did.

    Args:
        valid: false when a step was decided by the generator's own lag: the true figure may be higher.
    """

    rate: float
    steps: tuple[Step, ...]
    valid: bool = True


async def measure_capacity(
    traffic: Traffic,
    probe: Probe | None = None,
    told: Callable[[Step], None] | None = None,
    measure: Measure = measured,
) -> Capacity:
    """Step the rate up until it no longer holds, halve the gap, then confirm with a longer step.

    Args:
        traffic: where to, which mix, which seed; its stages are replaced, its name gets the step's number.
        probe: how to look; None takes the defaults.
        told: is called with each step.
        measure: runs one step's traffic; the generator's process unless a test says otherwise.
    """
    search = _Search(traffic, probe or Probe(), told, measure)
    low, high = await search.bracket()
    low = await search.narrow(low, high)
    return Capacity(await search.confirm(low), tuple(search.steps), search.valid)


class _Search:
    def __init__(
        self, traffic: Traffic, probe: Probe, told: Callable[[Step], None] | None, measure: Measure
    ) -> None:
        self._traffic = traffic
        self._probe = probe
        self._told = told
        self._measure = measure
        self.steps: list[Step] = []
        self.valid = True

    async def bracket(self) -> tuple[float, float]:
        """The last rate that held (0 if none) and the first that did not (itself, if all held)."""
        probe, low, rate = self._probe, 0.0, self._probe.first_rate
        while await self._holds(rate, probe.step_s):
            low = rate
            if rate >= probe.rate_max:
                return rate, rate
            rate = min(rate * probe.growth, probe.rate_max)
        return low, rate

    async def narrow(self, low: float, high: float) -> float:
        """The highest rate that held after halving the gap some times."""
        for _ in range(self._probe.halvings if high > low else 0):
            middle = (low + high) / 2
            if await self._holds(middle, self._probe.step_s):
                low = middle
            else:
                high = middle
        return low

    async def confirm(self, rate: float) -> float:
        """The rate, lowered until a longer step holds; 0 when that takes too many."""
        for _ in range(LOWERINGS_MAX):
            if not (rate and self._probe.confirm_s) or await self._holds(rate, self._probe.confirm_s):
                return rate
            rate *= LOWERED
        return 0.0

    async def _holds(self, rate: float, seconds: float) -> bool:
        name = f"{self._traffic.name}-{len(self.steps)}"
        traffic = msgspec.structs.replace(self._traffic, stages=(Stage(seconds, rate),), name=name)
        report = await self._measure(traffic)
        step = judge_step(report, rate, self._probe)
        self.steps.append(step)
        self.valid = self.valid and (step.held or step.why != report.generator.why)
        if self._told is not None:
            self._told(step)
        return step.held


def judge_step(report: Report, rate: float, probe: Probe) -> Step:
    """Whether a step held: an honest generator, nothing failed or cut, p99 within its bound."""
    p99_s = max((p.p99 for p in report.latency.values()), default=0.0)
    why = ""
    if report.failed or report.cut:
        why = f"{report.failed} failed, {report.cut} cut"
    elif p99_s > probe.p99_s:
        why = f"p99 {p99_s:.2f} s above {probe.p99_s:g} s"
    elif not report.generator.valid:
        why = report.generator.why
    return Step(rate, not why, p99_s, report.failed, report.cut, why)

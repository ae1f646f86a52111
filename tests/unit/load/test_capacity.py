"""How the capacity is looked for, against servers with a known one."""

import asyncio

import pytest
from benchmarks.load.capacity import LOWERINGS_MAX, Probe, judge_step, measure_capacity
from benchmarks.load.profile import Stage
from benchmarks.load.sample import Fate, Sample
from benchmarks.load.tally import Honesty, Report, summarise
from benchmarks.load.traffic import Kind, Traffic

TRAFFIC = Traffic(url="http://localhost", stages=(Stage(1, 1),))
PROBE = Probe(first_rate=100, growth=2, halvings=5, step_s=1, confirm_s=2)


class Server:
    """Bears a rate in short steps, perhaps less in long ones."""

    def __init__(self, bears: float, bears_long: float | None = None) -> None:
        self.bears, self.bears_long = bears, bears if bears_long is None else bears_long

    async def __call__(self, traffic: Traffic) -> Report:
        """Run one step."""
        stage = traffic.stages[0]
        held = stage.rate <= (self.bears if stage.seconds == PROBE.step_s else self.bears_long)
        return report(Fate.OK if held else Fate.SLOW)


def report(fate: Fate, took: float = 0.1) -> Report:
    """A run of a single request."""
    return summarise(
        [Sample(n=0, kind=Kind.GET, scheduled_at=0, late_s=0, latency_s=took, took_s=took, fate=fate)]
    )


def capacity(server: Server) -> float:
    """The rate found."""
    return asyncio.run(measure_capacity(TRAFFIC, PROBE, measure=server)).rate


def test_capacity_is_found_within_the_halved_gap() -> None:
    """Between 200 that held and 400 that did not, five halvings come within 7 of the truth, from below."""
    assert pytest.approx(333, abs=7) == capacity(Server(333))
    assert capacity(Server(333)) <= 333


def test_nothing_held_is_zero() -> None:
    """A server that fails at every rate tried has no capacity to speak of."""
    assert 0.0 == capacity(Server(0.5))


def test_rate_a_longer_step_refutes_is_lowered() -> None:
    """A queue that only a longer step fills lowers the figure until it holds."""
    assert 250 < capacity(Server(333, bears_long=300)) <= 300


def test_search_ends_at_the_greatest_rate() -> None:
    """A server that bears everything is not asked for ever."""
    assert PROBE.rate_max == capacity(Server(1e9))


def test_unconfirmed_capacity_is_zero() -> None:
    """Where no longer step holds, the search gives up after a few and claims nothing."""
    found = asyncio.run(measure_capacity(TRAFFIC, PROBE, measure=Server(333, bears_long=1)))
    assert 0.0 == found.rate
    assert LOWERINGS_MAX == sum("slow" in step.why or not step.held for step in found.steps[-LOWERINGS_MAX:])


def test_long_tail_does_not_hold() -> None:
    """No failure, but a p99 above the bound: the step does not hold and says so."""
    step = judge_step(report(Fate.OK, took=0.9), 100, PROBE)
    assert (False, "p99 0.90 s above 0.75 s") == (step.held, step.why)


def test_lagging_generator_makes_the_capacity_doubtful() -> None:
    """A step the generator itself spoilt does not hold and marks the result."""

    async def lagging(_: Traffic) -> Report:
        found = report(Fate.OK)
        found.generator = Honesty(valid=False, why="late")
        return found

    assert not asyncio.run(measure_capacity(TRAFFIC, PROBE, measure=lagging)).valid

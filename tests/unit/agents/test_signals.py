"""What a host tells of itself: counts by kind, who talks to whom, delays, what was spent."""

import asyncio
from pathlib import Path

import pytest
from tests.unit.agents.crew import FAILED, Ask, Critic, Fail, Reader, looped

from lamplighter.runtime import Agent, Message, Runtime, Turn
from lamplighter.runtime.agents.errors import HandlerFailedError
from lamplighter.runtime.agents.signals import SAMPLED, TENANTS, Heaviest, Histogram, Signals
from lamplighter.testing.agents import World


def _figures(world: World) -> dict[str, float]:
    return world.machines[0].host.context.signals.figures()


def test_turns_are_counted_by_kind() -> None:
    """A question that is answered and passed on is a turn of each of the two kinds."""
    world = World([Reader, Critic])
    world.ask("reader/1", Ask("?"))
    found = _figures(world)
    assert (1.0, 1.0) == tuple(found[f'kind_turns_total{{kind="{kind}"}}'] for kind in ("reader", "critic"))


def test_failures_and_dead_letters_are_counted_by_kind() -> None:
    """Every try that fails counts, and so does the message that is given up."""
    FAILED.clear()
    world = World([Reader, Critic])
    with pytest.raises(HandlerFailedError):
        world.ask("reader/1", Fail(99))
    found = _figures(world)
    assert (3.0, 1.0) == tuple(found[f'kind_{what}_total{{kind="reader"}}'] for what in ("failures", "dead"))


def test_who_talks_to_whom_is_estimated_by_samples() -> None:
    """Of many sends one is looked at, and stands for all; kinds and pairs of agents are told."""
    world = World([Reader, Critic])
    for _ in range(3 * SAMPLED):
        world.ask("reader/1", Ask("?"))
    assert 3.0 * SAMPLED == _figures(world)['sends_total{from="reader",to="critic"}']
    top = world.machines[0].host.context.signals.pairs.top(1)
    assert [(("reader/1", "critic/7"), 3 * SAMPLED, 0)] == top


def test_the_heaviest_pairs_are_kept_in_bounded_memory() -> None:
    """A pair that comes every other time is found among thousands, its count too high by what is said."""
    heaviest = Heaviest(20)
    for n in range(2000):
        heaviest.add(("a", f"rare {n}"), 1)
        heaviest.add(("a", "often"), 1)
    (pair, count, over), *rest = heaviest.top(100)
    assert (("a", "often"), 19) == (pair, len(rest))
    assert count - over <= 2000 <= count


def test_a_histogram_has_buckets_as_prometheus_reads_them() -> None:
    """Each bucket includes those below it; sum and count stand beside."""
    histogram = Histogram()
    for seconds in (0.001, 0.002, 60.0):
        histogram.add(seconds)
    found = histogram.figures("delay")
    wanted = {
        'delay_bucket{le="0.001"}': 1.0,
        'delay_bucket{le="0.0025"}': 2.0,
        'delay_bucket{le="+Inf"}': 3.0,
    }
    assert wanted == {name: found[name] for name in wanted}
    assert (60.003, 3.0) == (pytest.approx(found["delay_sum"]), found["delay_count"])


class Think(Message):
    """Costs something."""

    fails: bool = False


class Thinker(Agent):
    """Says what it has spent."""

    async def on_think(self, turn: Turn, think: Think) -> None:
        """Spend, and fail if told to."""
        turn.spent(tenant="lab-a", tokens=120, cost_usd=0.5)
        if think.fails:
            raise ValueError


def test_what_turns_spend_is_counted_by_kind_and_tenant() -> None:
    """Turns that commit are counted with what they say they have spent, those that fail are not."""
    world = World([Thinker])
    world.send("thinker/1", Think())
    world.send("thinker/1", Think())
    world.send("thinker/2", Think(fails=True))
    found = _figures(world)
    labels = '{kind="thinker",tenant="lab-a"}'
    assert (240.0, 1.0) == (found[f"spent_tokens_total{labels}"], found[f"spent_cost_usd_total{labels}"])


def test_tenants_beyond_the_bound_are_counted_together() -> None:
    """However many tenants there are, the figures stay bounded."""
    signals = Signals()
    for n in range(TENANTS + 50):
        signals.spent("thinker", f"tenant {n}", {"tokens": 1})
    found = signals.figures()
    assert 50.0 == found['spent_tokens_total{kind="thinker",tenant="other"}']


@looped
async def test_delays_of_frames_are_measured(tmp_path: Path) -> None:
    """A real host tells how long messages waited for their frame, and the frame for the disk."""
    async with Runtime(tmp_path, [Reader, Critic]) as runtime:
        await runtime.ask("reader/1", Ask("?"))
        await asyncio.sleep(0)
        found = runtime.host.context.signals.figures()
    assert found["commit_delay_seconds_count"] >= 1
    assert 0 < found["commit_delay_seconds_sum"] < 10
    assert 0 <= found["queue_delay_seconds_sum"] < 10


def test_the_least_pair_makes_room() -> None:
    """Of pairs that have grown since they came, the least gives its place and its count away."""
    heaviest = Heaviest(3)
    for name, times in [("a", 5), ("b", 2), ("c", 4), ("b", 1), ("d", 1)]:
        heaviest.add(("x", name), times)
    assert [(("x", "a"), 5, 0), (("x", "c"), 4, 0), (("x", "d"), 4, 3)] == heaviest.top(9)

"""Canary shares by weights, and how soon a change of the table is felt."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import pytest
from tests.acceptance.gateway.rig import WITHIN_S, Answer, Gateway, Upstream, ask, load, until

from lamplighter.targets.local.gateway import split

Start = Callable[..., Upstream]


@pytest.mark.parametrize("path", ["/search/x", "/search/busy/0.05"])
def test_five_percent_is_five_percent(gateway: Gateway, replica: Start, path: str) -> None:
    """One canary beside three gets its five percent, whatever is in flight."""
    ends = [replica(f"r{n}").endpoint(release="r1") for n in range(3)]
    ends.append(replica("canary").endpoint(release="r2"))
    gateway.start(*split(ends, {"r1": 95, "r2": 5}))

    async def story() -> list[Answer]:
        await until(lambda: len(gateway.healthy()) == 4)
        return await load(gateway.table.port, path, rate=400, seconds=3)

    served = Counter(answer.origin for answer in asyncio.run(story()))
    assert served["canary"] == pytest.approx(60, abs=25)  # 1,200 requests: 3.3 standard deviations


def test_weights_change_at_once(gateway: Gateway, replica: Start) -> None:
    """A new weight is felt within 100 ms, at the best of six."""
    ends = [replica("a").endpoint(release="r1"), replica("b").endpoint(release="r2")]
    gateway.start(*split(ends, {"r1": 1}))

    async def felt_s(release: str, name: str) -> float:
        began = time.monotonic()
        gateway.apply(*split(ends, {release: 1}))
        while [(await ask(gateway.table.port, "/search/x")).origin for _ in range(3)] != [name] * 3:
            assert time.monotonic() - began < WITHIN_S
        return time.monotonic() - began

    async def story() -> float:
        await until(lambda: len(gateway.healthy()) == 2)
        return min([await felt_s(*each) for each in [("r2", "b"), ("r1", "a")] * 3])

    assert asyncio.run(story()) <= 0.1


def test_equal_weights_prefer_the_idle(gateway: Gateway, replica: Start) -> None:
    """Of two replicas one is slow: the quick one, which is idle more often, gets more requests."""
    slow, quick = replica("slow", "--slower", "0.2"), replica("quick")
    gateway.start(slow.endpoint(), quick.endpoint())

    async def story() -> list[Answer]:
        await until(lambda: len(gateway.healthy()) == 2)
        return await load(gateway.table.port, "/search/busy/0.02", rate=200, seconds=2)

    served = Counter(answer.origin for answer in asyncio.run(story()))
    assert served["quick"] > 2 * served["slow"]

"""What a host tells of itself: counts by kind, who talks to whom, and how long messages wait.

All of it in bounded memory and lost with the process: figures to be scraped and added up, nothing that
decides. Who talks to whom is sampled, and the busiest pairs of agents are kept by Space-Saving (Metwally,
Agrawal and El Abbadi, 2005): a pair's count is too high by `over` at most, and none that is frequent is lost.
"""

import heapq
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

from lamplighter.runtime.agents.kinds import Kind

SAMPLED = 64
"""Of so many turns that send, one is looked at; it stands for all of them."""
PAIRS = 256
"""Pairs of agents that are told apart."""
TENANTS = 1000
"""Kinds and tenants that are told apart in what was spent; further ones are counted as the tenant "other"."""
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
Pair = tuple[str, str]


class Heaviest:
    """The most frequent pairs, as far as bounded memory can tell.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int = PAIRS) -> None:
        self._most = most
        self._counts: dict[Pair, int] = {}
        self._over: dict[Pair, int] = {}
        self._least: list[tuple[int, Pair]] = []
        """Every pair once, with a count that it had; a heap, so that the least is found in a few steps."""

    def add(self, pair: Pair, weight: int) -> None:
        """Count a pair; with no room for it, it takes the place and the count of the least."""
        counts = self._counts
        if pair in counts:
            counts[pair] += weight
            return
        over = 0
        if len(counts) >= self._most:
            while (now := counts[(least := self._least[0])[1]]) != least[0]:
                heapq.heapreplace(self._least, (now, least[1]))
            over, dropped = heapq.heappop(self._least)
            del counts[dropped]
            self._over.pop(dropped, None)
        counts[pair] = over + weight
        heapq.heappush(self._least, (over + weight, pair))
        if over:
            self._over[pair] = over

    def top(self, most: int) -> list[tuple[Pair, int, int]]:
        """Return the heaviest pairs with their count and by how much that may be too high."""
        pairs = sorted(self._counts, key=lambda pair: (-self._counts[pair], pair))[:most]
        return [(pair, self._counts[pair], self._over.get(pair, 0)) for pair in pairs]


class Histogram:
    """How often something took how long, in the buckets of `BOUNDS_S`."""

    __slots__ = ("_buckets", "sum_s")

    def __init__(self) -> None:
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def figures(self, name: str) -> dict[str, float]:
        """Return it as Prometheus has it: buckets that include those below, sum and count."""
        found, total = {}, 0
        for bound, count in zip([*map(str, BOUNDS_S), "+Inf"], self._buckets, strict=True):
            total += count
            found[f'{name}_bucket{{le="{bound}"}}'] = float(total)
        return {**found, f"{name}_sum": self.sum_s, f"{name}_count": float(total)}


class Signals:
    """The figures of one host.

    Attributes:
        left: turns that send until one of them is looked at.
        queue: from when a frame's first message was there until the frame was closed.
        commit: from then until it was durable and told of.
        pairs: agents that send to each other, by address.
    """

    def __init__(self) -> None:
        self.left = SAMPLED
        self.queue = Histogram()
        self.commit = Histogram()
        self.pairs = Heaviest()
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._sends: Counter[Pair] = Counter()
        self._spent: dict[tuple[str, str, str], float] = {}

    def count(self, what: str, kind: str, times: int = 1) -> None:
        """Count something that happened to agents of a kind that there is."""
        self._kinds[what, kind] += times

    def handled(self, turns: Mapping[Kind, int]) -> None:
        """Count turns that took place, by kind."""
        for kind, times in turns.items():
            if times:
                self._kinds["turns", kind.name] += times

    def talked(self, sender: str, sends: Sequence[tuple[str, bytes]]) -> None:
        """Take a turn that sent for as many as have not been looked at since the last one."""
        self.left = SAMPLED
        kind = sender.partition("/")[0]
        for address, _ in sends:
            self._sends[kind, address.partition("/")[0]] += SAMPLED
            self.pairs.add((sender, address), SAMPLED)

    def spent(self, kind: str, tenant: str, amounts: Mapping[str, float]) -> None:
        """Count what a turn says it has spent, such as tokens, by kind and tenant."""
        if len(self._spent) >= TENANTS and not any((kind, tenant, what) in self._spent for what in amounts):
            tenant = "other"
        for what, amount in amounts.items():
            self._spent[kind, tenant, what] = self._spent.get((kind, tenant, what), 0.0) + amount

    def figures(self) -> dict[str, float]:
        """Return all of it by name, with labels as Prometheus writes them; figures of hosts add up."""
        found: dict[str, float] = {}
        for (what, kind), count in sorted(self._kinds.items()):
            found[f'kind_{what}_total{{kind="{kind}"}}'] = float(count)
        for (kind, to), count in sorted(self._sends.items()):
            found[f'sends_total{{from="{kind}",to="{to}"}}'] = float(count)
        for (kind, tenant, what), amount in sorted(self._spent.items()):
            found[f'spent_{what}_total{{kind="{kind}",tenant="{_label(tenant)}"}}'] = amount
        return {
            **found,
            **self.queue.figures("queue_delay_seconds"),
            **self.commit.figures("commit_delay_seconds"),
        }


def _label(value: str) -> str:
    """Return a label's value as Prometheus' text form wants it."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

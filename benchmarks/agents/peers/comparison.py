"""Peers in turns with ours: medians of processor time a message, and how many times ours is less."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.agents.peers.environments import AbsentError, versions_of
from benchmarks.agents.peers.peer import Measured, Peer
from benchmarks.agents.peers.stage import PeerFailedError
from benchmarks.report import Figures, Options, at_least

ROUNDS, QUICK_ROUNDS, QUICK_SHARE = 3, 1, 0.25
LEAST = 60

Ours = Callable[[], float]


@dataclass(slots=True)
class Taken:
    """What was taken of one peer so far; `absent` says why there is no more."""

    peer: Peer
    runs: list[Measured] = field(default_factory=list)
    absent: str = ""

    def take(self, options: Options, cache: Path | None, scratch: Path | None) -> None:
        """Run the peer once more, unless it has failed before."""
        if self.absent:
            return
        share = QUICK_SHARE if options.quick else 1.0
        try:
            run = self.peer.run(
                max(int(self.peer.messages * share), LEAST), seed=options.seed, cache=cache, scratch=scratch
            )
        except (AbsentError, PeerFailedError) as error:
            self.absent = str(error)
            options.progress(f"{self.peer.name}: {self.absent}")
            return
        self.runs.append(run)
        shown = ", ".join(f"{name} {form.cpu_us:,.0f} us" for name, form in run.forms.items())
        options.progress(f"{self.peer.name}: {shown} of CPU a message")

    def net_us(self, form: str) -> float:
        """Return the median over the runs of a form's processor time a message."""
        return statistics.median(each.forms[form].net_us for each in self.runs)


def compare(
    options: Options,
    ours: Ours | None,
    peers: Iterable[Peer],
    *,
    cache: Path | None = None,
    scratch: Path | None = None,
) -> Figures:
    """Measure each peer, and ours before each of them, in rounds whose order rotates.

    `<peer>_<form>_times` is shown for each form; `<peer>_times` is what must hold, and takes the cheapest of
    the forms that the peer is held to. What a peer uses when idle is taken off in both.

    Args:
        options: quick means one round of fewer messages; the figures are put into its own.
        ours: runs ours once and returns its processor time a durable message in microseconds, over all
            its processes, client's apart; None measures the peers only.
        peers: which.
        cache: where their environments stand.
        scratch: a folder on the disk that ours syncs to, with a short path.
    """
    taken, own = [Taken(each) for each in peers], [0.0] * 0
    for turn in range(QUICK_ROUNDS if options.quick else ROUNDS):
        shift = turn % len(taken)
        for each in taken[shift:] + taken[:shift]:
            if ours is not None:
                own.append(ours())
                options.progress(f"ours: {own[-1]:.1f} us of CPU a message")
            each.take(options, cache, scratch)
    figures = options.figures
    median = statistics.median(own) if own else None
    if median is not None:
        figures.put("ours_us", median)
    for each in taken:
        _put(figures, each, median)
    return figures


def _put(figures: Figures, taken: Taken, ours_us: float | None) -> None:
    peer = taken.peer
    figures.parts[f"peer_{peer.name}"] = _described(taken)
    cheapest = None
    if taken.runs:
        for form in taken.runs[0].forms:
            figures.baselines[f"{peer.name}_{form}_us"] = taken.net_us(form)
            if ours_us is not None:
                figures.put(f"{peer.name}_{form}_times", taken.net_us(form) / ours_us)
        figures.baselines[f"{peer.name}_agent_bytes"] = statistics.median(
            each.agent_bytes for each in taken.runs
        )
        cheapest = min(taken.net_us(form) for form in peer.held)
    if ours_us is not None:
        ratio = cheapest / ours_us if cheapest is not None else None
        figures.put(f"{peer.name}_times", ratio, at_least(peer.factor))


def _described(taken: Taken) -> dict[str, Any]:
    peer = taken.peer
    return {
        "message": peer.what,
        "durable": peer.durable,
        "buys": peer.buys,
        "lacks": peer.lacks,
        "client_apart": peer.client_apart,
        "held": peer.held,
        "absent": taken.absent,
        "versions": versions_of(peer.name),
        "runs": msgspec.to_builtins(taken.runs),
    }

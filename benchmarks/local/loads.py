"""Load for the parts: the mix, how much of it a stand bears, and how failures are laid beside what was done.

Pure but for `half_capacity`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.load import Kind, Probe, Sample, Stage, Step, Traffic, measure_capacity
from benchmarks.local.stand import Stand
from benchmarks.report import Options

MIX = {Kind.GET: 0.60, Kind.POST_KEYED: 0.295, Kind.POST: 0.10, Kind.STREAM: 0.005}
"""Most may be sent again, a tenth may not, and a few streams show what is cut in the middle."""
STREAM_S = 5.0
QUICK_SHARE = 0.7
"""Of the nominal rate, taken for the capacity where none is measured (a quick run)."""
IDEMPOTENT = (Kind.GET, Kind.STREAM)
FRESH_S = 2.0
"""A cut that long after the death of the replica that answered belongs to that death: Envoy ends the
client's connection some time after the replica's (its delayed_close_timeout)."""


def traffic(stand: Stand, name: str, stages: Sequence[Stage], options: Options, **other: Any) -> Traffic:
    """Return the usual mix for a stand; `other` are fields of Traffic to set otherwise."""
    usual: dict[str, Any] = {"mix": MIX, "stream_s": STREAM_S, "failures_max": 400, "seed": options.seed}
    return Traffic(url=stand.url, stages=tuple(stages), name=name, **{**usual, **other})


async def half_capacity(stand: Stand, nominal: float, options: Options) -> tuple[float, float]:
    """Return the capacity of what runs now, in requests a second, and half of it.

    Args:
        stand: with one replica fewer than will be run.
        nominal: what its slots allow; the search begins at half of it.
        options: a quick run measures nothing and takes a share of the nominal rate.
    """
    if options.quick:
        return nominal * QUICK_SHARE, nominal * QUICK_SHARE / 2
    probe = Probe(first_rate=nominal / 2, growth=1.25, halvings=1, step_s=6.0, confirm_s=10.0)

    def told(step: Step) -> None:
        options.progress(
            f"capacity: {step.rate:.0f}/s {'holds' if step.held else 'does not hold: ' + step.why}"
        )

    asked = traffic(stand, "capacity", [Stage(1.0, 1.0)], options)
    found = await measure_capacity(asked, probe, told)
    if not found.rate:
        options.progress("no rate held: the machine is busy, or something fails without any fault")
    return found.rate, found.rate / 2


def described(samples: Iterable[Sample], moments: Sequence[tuple[float, str]]) -> list[dict[str, Any]]:
    """Return samples as plain values, each with the last thing that was done before it was due or ended.

    Args:
        samples: failures or cuts.
        moments: monotonic moment and what was done then, in order of time.
    """
    return [_described(each, moments) for each in samples]


def _described(sample: Sample, moments: Sequence[tuple[float, str]]) -> dict[str, Any]:
    ended_at = sample.scheduled_at + sample.took_s
    before = [each for each in moments if each[0] <= ended_at]
    after = {"after": before[-1][1], "since_s": round(ended_at - before[-1][0], 3)} if before else {}
    return {
        "kind": sample.kind.value, "fate": sample.fate.value, "why": sample.why, "status": sample.status,
        "reason": sample.reason, "replica": sample.replica, "pid": sample.pid, "n": sample.n,
        "took_s": round(sample.took_s, 3), "reused": sample.reused, **after,
    }  # fmt: skip


def unexplained(cuts: Iterable[Sample], deaths: dict[int, float]) -> list[Sample]:
    """Return the cut answers that did not come from a process which was killed just then.

    Args:
        cuts: answers that ended after their headers without a proper end.
        deaths: pid to the monotonic moment of its kill.
    """
    return [
        each
        for each in cuts
        if not 0 <= each.scheduled_at + each.took_s - deaths.get(each.pid, float("inf")) <= FRESH_S
    ]

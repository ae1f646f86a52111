"""What a soak does and when, drawn from its seed: waves of load, and faults at random moments. Pure."""

from dataclasses import dataclass
from random import Random

from benchmarks.load import Stage

SLOTS = 4
MEAN_SERVICE_S = 0.1
PER_REPLICA = SLOTS / MEAN_SERVICE_S
"""Requests a second that one replica bears, by its slots."""
LEAST, MOST = 4, 7
SHARE = 0.5
"""Of what the replicas bear: the load they are given."""
LOW, HIGH = LEAST * PER_REPLICA * SHARE, (MOST - 1) * PER_REPLICA * SHARE
WAVE_S, RAMP_S = 600.0, 60.0
WAVE_QUICK_S, RAMP_QUICK_S = 200.0, 20.0
GAP_MEAN_S, GAP_LEAST_S = 13.0, 3.0
CALM_S = 20.0
"""No fault in the first and the last seconds."""
OWNERS_REST = (0.2, 0.85)
"""Between these shares of a run no owner is killed, so that each shows how it ages."""

WEIGHTS = {
    "kill-replica": 8, "hang-replica": 4, "pause-replica": 4,
    "kill-maintainer": 2, "pause-maintainer": 2, "kill-supervisor": 2, "pause-supervisor": 2,
    "kill-gateway": 2, "silence-gateway": 4, "silence-supervisor": 2, "silence-both": 2,
    "fill-disk": 2, "release": 3, "rollback": 2,
}  # fmt: skip
KILLS_OWNERS = frozenset(
    {"kill-maintainer", "kill-supervisor", "kill-gateway", "silence-supervisor", "silence-both"}
)
LASTS_S = {
    "pause-replica": (0.2, 1.0), "pause-maintainer": (2.0, 30.0), "pause-supervisor": (0.5, 8.0),
    "silence-gateway": (1.0, 60.0), "silence-supervisor": (1.0, 20.0), "silence-both": (1.0, 20.0),
    "fill-disk": (5.0, 30.0), "kill-maintainer": (0.0, 10.0),
}  # fmt: skip
"""How long a fault lasts, drawn log-uniformly; for `kill-maintainer` how long until `lamp up`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: seconds after the load began, its kind, how long it lasts, and a number to draw from."""

    at_s: float
    kind: str
    lasts_s: float
    draw: int


def faults(seconds: float, seed: int) -> list[Fault]:
    """Return the faults of a run, in order of time."""
    draw = Random(f"soak:{seed}")
    found: list[Fault] = []
    at_s = CALM_S
    while at_s < seconds - CALM_S:
        resting = OWNERS_REST[0] <= at_s / seconds < OWNERS_REST[1]
        weights = {name: each for name, each in WEIGHTS.items() if not (resting and name in KILLS_OWNERS)}
        kind = draw.choices(list(weights), list(weights.values()))[0]
        low, high = LASTS_S.get(kind, (0.0, 0.0))
        lasts_s = max(low, 0.5) * (high / max(low, 0.5)) ** draw.random() if high else 0.0
        found.append(Fault(round(at_s, 2), kind, round(lasts_s, 2), draw.randrange(2**31)))
        at_s += max(GAP_LEAST_S, draw.expovariate(1 / GAP_MEAN_S))
    return found


def waves(seconds: float, *, quick: bool) -> tuple[Stage, ...]:
    """Return the load: low, a rise, high, a fall, again and again until the end."""
    whole, ramp = (WAVE_QUICK_S, RAMP_QUICK_S) if quick else (WAVE_S, RAMP_S)
    level = (whole - 2 * ramp) / 2
    cycle = [Stage(level, LOW), Stage(ramp, LOW, HIGH), Stage(level, HIGH), Stage(ramp, HIGH, LOW)]
    found: list[Stage] = []
    left = seconds
    while left > 0:
        stage = cycle[len(found) % len(cycle)]
        found.append(stage if stage.seconds <= left else Stage(left, stage.rate, stage.to))
        left -= stage.seconds
    return tuple(found)


def rate_at(stages: tuple[Stage, ...], second: float) -> float:
    """Return how many requests a second are due at a moment of the run."""
    for stage in stages:
        if second < stage.seconds:
            return stage.rate + (stage.end_rate - stage.rate) * max(0.0, second) / stage.seconds
        second -= stage.seconds
    return 0.0


def may_lose_one(serving: int, rate: float) -> bool:
    """Return whether the replicas that would be left bear the load with a quarter to spare.

    A system with less capacity than load must fail whatever looks after it; that is not what is tried.
    """
    return (serving - 1) * PER_REPLICA >= rate * 1.25

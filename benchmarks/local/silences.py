"""Which telemetry is silenced when, and what of what was done meanwhile was destructive. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.load import Stage
from benchmarks.load.silence import HOWS

SHORTEST_S, LONGEST_S, LONGEST_QUICK_S = 1.0, 180.0, 15.0
BEFORE_S, AFTER_S = 8.0, 20.0
"""Between an outage's end and the next one's beginning: enough to come to rest at the load of then."""
LOW, HIGH = 40.0, 110.0
"""Requests a second; the fewest replicas bear the high rate, with which there are more of them."""
TURN_S = 1.5
"""The load begins to change so long after an outage's beginning, and takes as long for it."""
WHICH = ("gateway", "supervisor", "both")
BESIDE = ("nothing", "kill", "release")
HEARD_S = 1.5
"""A pass that began before the silence may end in it: a reading may take 1 s."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage.

    Args:
        begins_s: seconds after the load began.
        lasts_s: for how long.
        which: whose socket is silent.
        hows: how, the gateway's and the supervisor's.
        beside: what is done meanwhile, besides the load that falls or rises.
    """

    begins_s: float
    lasts_s: float
    which: str
    hows: tuple[str, str]
    beside: str


def outages(count: int, seed: int, longest_s: float = LONGEST_S) -> list[Outage]:
    """Return outages of every length from 1 s to the longest: log-uniform, one from each equal part."""
    draw = Random(f"outages:{seed}")
    span = math.log(longest_s / SHORTEST_S)
    lengths = [SHORTEST_S * math.exp(span * (n + draw.random()) / count) for n in range(count)]
    draw.shuffle(lengths)
    found: list[Outage] = []
    begins_s = BEFORE_S + AFTER_S
    for n, lasts_s in enumerate(lengths):
        hows = (draw.choice(HOWS), draw.choice(HOWS))
        beside = BESIDE[(n // len(WHICH) + n) % len(BESIDE)]
        found.append(Outage(round(begins_s, 2), round(lasts_s, 2), WHICH[n % len(WHICH)], hows, beside))
        begins_s += lasts_s + AFTER_S + BEFORE_S
    return found


def stages(planned: Sequence[Outage]) -> tuple[Stage, ...]:
    """Return a load that falls in every other outage and rises in the others, from high to begin with."""
    found: list[Stage] = []
    at_s, rate = 0.0, HIGH
    for each in planned:
        turns_s = each.begins_s + TURN_S
        other = LOW if rate == HIGH else HIGH
        found += [Stage(turns_s - at_s, rate), Stage(TURN_S, rate, other)]
        at_s, rate = turns_s + TURN_S, other
    last = planned[-1]
    return (*found, Stage(max(1.0, last.begins_s + last.lasts_s + AFTER_S - at_s), rate))


@dataclass(slots=True)
class Window:
    """One outage as it went; moments are wall-clock seconds, as the ledger's labels are."""

    planned: Outage
    began_at: float
    ended_at: float = 0.0
    kept: bool = True
    said: str = ""
    recovered_s: float | None = None
    killed: dict[int, float] = field(default_factory=dict)
    replaced_s: float | None = None

    def holds(self, moment: float) -> bool:
        """Whether a moment lies in the silence, and no reading from before it can still be acted upon."""
        return self.began_at + HEARD_S <= moment < self.ended_at


@dataclass(frozen=True, slots=True)
class Death:
    """A replica's process that is there no more: seen first at `at`, and last alive `before` that."""

    replica: str
    pid: int
    at: float


def destructive(entries: Iterable[dict[str, Any]], windows: Sequence[Window], dead: set[str]) -> list[str]:
    """Return the decisions of the ledger that stop or starve something not proven dead during a silence.

    Args:
        entries: `decision` entries in order, each with `wall_s` and its body's fields.
        windows: the outages.
        dead: the replicas that were killed from outside.
    """
    found: list[str] = []
    shares: dict[str, dict[str, float]] = {}
    for each in entries:
        action = each["action"]
        why = _harm(action, shares, dead) if each["state"] == "act" else ""
        if action["type"] == "shift" and each["state"] == "act":
            shares[action["workload"]] = action["shares"]
        window = next((one for one in windows if one.holds(each["wall_s"])), None)
        if why and window is not None:
            into_s = each["wall_s"] - window.began_at
            found.append(f"{why}, {into_s:.1f} s into a silence of {window.planned.which}: {each['because']}")
    return found


def _harm(action: dict[str, Any], shares: dict[str, dict[str, float]], dead: set[str]) -> str:
    """Return what an action stops or starves that is not proven dead; empty if nothing."""
    match action["type"]:
        case "scale":
            stopped = [each for each in action.get("stops", ()) if each not in dead]
            return f"stops {', '.join(stopped)}" if stopped else ""
        case "replace":
            return f"replaces {action['replica']}" if action["replica"] not in dead else ""
        case "shift":
            before = shares.get(action["workload"], {})
            less = [name for name, share in before.items() if action["shares"].get(name, 0.0) < share]
            return f"takes traffic from {', '.join(less)}" if less else ""
        case "dismantle":
            return "dismantles everything"
        case _:
            return ""


def unordered(deaths: Iterable[Death], windows: Sequence[Window], ordered: dict[str, float]) -> list[str]:
    """Return the replicas that ended in a silence though nobody from outside killed them.

    Args:
        deaths: all that were seen.
        windows: the outages, with whom we killed in them.
        ordered: replica to the moment at which the ledger has its end decided, before any silence.
    """
    ours = {pid for each in windows for pid in each.killed}
    found = []
    for death in deaths:
        window = next((each for each in windows if each.holds(death.at)), None)
        if window is None or death.pid in ours:
            continue
        if ordered.get(death.replica, math.inf) >= window.began_at + HEARD_S:
            found.append(f"{death.replica} ended in a silence of {window.planned.which}")
    return found

"""Stakes: what is at risk at a time, what a person is asked about, and how soon a failure is repeated.

Reckoned anew from the facts of each pass and from what was decided before, whoever decided it.
"""

from collections.abc import Iterator

from lamplighter.model.actions import Replace, Scale
from lamplighter.model.decisions import Decision
from lamplighter.model.facts import PROCESSES, Facts
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant
from lamplighter.testing.checkers.seen import Listens
from lamplighter.testing.witness import Witness

EPSILON = 0.01
BACKOFF_S_MAX = 60.0
SOON_S = 60.0
"""Failures of so long ago count for sure, however much else has ended since."""


class RiskKept(Listens):
    """All that is being stopped of a workload at a time is no more of it than may be at risk."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, float]] = {}

    def hear(self, inputs: Inputs, result: Result, after: History, witness: Witness) -> Iterator[str]:
        """Hear what is to be stopped besides what is being stopped already."""
        self._open = {each: value for each, value in self._open.items() if each in after.pending}
        for each in result.decisions:
            action = each.chosen.action
            if each.state != "act" or not each.chosen.contract.destructive or witness.system is None:
                continue
            if not isinstance(action, Scale | Replace):
                continue
            name = action.workload
            share, one = _share(each, inputs.facts)
            if not share or name not in witness.system.services or _to_zero(each, witness):
                continue
            total = share + sum(part for other, part in self._open.values() if other == name)
            allowed = max(witness.system.guards.at_risk, one)
            if total > allowed + EPSILON and not each.chosen.ordered_by:
                yield f"{each.id} puts {total:.0%} of {name} at risk in all, {allowed:.0%} is allowed"
            self._open[each.id] = name, share


def _to_zero(decision: Decision, witness: Witness) -> bool:
    action = decision.chosen.action
    service = witness.service(str(getattr(action, "workload", "")))
    return (
        isinstance(action, Scale) and not action.replicas and service is not None and not service.replicas.min
    )


def _share(decision: Decision, facts: Facts) -> tuple[float, float]:
    """Return which share of what carries its traffic a decision stops, and which share one replica is."""
    action = decision.chosen.action
    assert isinstance(action, Scale | Replace)
    taking = {each for each, share in facts.shares.get(action.workload, {}).items() if share > 0}
    carrying = {
        each.id: each
        for each in facts.of(action.workload)
        if each.live and (not taking or each.release in taking)
    }
    stops = action.stops if isinstance(action, Scale) else (action.replica,)
    hit = sum(each in carrying and carrying[each].ready is not False for each in stops)
    return hit / max(1, len(carrying)), 1 / max(1, len(carrying))


class StakesTold(Listens):
    """What a person is asked for, and what is done, is what there is: it stops no more than it says."""

    def hear(self, inputs: Inputs, result: Result, _after: History, witness: Witness) -> Iterator[str]:
        """Hear what is asked, and what is done."""
        if inputs.facts.silence(PROCESSES, inputs.now):
            return
        for each in result.decisions:
            action = each.chosen.action
            if (
                not isinstance(action, Scale)
                or not action.stops
                or each.state == "held"
                or each.chosen.ordered_by
            ):
                continue
            listed = {one.id: one for one in inputs.facts.of(action.workload)}
            gone = [one for one in action.stops if one in listed and not listed[one].live]
            if gone:
                yield f"{each.id} is to stop {', '.join(gone)}, which does not live any more"
            share, _ = _share(each, inputs.facts)
            said = each.chosen.contract.blast_radius
            if share > said + EPSILON and not _to_zero(each, witness):
                yield f"{each.id} stops {share:.0%} of {action.workload} and says {said:.0%}"


class NotAtOnceAgain(Listens):
    """What was refused or has failed is tried again only after a while, which doubles."""

    def __init__(self) -> None:
        self._failed: dict[tuple[str, str], list[Instant]] = {}

    def hear(self, inputs: Inputs, result: Result, _after: History, witness: Witness) -> Iterator[str]:
        """Hear what has failed, and what is tried."""
        for closed in result.closed if witness.recording else ():
            if closed.result in ("refused", "failed", "undone"):
                self._failed.setdefault((closed.subject, closed.kind), []).append(closed.at)
        for each in result.decisions if self._failed else ():
            if each.state != "act" or each.chosen.controller == "undo":
                continue
            key = each.subject, str(each.chosen.action.__struct_config__.tag)
            recent = [at for at in self._failed.get(key, ()) if at > inputs.now - SOON_S]
            waits_s = min(BACKOFF_S_MAX, 2.0 ** (len(recent) - 1)) if recent else 0.0
            if recent and inputs.now - recent[-1] < waits_s - EPSILON:
                yield (
                    f"{each.id} comes {inputs.now - recent[-1]:.1f} s after failure {len(recent)} of its kind"
                    f" on {each.subject}, not after {waits_s:g} s"
                )

"""Passes: what each promised is kept: actions end, undo is done, nothing is saved on a load nobody knows.

These hear of each pass as it is recorded, besides what happens in the world. They go by an action's own
contract and by the facts of the pass; not by what the engine remembers.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from lamplighter.model.actions import Action, Replace, Scale, Shift
from lamplighter.model.decisions import Decision
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Facts, Replica
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Service
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Event
from lamplighter.testing.witness import Witness

UNDER_WAY_S_MAX = 400.0
"""Longer than any action's deadline with all its repeats, in seconds in which every source was heard."""
GAP_S_MAX = 10.0
"""Between two passes that are further apart nobody was there to judge."""
LOAD_SLACK_S = 5.0


Hear = Callable[[Inputs, Result, History, Witness], Iterable[str]]
"""What a checker that also hears of passes has as `hear`: a sentence for each violation a pass shows."""


class ActionsEnd:
    """Every action under way comes to an end once the facts are there to judge it by."""

    def __init__(self) -> None:
        self._heard_s: dict[str, float] = {}
        self._last: Instant = 0.0

    def look(self, _event: Event, _witness: Witness) -> Iterator[str]:
        """Look at nothing: it only hears."""
        return iter(())

    def hear(self, inputs: Inputs, _result: Result, after: History, _witness: Witness) -> Iterator[str]:
        """Hear which actions are under way."""
        gap_s, self._last = min(inputs.now - self._last, GAP_S_MAX), inputs.now
        if any(inputs.facts.silence(each, inputs.now) for each in (PROCESSES, HEALTH, TRAFFIC)):
            gap_s = 0.0
        self._heard_s = {each: self._heard_s.get(each, 0.0) + gap_s for each in after.pending}
        for name, heard_s in sorted(self._heard_s.items()):
            if heard_s > UNDER_WAY_S_MAX:
                yield f"{name} is under way for {heard_s:.0f} s and comes to no end"


class OneHand:
    """In one pass one decision at most goes ahead on a subject, on a release's number, on a replica."""

    def look(self, _event: Event, _witness: Witness) -> Iterator[str]:
        """Look at nothing: it only hears."""
        return iter(())

    def hear(self, _inputs: Inputs, result: Result, _after: History, _witness: Witness) -> Iterator[str]:
        """Hear what goes ahead."""
        holders: dict[str, str] = {}
        for each in result.decisions:
            if each.state != "act":
                continue
            for claim in sorted(_claimed(each)):
                first = holders.setdefault(claim, each.id)
                if first != each.id:
                    yield f"{first} and {each.id} both decide on {claim} in one pass"


def _claimed(decision: Decision) -> set[str]:
    match decision.chosen.action:
        case Scale(workload=workload, release=release, stops=stops):
            return {decision.subject, f"{workload}/{release}", *stops}
        case Replace(replica=replica):
            return {decision.subject, replica}
        case _:
            return {decision.subject}


class UndoKept:
    """What failed and has an undo that is possible is undone, not just called failed.

    Traffic cannot go back to what is ordered to stop, even if that order was lost: it may still arrive.
    """

    def __init__(self) -> None:
        self._undo: dict[str, tuple[Action, Action]] = {}
        self._stops: dict[str, tuple[str, ...]] = {}

    def look(self, _event: Event, _witness: Witness) -> Iterator[str]:
        """Look at nothing: it only hears."""
        return iter(())

    def hear(self, inputs: Inputs, result: Result, _after: History, _witness: Witness) -> Iterator[str]:
        """Hear what was decided, with which undo, and how it ended."""
        stopping = {each for stops in self._stops.values() for each in stops}
        staying = tuple(each for each in inputs.facts.replicas if each.id not in stopping)
        for each in result.closed:
            action, undo = self._undo.pop(each.action, (None, None))
            self._stops.pop(each.action, None)
            if each.result == "failed" and action and undo and _possible(action, undo, staying):
                yield f"{each.action} failed, and is not undone"
        for decision in result.decisions:
            action, undo = decision.chosen.action, decision.chosen.contract.undo
            if decision.state == "act" and undo is not None:
                self._undo[decision.id] = (action, undo)
            if decision.state == "act" and isinstance(action, Scale | Replace):
                self._stops[decision.id] = action.stops if isinstance(action, Scale) else (action.replica,)


def _possible(action: Action, undo: Action, staying: Sequence[Replica]) -> bool:
    """Whether there is anything to undo, and that can be done: some of what was started does not serve."""
    if isinstance(undo, Shift):
        return all(_ready(staying, undo.workload, each) for each, share in undo.shares.items() if share > 0)
    if isinstance(undo, Scale) and isinstance(action, Scale):
        return _ready(staying, undo.workload, undo.release) < action.replicas
    return False


def _ready(replicas: Sequence[Replica], workload: str, release: str) -> int:
    there = (each for each in replicas if (each.workload, each.release) == (workload, release))
    return sum(each.live and each.ready is True for each in there)


class LoadKnown:
    """Nothing is saved where the load has been unknown for longer than the panic window."""

    def __init__(self) -> None:
        self._unknown_since: dict[str, Instant] = {}

    def look(self, _event: Event, _witness: Witness) -> Iterator[str]:
        """Look at nothing: it only hears."""
        return iter(())

    def hear(self, inputs: Inputs, result: Result, _after: History, witness: Witness) -> Iterator[str]:
        """Hear the loads, and what is saved."""
        services = witness.system.services if witness.system else {}
        silent = inputs.facts.silence(TRAFFIC, inputs.now)
        for name, service in services.items():
            if silent or not _known(inputs.facts, service):
                self._unknown_since.setdefault(name, inputs.now)
            else:
                self._unknown_since.pop(name, None)
        for each in result.decisions:
            yield from self._saved(each, inputs.now, services)

    def _saved(self, decision: Decision, now: Instant, services: dict[str, Service]) -> Iterator[str]:
        action, chosen = decision.chosen.action, decision.chosen
        if decision.state != "act" or chosen.controller != "scaling" or not chosen.contract.destructive:
            return
        assert isinstance(action, Scale)
        service = services.get(action.workload)
        since = self._unknown_since.get(action.workload)
        if (
            service is None
            or service.scale is None
            or since is None
            or chosen.capacity == service.replicas.max
        ):
            return
        if now - since > service.scale.panic_window_s + LOAD_SLACK_S:
            yield f"{decision.id} saves on {action.workload}, whose load is unknown for {now - since:.0f} s"


def _known(facts: Facts, service: Service) -> bool:
    load = facts.loads.get(service.name)
    if load is None or service.scale is None:
        return False
    values = {
        "in_flight": load.in_flight,
        "rate": load.rate_per_s,
        "latency": load.latency_p99_s,
        "cpu": load.cpu,
    }
    return values.get(service.scale.on, 0) is not None

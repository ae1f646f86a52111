"""Saving: what is taken away is not needed by what is known now, serves nobody, or has its successor.

Goes by the readings of the last moments and by the facts of the pass, as people would see them.
"""

from collections import deque
from collections.abc import Collection, Iterator
from itertools import pairwise

from lamplighter.model.actions import Replace, Scale
from lamplighter.model.decisions import Decision
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Facts, Load
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Service
from lamplighter.model.value import Instant
from lamplighter.testing.checkers.seen import Listens
from lamplighter.testing.witness import Witness

Reading = tuple[Instant, float]
READINGS_MIN = 3
SLACK_TIMES, SLACK = 1.2, 0.5
"""The last readings of a load scatter."""


class FitsLoad(Listens):
    """A scale-down fits the load as it is known when it is done, not as it was when it was thought of."""

    def __init__(self) -> None:
        self._readings: dict[str, deque[Reading]] = {}

    def hear(self, inputs: Inputs, result: Result, _after: History, witness: Witness) -> Iterator[str]:
        """Hear the loads, and what is saved."""
        services = witness.system.services if witness.system else {}
        silent = inputs.facts.silence(TRAFFIC, inputs.now)
        for name, service in services.items():
            if service.scale is not None:
                self._read(service, None if silent else inputs.facts.loads.get(name), inputs.now)
        for each in result.decisions:
            yield from self._saved(each, inputs, witness)

    def _read(self, service: Service, load: Load | None, now: Instant) -> None:
        scale, kept = service.scale, self._readings.setdefault(service.name, deque())
        value = _followed(service, load)
        assert scale is not None
        while kept and (value is None or kept[0][0] < now - scale.panic_window_s):
            kept.popleft()
        if value is not None:
            kept.append((now, value))

    def _saved(self, decision: Decision, inputs: Inputs, witness: Witness) -> Iterator[str]:
        action, chosen = decision.chosen.action, decision.chosen
        if decision.state != "act" or chosen.controller != "scaling" or not isinstance(action, Scale):
            return
        service = witness.service(action.workload)
        readings = self._readings.get(action.workload, ())
        if service is None or service.scale is None or not action.stops or len(readings) < READINGS_MIN:
            return
        releases = {each.release for each in inputs.facts.of(action.workload) if each.live}
        if len(releases) > 1 or not action.replicas or action.replicas >= service.replicas.max:
            return
        need = _mean(readings) / service.scale.goal
        if need > action.replicas * SLACK_TIMES + SLACK:
            yield f"{decision.id} leaves {action.replicas} of {action.workload}, which now needs {need:.1f}"


def _mean(readings: Collection[Reading]) -> float:
    """Return the mean over time of readings, each of which tells of the time since the one before.

    Passes come more often while something happens: a mean over readings would weigh a burst of load for more
    than it was. The first reading only says from when on.
    """
    times = [at for at, _ in readings]
    spans = [at - before for before, at in pairwise(times)]
    whole = sum(spans)
    values = [value for _, value in readings][1:]
    return sum(span * value for span, value in zip(spans, values, strict=True)) / whole if whole else 0.0


def _followed(service: Service, load: Load | None) -> float | None:
    on = service.scale.on if service.scale else ""
    if load is None or on == "latency":
        return None
    return {"in_flight": load.in_flight, "rate": load.rate_per_s, "cpu": load.cpu}[on]


class UndoSpares(Listens):
    """To undo what did not come about whole takes away nothing that serves."""

    def hear(self, inputs: Inputs, result: Result, _after: History, _witness: Witness) -> Iterator[str]:
        """Hear what is undone."""
        for each in result.decisions:
            action = each.chosen.action
            if each.state != "act" or each.chosen.controller != "undo" or not isinstance(action, Scale):
                continue
            serving = [one for one in action.stops if _serves(inputs.facts, one)]
            if serving and not inputs.facts.silence(HEALTH, inputs.now):
                yield f"{each.id} undoes by stopping {', '.join(serving)}, which serves"


def _serves(facts: Facts, replica: str) -> bool:
    return any(each.id == replica and each.live and each.ready is True for each in facts.replicas)


class SuccessorFirst(Listens):
    """What serves and has to go is replaced only once another one serves in its place, if there is room."""

    def hear(self, inputs: Inputs, result: Result, after: History, witness: Witness) -> Iterator[str]:
        """Hear what is replaced where it stands."""
        for each in result.decisions:
            action = each.chosen.action
            if (
                each.state != "act"
                or not isinstance(action, Replace)
                or not _serves(inputs.facts, action.replica)
            ):
                continue
            service = witness.service(action.workload)
            if service is None or any(inputs.facts.silence(one, inputs.now) for one in (PROCESSES, HEALTH)):
                continue
            listed = {one.id: one for one in inputs.facts.of(action.workload)}
            coming = {
                name for one in after.pending.values() for name in _starts(one.decision, action.workload)
            }
            there = sum(one.live for one in listed.values()) + len(coming - listed.keys() - {action.start})
            if there < service.replicas.max + service.rollout.surge:
                yield f"{each.id} ends {action.replica}, which serves, with room for a successor first"


def _starts(decision: Decision, workload: str) -> tuple[str, ...]:
    action = decision.chosen.action
    if isinstance(action, Replace) and action.workload == workload:
        return (action.start,)
    return action.starts if isinstance(action, Scale) and action.workload == workload else ()

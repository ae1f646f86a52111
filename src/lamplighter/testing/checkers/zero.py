"""Zero: a workload goes there only when it is known to be idle, and what comes then is served.

Looks at what was known and what truly waits; not at how long the engine thinks that it was idle.
"""

from collections.abc import Iterator

from lamplighter.controllers.load import asked
from lamplighter.model.actions import Scale
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Facts
from lamplighter.model.history import History
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Applied, Event
from lamplighter.testing.checkers.seen import Listens, serving, workload_of
from lamplighter.testing.witness import Witness

WAKING_S_MAX = 60.0
"""A start, a repair of it and their back-offs; only time in which every source was heard counts."""
AGAIN_S_MAX = 30.0
"""The same where a first start has used up all the time that the spec gives it, and is replaced."""
GAP_S_MAX = 10.0
FUTILE = ("never-ready", "slow-start", "crash-loop")
"""While one of these befalls a workload nothing that is started of it need ever serve."""
ANSWERED = frozenset({"action-held", "approval-asked"})
"""Findings that say why nothing is done."""
HELD = frozenset({"held", "asked"})
"""States of decisions that are not carried out yet, on a workload or on one of its replicas."""


class ZeroOnlyWhenIdle:
    """Nothing that serves is stopped so that none is left, unless nobody asks for it, and that is known."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each Scale that takes the last serving replica of a workload that may go to zero."""
        if not isinstance(event, Applied) or not isinstance(event.action, Scale) or not event.action.stops:
            return
        name = event.action.workload
        service = witness.service(name)
        if service is None or service.replicas.min > 0 or witness.ordered_down(name, event.sent_at):
            return
        if not serving(event, event.before, name) or serving(event, event.after, name):
            return
        if event.seen is None or event.seen.silence(TRAFFIC, event.sent_at):
            yield f"{event.action_id} took {name} to zero while its load was not known"
        elif (requests := asked(event.seen.loads.get(name))) != 0:
            yield f"{event.action_id} took {name} to zero while {requests} ask for it"


class ZeroAfterIdle(Listens):
    """What its load alone takes to zero has been seen to be asked for nothing for as long as the spec says.

    One reading may be of before the last order: what was read busy twice, since that was answered, was busy.
    """

    def __init__(self) -> None:
        self._busy: dict[str, tuple[Instant, ...]] = {}

    def hear(self, inputs: Inputs, result: Result, after: History, witness: Witness) -> Iterator[str]:
        """Hear what is asked of whom, and who goes to zero."""
        silent = any(inputs.facts.silence(each, inputs.now) for each in (PROCESSES, TRAFFIC))
        for name, load in inputs.facts.loads.items() if not silent else ():
            memory, source = after.workloads.get(name), inputs.facts.sources.get(PROCESSES)
            at = memory.answered_at if memory else None
            behind = source is None or (at is not None and source.observed_at < at)
            if not behind and (asked(load) or load.rate_per_s):
                self._busy[name] = (*self._busy.get(name, ())[-1:], inputs.now)
        for each in result.decisions:
            action, service = each.chosen.action, witness.service(workload_of(each.chosen.action))
            if each.chosen.controller != "scaling" or each.state != "act" or not isinstance(action, Scale):
                continue
            if action.replicas or not action.stops or service is None or service.scale is None:
                continue
            busy = self._busy.get(service.name, ())
            if len(busy) > 1 and inputs.now - busy[0] < service.scale.idle_s:
                ago_s = inputs.now - busy[-1]
                yield f"{each.id} takes {service.name} to zero {ago_s:.1f} s after something was asked of it"


class WaitersServed:
    """Requests that wait at zero get a replica, once everything is heard and no guard holds it back.

    Their time runs only from when what is started can serve: until then, however soon, it is for nothing.
    It runs anew from when the target last refused, or lost, what was ordered for them.
    Nor does it run while repairs of a replica are used up, and a person has been asked to look after it.
    """

    def __init__(self) -> None:
        self._waiting_s: dict[str, float] = {}
        self._last = 0.0

    def look(self, _event: Event, _witness: Witness) -> Iterator[str]:
        """Look at nothing: it only hears."""
        return iter(())

    def hear(self, inputs: Inputs, result: Result, after: History, witness: Witness) -> Iterator[str]:
        """Hear for how long requests have waited for a workload of which nothing serves."""
        gap_s, self._last = min(inputs.now - self._last, GAP_S_MAX), inputs.now
        if after.stopping is not None or after.stopped or not inputs.recordable:
            self._waiting_s = {}
            return
        if any(inputs.facts.silence(each, inputs.now) for each in (PROCESSES, HEALTH, TRAFFIC)):
            return
        held = {each.subject.partition("/")[0] for each in result.findings if each.kind in ANSWERED}
        held |= {workload_of(each.chosen.action) for each in result.decisions if each.state in HELD}
        asked_for = [each.subject for each in result.findings if each.kind == "needs-a-person"]
        held |= {*asked_for, *(each.rpartition("-")[0] for each in asked_for)}
        if "gateway" in held:
            return  # it is to be told of the spec in force first, before anything else
        for name, service in after.system.services.items() if after.system else ():
            most_s = max(WAKING_S_MAX, service.health.start_timeout_s + AGAIN_S_MAX)
            load = inputs.facts.loads.get(name)
            at_zero = after.workloads[name].stable if name in after.workloads else ""
            futile = any(witness.world.befalling.size(each, name) is not None for each in FUTILE)
            futile = futile or witness.refused.get(name, -1.0) >= inputs.now - gap_s
            waiting = (load.queued or 0) if load else 0
            if not at_zero or futile or not waiting or _ready(name, inputs.facts):
                self._waiting_s.pop(name, None)
                continue
            self._waiting_s[name] = self._waiting_s.get(name, 0.0) + (0.0 if name in held else gap_s)
            if self._waiting_s[name] > most_s:
                yield f"{waiting} requests have waited for {name} for {self._waiting_s[name]:.0f} s"


def _ready(workload: str, facts: Facts) -> bool:
    return any(each.workload == workload and each.ready for each in facts.replicas)

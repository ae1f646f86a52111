"""Order: what is needed goes last and comes first, and a yes counts for what was asked about."""

from collections.abc import Iterator

from lamplighter.model.actions import Scale
from lamplighter.targets.simulated.journal import Applied, Event
from lamplighter.testing.checkers.seen import of, stops
from lamplighter.testing.witness import Witness


class NeedsKept:
    """While everything goes down, nothing that another one needs ends before it; nothing starts before it.

    Only the first release of a workload waits for what it needs; later ones find it there, or do not. What
    was decided before the order is none of its doing, however late it arrives.
    """

    def __init__(self) -> None:
        self._started: set[str] = set()

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each Scale."""
        if not isinstance(event, Applied) or not isinstance(event.action, Scale) or witness.system is None:
            return
        action, services = event.action, witness.system.services
        decided_at = witness.decided.get(event.action_id, event.sent_at)
        going = witness.down_at is not None and decided_at >= witness.down_at
        if going and stops(action, event.before) and event.seen is not None:
            left = {each.workload for each in event.seen.replicas if not each.exit and each.live}
            needing = sorted(
                each for each in left & services.keys() if action.workload in services[each].needs
            )
            if needing and not any(action.workload == each for each in needing):
                yield f"{event.action_id} ends {action.workload}, and {', '.join(needing)} still needs it"
        if action.starts and action.workload not in self._started and action.workload in services:
            yield from self._early(event, action, witness)
            self._started.add(action.workload)

    def _early(self, event: Applied, action: Scale, witness: Witness) -> Iterator[str]:
        assert witness.system is not None
        services, seen = witness.system.services, event.seen.replicas if event.seen else ()
        if any(True for _ in of(event.before, action.workload)):
            return
        for need in services[action.workload].needs:
            if need in services and not any(each.workload == need and each.ready for each in seen):
                yield f"{event.action_id} starts {action.workload}, and none of {need} was seen to serve"


class ApprovalFresh:
    """A yes counts only while who lives, and who gets the traffic, is as it was when it was asked for."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action that waited for a yes."""
        if not isinstance(event, Applied) or event.action_id not in witness.asked:
            return
        asked, acted = witness.asked_on.get(event.action_id), witness.acted_on.get(event.action_id)
        if asked is not None and acted is not None and asked != acted:
            yield f"{event.action_id} was approved on other facts than it was done on"

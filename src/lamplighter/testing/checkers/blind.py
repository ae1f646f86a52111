"""Blind: nothing that may serve is stopped in an outage of telemetry, as the world knows of outages.

What `KnownOnly` judges by the facts that a maintainer had in its hands is judged here by what was truly
silent: whoever reads old facts for new is caught by one of the two.
"""

from collections.abc import Iterator

from lamplighter.model.actions import Replace, Scale
from lamplighter.model.facts import FACT_AGE_MAX_S, HEALTH, PROCESSES, TRAFFIC
from lamplighter.targets.simulated.journal import Applied, Event
from lamplighter.testing.checkers.seen import shares, stops, too_big, workload_of
from lamplighter.testing.witness import Witness

HEARD_S = 1.6
"""Facts are read again if they are older than a second; a reading and a call take a moment."""


class OutageHeld:
    """Nothing that lives is stopped unordered while processes or health have truly been silent for long.

    What serves is not stopped to save while traffic is.
    """

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action that stops what lives."""
        if not isinstance(event, Applied) or not isinstance(event.action, Scale | Replace):
            return
        stopped = stops(event.action, event.before)
        name = workload_of(event.action)
        if not stopped or witness.released_by_order(name, event.sent_at):
            return
        sources = [PROCESSES, HEALTH, *([TRAFFIC] if _saves(event, stopped) else [])]
        for source in sources:
            since = witness.silent_since(source)
            heard_s = HEARD_S + (FACT_AGE_MAX_S if _quiet(event, source) else 0)
            if since is not None and event.sent_at - since > heard_s:
                witness.blind_stops += len(stopped)
                silent_s = event.sent_at - since
                yield f"{event.action_id} stops {', '.join(stopped)}, {source} silent for {silent_s:.1f} s"


def _quiet(event: Applied, source: str) -> bool:
    """Return whether a source was not seen to fail: that it says nothing new shows by its age alone."""
    said = event.seen.sources.get(source) if event.seen else None
    return said is not None and not said.fault


def _saves(event: Applied, stopped: tuple[str, ...]) -> bool:
    """Return whether what has all of the traffic is made less, and not for being broken."""
    action, taking = event.action, shares(event.before, workload_of(event.action))
    if not isinstance(action, Scale) or taking.keys() != {action.release} or not action.replicas:
        return False
    seen = event.seen.replicas if event.seen else ()
    broken = {each.id for each in seen if too_big(each.memory_bytes) or each.ready is False}
    return not broken.issuperset(stopped)

"""Reasons: what is scaled down or replaced had cause to be, by the true load and by what truly failed."""

from collections.abc import Iterator

from lamplighter.model.actions import Replace, Scale
from lamplighter.model.facts import HEALTH
from lamplighter.model.system import Service
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Applied, Draining, Ended, Event, Passing
from lamplighter.testing.checkers.seen import could_serve, of, shares, stops, too_big
from lamplighter.testing.need import needed
from lamplighter.testing.witness import Witness

LOOKS = 12
"""At so many instants of the calm window the load is looked at."""
SLACK_TIMES, SLACK = 1.35, 1.0
"""Requests in flight scatter: so much of a load may be overlooked."""
MISLEADING = ("load-lies", "lull", "contradictions", "gaps", "gateway-restart", "reboot")
"""What makes a load look smaller than it is asked for."""
UNSTEADY = ("health-lies", "blips", "checks-flap", "gaps", "reboot")
CHECK_S = 1.1


class ScaledDownRightly:
    """What has all of the traffic is made less only if its load has been low enough for a calm window."""

    def __init__(self) -> None:
        self._dark_until: dict[str, Instant] = {}

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at who serves, and at each Scale that stops some of them."""
        if isinstance(event, Passing | Draining | Ended):
            self._darkness(event.replica.rpartition("-")[0], witness)
        if not isinstance(event, Applied) or not isinstance(event.action, Scale):
            return
        action = event.action
        name, service = action.workload, witness.service(action.workload)
        if service is None or not self._judged(event, action, service, witness):
            return
        scale = service.scale
        assert scale is not None
        since = witness.recorded.get(event.action_id, event.sent_at) - scale.window_s
        instants = [since + scale.window_s * part / LOOKS for part in range(LOOKS)]
        need = min(needed(witness.world, service, each, action.release) for each in instants)
        if need > action.replicas * SLACK_TIMES + SLACK:
            yield (
                f"{event.action_id} leaves {action.replicas} of {name}, and for {scale.window_s:g} s"
                f" its load has needed {need:.1f}"
            )

    def _darkness(self, workload: str, witness: Witness) -> None:
        """Note until when nobody served: nothing is in flight then, whatever is asked for."""
        bodies = witness.world.bodies.values()
        if sum(each.serving for each in bodies if each.workload == workload) <= 1:
            self._dark_until[workload] = witness.world.now

    def _judged(self, event: Applied, action: Scale, service: Service, witness: Witness) -> bool:
        name, scale = action.workload, service.scale
        if scale is None or scale.on == "latency" or not action.replicas:
            return False
        if witness.released_by_order(name, event.sent_at) or shares(event.before, name).keys() != {
            action.release
        }:
            return False
        decided_at = witness.recorded.get(event.action_id, event.sent_at)
        live = sum(each.live for each in of(event.before, name))
        hit = {each.id for each in of(event.before, name) if could_serve(each, event)}
        big = {each.id for each in (event.seen.replicas if event.seen else ()) if too_big(each.memory_bytes)}
        befalling = witness.world.befalling
        return (
            live <= service.replicas.max
            and service.replicas.min < service.replicas.max
            and action.replicas < service.replicas.max
            and bool(hit.difference(big).intersection(stops(action, event.before)))
            and self._dark_until.get(name, -1.0) < decided_at - scale.window_s
            and not any(befalling.lately(each, scale.window_s + 30.0) for each in MISLEADING)
            and not witness.world.faults.sources.contradiction_p
            and not witness.changed_lately(name, scale.window_s)
            and not _makes_way(event, action, witness)
        )


def _makes_way(event: Applied, action: Scale, witness: Witness) -> bool:
    """Whether it is a rollout that takes from a release, since another one was ordered in its place.

    Where there is no room beyond `max` that is how the other starts, whatever the load is. Housekeeping
    brings what lives to that number where the rollout's own action did not.
    """
    ordered = witness.releases.get(action.workload, [])
    decision = witness.decisions.get(event.action_id)
    by_rollout = decision is not None and decision.chosen.controller in ("rollout", "housekeeping")
    return by_rollout and bool(ordered) and ordered[-1][1] != action.release


class Patient:
    """A replica that lives is replaced only once it has failed for as long as its spec bears.

    Judged by what could be known of it when the facts were read that were seen last: one that has begun or
    ceased to answer since then counts as it stood. So does one that answered for the first time on the way
    there: it had been starting for all that anybody knew.
    """

    def __init__(self) -> None:
        self._turns: dict[str, list[tuple[Instant, bool]]] = {}

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at checks that fail and pass, and at each replacement of what lives."""
        if isinstance(event, Passing):
            self._turns.setdefault(event.replica, []).append((event.at, event.passing))
        if not isinstance(event, Applied) or not isinstance(event.action, Replace):
            return
        body = witness.world.bodies.get(event.action.replica)
        service = witness.service(event.action.workload)
        was = next((each for each in event.before.replicas if each.id == event.action.replica), None)
        if body is None or service is None or was is None or not was.live:
            return
        seen = next((each for each in (event.seen.replicas if event.seen else ()) if each.id == was.id), None)
        if seen is not None and too_big(seen.memory_bytes):
            return
        if any(witness.world.befalling.lately(each, 30.0) for each in UNSTEADY) or _unsteady(witness):
            return
        turns = self._when_read(event, was.id)
        if not any(passing for _, passing in turns):
            waited_s, bears_s = event.at - body.started_at, service.health.start_timeout_s
        else:
            waited_s = 0.0 if turns[-1][1] else event.at - turns[-1][0]
            bears_s = service.health.unhealthy_after_s
        if waited_s < bears_s - CHECK_S:
            yield f"{event.action_id} replaces {was.id} after {waited_s:.1f} s, its spec bears {bears_s:g} s"

    def _when_read(self, event: Applied, replica: str) -> list[tuple[Instant, bool]]:
        """Return when a replica began or ceased to pass, up to when its checks were read last."""
        health = event.seen.sources.get(HEALTH) if event.seen else None
        until = health.observed_at if health is not None else event.at
        return [each for each in self._turns.get(replica, ()) if each[0] < until]


def _unsteady(witness: Witness) -> bool:
    faults = witness.world.faults.sources
    return bool(faults.blip_p or faults.missing_p)

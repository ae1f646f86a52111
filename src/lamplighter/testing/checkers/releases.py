"""Releases: what is started was ordered, what replaces is of the same, a new one has time to fail."""

from collections.abc import Iterator

from lamplighter.model.actions import Dismantle, Replace, Scale, Shift
from lamplighter.model.system import Service
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Applied, Born, Event
from lamplighter.testing.checkers.seen import shares
from lamplighter.testing.witness import Witness

SHARE_SLACK = 0.01
"""A gateway rounds shares; a step counts as reached so far below it."""
BAKE_SLACK_S = 0.5


class OrderedOnly:
    """Every replica that is started is of a release that a person has ordered for its workload."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each birth."""
        if not isinstance(event, Born):
            return
        ordered = {release for _, release in witness.releases.get(event.workload, ())}
        if event.release not in ordered:
            yield f"{event.replica} is of {event.release}, which nobody ordered for {event.workload}"


class OwnRelease:
    """What takes the place of a replica is of the same workload and release."""

    def look(self, event: Event, _witness: Witness) -> Iterator[str]:
        """Look at each replacement."""
        if not isinstance(event, Applied) or not isinstance(event.action, Replace):
            return
        action = event.action
        for each in event.before.replicas:
            if each.id == action.replica and (each.workload, each.release) != (
                action.workload,
                action.release,
            ):
                yield f"{event.action_id} replaces {each.id} of {each.release} by one of {action.release}"


class BakeKept:
    """A candidate gets more than a step's share only after it has had that share for the bake.

    Not where a person rolled back, where it has all already, or where nothing else was seen to serve. Nor
    is the way back a rollout: a release that had everything, and whose replicas were not ended for good
    once another one had, is the one that stays when the other is given up, with all of the traffic or not.
    Once all was taken down everything begins anew.
    """

    def __init__(self) -> None:
        self._whole: dict[str, str] = {}
        self._kept: dict[str, str] = {}
        self._since: dict[tuple[str, str], list[tuple[float, Instant]]] = {}

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each new way of sharing traffic."""
        if not isinstance(event, Applied):
            return
        if isinstance(event.action, Dismantle):
            for each in (self._whole, self._kept, self._since):
                each.clear()
        if isinstance(event.action, Scale):
            self._let_go(event.action)
        if isinstance(event.action, Shift):
            yield from self._shared(event, event.action.workload, witness)

    def _let_go(self, action: Scale) -> None:
        """Whoever has everything is the one that stays, once the former one is ended for good."""
        name = action.workload
        if not action.replicas and action.release == self._kept.get(name) != self._whole.get(name):
            self._kept[name] = self._whole[name]

    def _shared(self, event: Applied, name: str, witness: Witness) -> Iterator[str]:
        before, after, service = shares(event.before, name), shares(event.after, name), witness.service(name)
        for release in before.keys() - after.keys():
            self._since.pop((name, release), None)
        for release, share in after.items():
            if share > before.get(release, 0.0) and service is not None:
                if self._asked_for_time(event, witness, release, before):
                    yield from self._hurried(event, service, release, share)
                self._since.setdefault((name, release), []).append((share, event.at))
        if len(after) == 1:
            self._whole[name] = next(iter(after))
            self._kept.setdefault(name, self._whole[name])

    def _asked_for_time(
        self, event: Applied, witness: Witness, release: str, before: dict[str, float]
    ) -> bool:
        assert isinstance(event.action, Shift)
        name = event.action.workload
        proven = (self._whole.get(name), self._kept.get(name))
        if not before or release in proven or witness.released_by_order(name):
            return False
        seen = event.seen.replicas if event.seen else ()
        others = before.keys() - {release}
        return any(
            each.live and each.ready and each.workload == name and each.release in others for each in seen
        )

    def _hurried(self, event: Applied, service: Service, release: str, share: float) -> Iterator[str]:
        had = self._since.get((service.name, release), [])
        for step in service.rollout.steps:
            if step >= 1 or share <= step + SHARE_SLACK:
                continue
            since = min((at for given, at in had if given >= step - SHARE_SLACK), default=event.at)
            if event.at - since < service.rollout.bake_s - BAKE_SLACK_S:
                yield (
                    f"{event.action_id} gives {share:.0%} of {service.name} to {release},"
                    f" which had {step:.0%} for {event.at - since:.1f} s of its {service.rollout.bake_s:g} s"
                )
                return

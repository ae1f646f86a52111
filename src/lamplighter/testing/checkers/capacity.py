"""Capacity: never too few by one's own hand, never too many, and traffic only where it can be served."""

from collections import Counter
from collections.abc import Iterator

from lamplighter.model.actions import Replace, Scale, Shift
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.journal import Applied, Event, Standing, Truth
from lamplighter.testing.checkers.seen import could_serve, of, serving, shares, starts, stops, workload_of
from lamplighter.testing.witness import Witness

SUM_TOLERANCE = 1e-3


def _able(event: Applied, truth: Truth, workload: str) -> Counter[str]:
    there = (each for each in of(truth, workload) if each.live or each.ended)
    return Counter(each.release for each in there if could_serve(each, event))


def _known(event: Applied, truth: Truth, witness: Witness) -> Iterator[Standing]:
    """Yield the live replicas of an action's workload that its maintainer could know of.

    Of one that was started on a full disk a successor has no record: it knows only whom it sees.
    """
    seen = {each.id for each in event.seen.replicas} if event.seen else set()
    for each in of(truth, workload_of(event.action)):
        if each.live and (each.id in seen or each.id not in witness.unwritten):
            yield each


class MinKept:
    """No action takes a workload below its `min`, unless a person ordered that.

    What an action starts it takes from nobody, even if it bears the name of what has just ended.
    """

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action that stops replicas or moves traffic away from them."""
        if not isinstance(event, Applied) or isinstance(event.action, Replace):
            return
        name = workload_of(event.action)
        service = witness.service(name)
        if service is None or witness.ordered_down(name, event.sent_at):
            return
        before, after = serving(event, event.before, name), serving(event, event.after, name)
        before -= set(starts(event.action))
        if len(after) < min(len(before), service.replicas.min):
            lost = ", ".join(sorted(before - after))
            yield (
                f"{event.action_id} took {name} from {len(before)} serving to {len(after)}, its min is"
                f" {service.replicas.min}: {lost} lost"
            )


class MaxKept:
    """No action starts more than `max` plus surge of a workload."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action that starts replicas."""
        if not isinstance(event, Applied) or not isinstance(event.action, Scale | Replace):
            return
        name = event.action.workload
        service = witness.service(name)
        if service is None:
            return
        before = sum(1 for _ in _known(event, event.before, witness))
        after = sum(1 for _ in _known(event, event.after, witness))
        limit = service.replicas.max + witness.surge(name)
        if after > max(before, limit):
            yield f"{event.action_id} brought {name} to {after} live replicas, {limit} are allowed"


class CountExact:
    """A Scale that starts replicas ends with as many of that release as it says, not with more.

    One that has grown too big, or stopped serving, does not count: its successor is started before it ends.
    What a successor's order says was so when it was decided; a number that was settled since holds as well.
    """

    def __init__(self) -> None:
        self._succeeded: set[str] = set()
        self._settled: dict[tuple[str, str], tuple[Instant, int]] = {}

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each Scale that starts replicas."""
        if not isinstance(event, Applied) or not isinstance(event.action, Scale) or not event.action.starts:
            return
        action, subject = event.action, witness.subjects.get(event.action_id)
        if subject is not None and subject != f"{action.workload}/{action.release}":
            self._succeeded.add(subject)
        live = [each for each in _known(event, event.after, witness) if each.release == action.release]
        count = sum(each.id not in self._succeeded for each in live)
        if count > max(action.replicas, self._since(event, action, witness)):
            yield f"{event.action_id} asks for {action.replicas} of {action.release} and there are {count}"

    def _since(self, event: Applied, action: Scale, witness: Witness) -> int:
        """Return the number that was settled since a successor was decided on; 0 if none was."""
        key = action.workload, action.release
        decided_at = witness.recorded.get(event.action_id, event.sent_at)
        at, number = self._settled.get(key, (decided_at, 0))
        if witness.subjects.get(event.action_id) in (None, "/".join(key)):
            self._settled[key] = decided_at, action.replicas
            return 0
        return number if at > decided_at else 0


class SharesSound:
    """Shares add up to 1, and none points where nothing is ready while another release could serve."""

    def look(self, event: Event, witness: Witness) -> Iterator[str]:
        """Look at each action that moves traffic or stops replicas."""
        if not isinstance(event, Applied):
            return
        action = event.action
        if isinstance(action, Shift) and abs(sum(action.shares.values()) - 1) > SUM_TOLERANCE:
            yield f"{event.action_id} shares {sum(action.shares.values()):g} of {action.workload}'s traffic"
        if not isinstance(action, Shift) and not stops(action, event.before):
            return
        name = workload_of(action)
        if witness.service(name) is None or witness.ordered_down(name, event.sent_at):
            return
        able, was_able = _able(event, event.after, name), _able(event, event.before, name)
        others = any(each.live and could_serve(each, event) for each in of(event.after, name))
        old = shares(event.before, name)
        for release, share in sorted(shares(event.after, name).items()):
            worse = share > old.get(release, 0.0) or was_able[release]
            if not able[release] and others and worse and not isinstance(action, Replace):
                yield f"{event.action_id} leaves {share:.0%} of {name} with {release}, of which none is ready"

"""What checkers have in common: their shape, and how much a maintainer could know of the truth."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from lamplighter.model.actions import Action, Dismantle, Replace, Scale
from lamplighter.model.facts import FACT_AGE_MAX_S, PROCESSES, Facts
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.bodies import MEMORY_BYTES
from lamplighter.targets.simulated.journal import Applied, Event, Standing, Truth
from lamplighter.testing.witness import Witness

LAG_S = FACT_AGE_MAX_S + 2.0
"""So long after something has happened it may still be unknown: facts of this age count as known, are
read again only a second before an action, and the action takes a moment to arrive."""


class Violation(NamedTuple):
    """Something that must never happen has happened."""

    at: Instant
    checker: str
    message: str


class Checker(Protocol):
    """Looks at events as they happen."""

    def look(self, event: Event, witness: Witness, /) -> Iterable[str]:
        """Return a sentence for each violation that this event shows."""
        ...


class Listens:
    """A checker that only hears of passes."""

    def look(self, _event: Event, _witness: Witness) -> Iterable[str]:
        """Look at nothing."""
        return ()


def read_at(facts: Facts) -> Instant:
    """Return when the last source answered: facts bear the date of when they were asked for."""
    return max([facts.at, *(each.observed_at for each in facts.sources.values())])


def stops(action: Action, before: Truth) -> tuple[str, ...]:
    """Return the replicas that an action ends, if they lived until then."""
    live = {each.id for each in before.replicas if each.live}
    match action:
        case Scale(stops=names):
            return tuple(each for each in names if each in live)
        case Replace(replica=name):
            return (name,) if name in live else ()
        case Dismantle():
            return tuple(sorted(live))
        case _:
            return ()


def starts(action: Action) -> tuple[str, ...]:
    """Return the replicas that an action starts."""
    match action:
        case Scale(starts=names):
            return names
        case Replace(start=name):
            return (name,)
        case _:
            return ()


def workload_of(action: Action) -> str:
    """Return the workload that an action is on, or an empty string."""
    return str(getattr(action, "workload", ""))


def of(truth: Truth, workload: str) -> Iterator[Standing]:
    """Yield a workload's replicas."""
    return (each for each in truth.replicas if each.workload == workload)


def shares(truth: Truth, workload: str) -> dict[str, float]:
    """Return the releases of a workload that get traffic; empty: all of them do."""
    return {name: share for name, share in truth.shares.get(workload, {}).items() if share > 0}


def could_serve(each: Standing, event: Applied) -> bool:
    """Return whether a maintainer had every reason to believe that a replica serves.

    It passes its checks, or did until a moment ago, and the facts that were seen last do not say no; or
    they say yes. One that has ended without a trace, and is not listed any more, is said no of too.
    """
    seen = event.seen.replicas if event.seen else ()
    said = next((one for one in seen if one.id == each.id), None)
    if said is not None and said.ready is not None:
        return said.ready and said.live and (each.live or each.ended)
    lately = each.down_at is not None and event.at - each.down_at <= LAG_S + (event.at - event.sent_at)
    missed = said is None and event.seen is not None and not event.seen.silence(PROCESSES, event.sent_at)
    return each.passing or (lately and not missed)


def serving(event: Applied, truth: Truth, workload: str) -> set[str]:
    """Return the replicas that serve a workload as far as a maintainer could know, traffic included."""
    taking = shares(truth, workload)
    gone = {each.id for each in truth.replicas if not (each.live or each.ended)}
    return {
        each.id
        for each in of(truth, workload)
        if could_serve(each, event) and each.id not in gone and (not taking or each.release in taking)
    }


def too_big(memory_bytes: int | None) -> bool:
    """Return whether a replica was seen to use more than it may, by far: it has to go, ready or not."""
    return memory_bytes is not None and memory_bytes > 2 * MEMORY_BYTES

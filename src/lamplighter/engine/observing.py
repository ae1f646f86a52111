"""Observing: one snapshot of the site within a deadline. One that cannot be had is facts too: all silent."""

import asyncio

import msgspec

from lamplighter.engine.canonical import canonical_facts
from lamplighter.engine.terms import Terms
from lamplighter.model.errors import LampError
from lamplighter.model.facts import SOURCES, Facts, Machine, Phase, Replica, Source
from lamplighter.model.value import Instant
from lamplighter.ports import Clock, Scope, Target


async def observed(target: Target, clock: Clock, terms: Terms, last: Facts | None) -> Facts:
    """Return what the target says, in canonical form; if it says nothing in time, a blackout. Never raises.

    Args:
        target: the site.
        clock: stamps the snapshot with the instant at which the reading began.
        terms: names the system and the deadline.
        last: the snapshot before, for when each source last answered; what has not changed since is of it.
    """
    scope = Scope(system=terms.system, now=clock.now(), wall=clock.wall())
    deadline_s = terms.pace.observe_deadline_s
    try:
        async with asyncio.timeout(deadline_s):
            return canonical_facts(await target.observe(scope), last)
    except TimeoutError:
        why = f"no answer within {deadline_s:g} s"
    except LampError as error:
        why = f"{error.code}: {error.message}"
    except Exception as error:  # noqa: BLE001 - the edge to a target: what cannot be read is a silent source
        why = f"{type(error).__name__}: {error}"
    terms.log("observation-lost", why=why)
    return blackout(last, clock.now(), scope.wall, why)


def blackout(last: Facts | None, now: Instant, wall: str, why: str) -> Facts:
    """Return facts in which nothing is known: every source is silent since it last answered.

    Replicas that were known keep their identity, so that nothing is taken for gone; what they do is unknown.
    """
    names = SOURCES
    if last is None:
        return Facts(at=now, wall=wall, sources={each: Source(observed_at=now, fault=why) for each in names})
    since = {each: Source(observed_at=now) for each in names} | last.sources
    return msgspec.structs.replace(
        last,
        at=now,
        wall=wall,
        sources={name: Source(observed_at=each.observed_at, fault=why) for name, each in since.items()},
        replicas=tuple(_unknown(each) for each in last.replicas),
        loads={},
        machine=Machine(),
    )


def _unknown(replica: Replica) -> Replica:
    if replica.phase is Phase.EXITED:  # once proven gone, it stays gone
        return replica
    return msgspec.structs.replace(
        replica, phase=Phase.UNKNOWN, ready=None, in_flight=None, memory_bytes=None, cpu=None
    )

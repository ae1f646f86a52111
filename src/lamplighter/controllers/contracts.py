"""The contracts: how each kind of action is proposed, with its precondition, gain, undo and postcondition.

Replicas to be started are left without a name here; names are given where proposals are settled,
since only there it is known which of them go ahead.
"""

from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace

from lamplighter.controllers.survey import Survey
from lamplighter.model.actions import (
    Action,
    Broken,
    Condition,
    Configure,
    Configured,
    Contract,
    Dismantle,
    Forget,
    Gone,
    Heard,
    Live,
    Ready,
    Replace,
    Scale,
    Serving,
    Shares,
    Shift,
)
from lamplighter.model.decisions import Priority, Proposal
from lamplighter.model.facts import HEALTH, PROCESSES, TRAFFIC, Replica
from lamplighter.model.system import System
from lamplighter.model.value import Value, digest

MARGIN_S = 30.0
"""Beyond an app's own start timeout or drain: room for the target and for facts to arrive."""
SHIFT_DEADLINE_S = 15.0
"""The gateway takes a new share in milliseconds; the rest is for late facts."""
DISMANTLE_DEADLINE_S = 60.0
SHARE_DIGITS = 4
SHARE_TOLERANCE = 0.005
"""A gateway may round weights to whole percents or so."""


class Why(Value):
    """Who proposes, how urgently, and why."""

    controller: str
    priority: Priority
    because: str
    capacity: int | None = None
    ordered_by: str = ""


class Timing(Value):
    """How long replicas of a workload may take to start and to drain, in seconds."""

    start_s: float
    drain_s: float


def propose(why: Why, subject: str, action: Action, contract: Contract) -> Proposal:
    """Put a proposal together from its parts."""
    return Proposal(
        controller=why.controller,
        priority=why.priority,
        subject=subject,
        action=action,
        contract=contract,
        because=why.because,
        capacity=why.capacity,
        ordered_by=why.ordered_by,
    )


def configure(system: System, why: Why) -> Proposal:
    """Propose to set the gateway as the system says."""
    return propose(
        why,
        "gateway",
        Configure(system=system),
        Contract(
            gain="the gateway follows the spec in force",
            expects=(Configured(digest=digest(system)),),
            deadline_s=MARGIN_S,
        ),
    )


def grow(workload: str, release: str, counts: tuple[int, int, int], why: Why, timing: Timing) -> Proposal:
    """Propose more replicas of a release.

    Args:
        workload: its name.
        release: the release's id.
        counts: how many are settled now, how many live or come, and how many are wanted. Undone is the
            number that was settled: one that is no other than what is wanted would never come about.
        why: who proposes, and why.
        timing: the workload's own times.
    """
    settled, lives, to = counts
    scale = Scale(
        workload=workload, release=release, replicas=to, starts=("",) * (to - lives), drain_s=timing.drain_s
    )
    undo = Scale(workload=workload, release=release, replicas=settled, drain_s=timing.drain_s)
    return propose(
        why,
        f"{workload}/{release}",
        scale,
        Contract(
            gain=f"{to - lives} more of {workload}",
            needs=(Heard(source=PROCESSES),),
            expects=(Ready(workload=workload, release=release, at_least=to),),
            deadline_s=timing.start_s + MARGIN_S,
            undo=undo if why.controller == "scaling" else None,
        ),
    )


def takes_traffic(survey: Survey, workload: str, release: str) -> bool:
    """Return whether a release gets traffic. Where a gateway has no shares set, every release does."""
    taking = {each for each, share in survey.facts.shares.get(workload, {}).items() if share > 0}
    return not taking or release in taking


def shrink(
    survey: Survey, scale: Scale, why: Why, *, sources: tuple[str, ...], needs: tuple[Condition, ...] = ()
) -> Proposal:
    """Propose fewer replicas of a release; where none has to be stopped for that, it is done once it is said.

    Args:
        survey: the pass's facts; the blast radius is the share of live replicas that can serve or may
            be serving and stop, zero for a release that gets no traffic.
        scale: the end, with the replicas to stop.
        why: who proposes, and why.
        sources: that must answer while this is done; where it is all of them, it must also be known then
            that each one which is stopped stands as it does now.
        needs: what else must hold.
    """
    live = survey.carrying(scale.workload)
    blast = len(scale.stops) / live if live and takes_traffic(survey, scale.workload, scale.release) else 0.0
    stand = (_stands(survey.replicas[each]) for each in scale.stops) if sources == EVERY_SOURCE else ()
    live_then = Live(workload=scale.workload, release=scale.release, exactly=scale.replicas)
    return propose(
        why,
        f"{scale.workload}/{scale.release}",
        scale,
        Contract(
            gain=f"{len(scale.stops)} fewer of {scale.workload}",
            needs=(*(Heard(source=each) for each in sources), *needs, *stand),
            expects=(live_then,) if scale.stops else (),
            deadline_s=scale.drain_s + MARGIN_S,
            blast_radius=round(blast, SHARE_DIGITS),
            destructive=True,
        ),
    )


def unasked(proposal: Proposal) -> Proposal:
    """Return a drain to zero of what nobody asks for: it puts no request at risk, since there is none."""
    return replace(proposal, contract=replace(proposal.contract, blast_radius=0.0))


def _stands(replica: Replica) -> Condition:
    return Broken(replica=replica.id) if replica.ready is False else Serving(replica=replica.id)


def substitute(
    replica: Replica, blast_radius: float, why: Why, timing: Timing, needs: tuple[Condition, ...]
) -> Proposal:
    """Propose to start another replica of the same release and to end what is left of a broken one."""
    proven = blast_radius == 0.0
    health = () if proven else (Heard(source=HEALTH),)
    return propose(
        why,
        replica.id,
        Replace(
            workload=replica.workload,
            release=replica.release,
            replica=replica.id,
            start="",
            drain_s=timing.drain_s,
        ),
        Contract(
            gain=f"a working replica in the place of {replica.id}",
            needs=(Heard(source=PROCESSES), *health, *needs),
            expects=(Gone(replica=replica.id), Serving(replica="")),
            deadline_s=timing.start_s + timing.drain_s + MARGIN_S,
            blast_radius=round(blast_radius, SHARE_DIGITS),
            destructive=not proven,
        ),
    )


def spare(replica: Replica, wanted: int, why: Why, timing: Timing) -> Proposal:
    """Propose to start a successor first, while the replica that it is for goes on serving."""
    return propose(
        why,
        replica.id,
        Scale(
            workload=replica.workload,
            release=replica.release,
            replicas=wanted + 1,
            starts=("",),
            drain_s=timing.drain_s,
        ),
        Contract(
            gain=f"a successor for {replica.id} before it is drained",
            needs=(Heard(source=PROCESSES),),
            expects=(Serving(replica=""),),
            deadline_s=timing.start_s + MARGIN_S,
        ),
    )


def release_spare(survey: Survey, scale: Scale, successor: str, why: Why) -> Proposal:
    """Propose to drain the one replica that `scale` stops, since its successor serves.

    Where it still serves itself, what it has in flight must be known; a hung one need not wait for that.
    Whichever it is, it must be known to be so still when it is drained.
    """
    (replica,) = scale.stops
    stands = _stands(survey.replicas[replica])
    serves = isinstance(stands, Serving)
    return propose(
        why,
        replica,
        scale,
        Contract(
            gain=f"{replica} makes way for {successor}",
            needs=(
                *(Heard(source=each) for each in (EVERY_SOURCE if serves else (PROCESSES, HEALTH))),
                Serving(replica=successor),
                stands,
                Ready(
                    workload=scale.workload,
                    release=scale.release,
                    at_least=survey.ready(scale.workload, scale.release),
                ),
            ),
            expects=(Gone(replica=replica),),
            deadline_s=scale.drain_s + MARGIN_S,
            blast_radius=round(1 / max(1, survey.carrying(scale.workload)), SHARE_DIGITS),
            destructive=True,
        ),
    )


def shift(survey: Survey, workload: str, shares: Mapping[str, float], why: Why) -> Proposal:
    """Propose how the traffic of a workload is shared; each release that gets more must be ready for it.

    As many of it as are now: by them it was decided how much it can carry. One that loses all that it has
    since none of it is ready is left with it if that has changed.
    """
    before = survey.facts.shares.get(workload, {})
    wanted = {release: share for release, share in sorted(shares.items()) if share > 0}
    losing = [each for each in sorted(before) if before[each] > 0 and each not in wanted]
    gaining = [release for release in wanted if wanted[release] > before.get(release, 0.0)]
    return propose(
        why,
        workload,
        Shift(workload=workload, shares=wanted),
        Contract(
            gain="traffic goes where it can be served",
            needs=(
                Heard(source=HEALTH),
                *(
                    Ready(workload=workload, release=each, at_least=max(1, survey.ready(workload, each)))
                    for each in gaining
                ),
                *(need for each in losing for need in _dark(survey, workload, each)),
            ),
            expects=(Shares(workload=workload, shares=wanted),),
            deadline_s=SHIFT_DEADLINE_S,
            undo=Shift(workload=workload, shares=dict(before)) if before else None,
        ),
    )


def _dark(survey: Survey, workload: str, release: str) -> tuple[Condition, ...]:
    """Return that nothing of a release serves, if that is so: each fails its checks, or there is none."""
    there = survey.staying(workload, release)
    if any(each.ready is not False for each in there):
        return ()
    none = (Live(workload=workload, release=release, exactly=0),)
    return tuple(Broken(replica=each.id) for each in there) or none


def forget(replicas: tuple[str, ...], why: Why) -> Proposal:
    """Propose to drop the target's record of replicas that are proven gone."""
    return propose(
        why,
        "records",
        Forget(replicas=replicas),
        Contract(gain="records that nobody needs go", needs=(Heard(source=PROCESSES),), deadline_s=MARGIN_S),
    )


def dismantle(system: str, why: Why) -> Proposal:
    """Propose to end what is left of the system at this site, the gateway last."""
    return propose(
        why,
        "gateway",
        Dismantle(system=system),
        Contract(
            gain="nothing of the system is left",
            deadline_s=DISMANTLE_DEADLINE_S,
            destructive=True,
        ),
    )


def victims(replicas: Iterable[Replica], count: int, *, unknown_too: bool = False) -> tuple[str, ...]:
    """Choose replicas to drain: those that cannot serve, then the least busy, then the newest.

    One whose state is not known is chosen only if `unknown_too`: it may be the one that serves.
    """
    known = [each for each in replicas if unknown_too or each.ready is not None]
    known.sort(
        key=lambda each: (
            each.ready is True,
            each.in_flight if each.in_flight is not None else 1 << 30,
            -each.started_at,
            each.id,
        )
    )
    return tuple(each.id for each in known[:count])


def spared(replicas: Iterable[Replica], stops: Collection[str], to: int) -> bool:
    """Return whether `stops` take nothing that is needed: `to` others are ready, or none of them serves."""
    there = [*replicas]
    if not any(each.ready is not False for each in there if each.id in stops):
        return True
    return sum(each.ready is True for each in there if each.id not in stops) >= to


EVERY_SOURCE = (PROCESSES, HEALTH, TRAFFIC)
"""What must be heard before a replica that may be serving is stopped to save."""

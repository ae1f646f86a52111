"""Settle: of all that the controllers want, one decision for each subject, in the written priority order.

Here, and only here, replicas to be started get their names: only here it is known what goes ahead.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from lamplighter.controllers.contracts import SHARE_DIGITS, takes_traffic
from lamplighter.controllers.repair import MISSING_GRACE_S
from lamplighter.controllers.survey import Survey
from lamplighter.model.actions import (
    Action,
    Contract,
    Dismantle,
    Forget,
    Idle,
    Replace,
    Scale,
    Serving,
    Shift,
)
from lamplighter.model.decisions import Decision, Lost, Proposal
from lamplighter.model.facts import Phase
from lamplighter.model.history import History, Pending, WorkloadHistory
from lamplighter.model.value import Instant, digest, encode

OWNERS = frozenset({"rollout", "scaling", "teardown", "undo"})
"""Controllers whose Scale settles a number. Repair and housekeeping bring what lives back to it."""

SAVERS = frozenset({"scaling", "housekeeping"})
"""Controllers that drain what is too many, by who gets the traffic now."""


class Settled(NamedTuple):
    """What was settled: a decision for each subject, in order, and the pending actions it overtakes."""

    decision: Decision
    overtakes: tuple[str, ...] = ()


def settle(proposals: list[Proposal], history: History, survey: Survey) -> tuple[Settled, ...]:
    """Return one decision for each subject.

    1. Lower priority numbers win; within one, the order of controllers' and subjects' names.
    2. A proposal loses if one that was settled before it claims the same subject or replica.
    3. A number that is settled anew overtakes the pending action on the same number; so do new shares.
    4. Replicas beyond `max` and `surge` are not started, whoever wants them.
    5. Anything else on a subject that has an action under way waits for it.
    6. One that a person was asked about, and whose facts have not changed, stays exactly as it was.
    7. Nothing is settled on a workload whose facts were read before its last action was answered.
    8. What is too many, or has a successor, is not drained in the pass in which the traffic goes elsewhere.
    9. A number is not lowered in the pass in which one that is missing from it is made good: what repair
       wants rests on the number before.

    Returns:
        In the order in which they were settled; losers stand with the decision that they lost to.
    """
    claimed: dict[str, int] = {}
    pending, room = _by_subject(history), _Room(history, survey)
    winners: list[tuple[Proposal, tuple[str, ...]]] = []
    losers: dict[int, list[Lost]] = {}
    for proposal in sorted((each for each in proposals if not _premature(each, survey)), key=_rank):
        claims = tuple(_claims(proposal))
        against = (*claims, *_excluded(proposal, history))
        rival = next((claimed[each] for each in against if each in claimed), None)
        if rival is not None:
            first = winners[rival][0]
            reason = (
                f"{first.controller} ({first.priority.name.lower()}) was settled first on {first.subject}"
            )
            losers.setdefault(rival, []).append(Lost(proposal=proposal, reason=reason))
            continue
        overtakes = _overtaken(proposal, pending)
        if overtakes is None:
            continue
        for each in overtakes:
            proposal = carried(proposal, history.pending[each], survey)  # noqa: PLW2901
        first_in = room.taken_by(proposal, len(winners))
        if first_in is not None:
            if first_in >= 0:
                reason = f"{winners[first_in][0].controller} took the last room within max and surge first"
                losers.setdefault(first_in, []).append(Lost(proposal=proposal, reason=reason))
            continue
        claimed.update(dict.fromkeys((*claims, *_marks(proposal, history)), len(winners)))
        winners.append((proposal, overtakes))
    bases = _Bases(history, survey)
    asked = {rank: bases.asked(proposal) for rank, (proposal, _) in enumerate(winners)}
    naming = _Names(history, [each.chosen for each in asked.values() if each])
    return tuple(
        Settled(
            _decision(
                chosen=one.chosen if (one := asked[rank]) else naming.named(proposal),
                subject=proposal.subject,
                basis=bases.of(proposal),
                lost=tuple(losers.get(rank, ())),
                now=survey.now,
            ),
            overtakes,
        )
        for rank, (proposal, overtakes) in enumerate(winners)
    )


def _premature(proposal: Proposal, survey: Survey) -> bool:
    if isinstance(proposal.action, Dismantle):
        return bool(survey.behind)
    return workload_of(proposal.action) in survey.behind


def _rank(proposal: Proposal) -> tuple[int, str, str, bytes]:
    return (proposal.priority, proposal.controller, proposal.subject, encode(proposal.action))


def _claims(proposal: Proposal) -> Iterator[str]:
    """Yield what only one hand may hold: the subject, a release's number, each replica to be stopped."""
    yield proposal.subject
    match proposal.action:
        case Scale(workload=workload, release=release, stops=stops):
            yield f"{workload}/{release}"
            yield from (f"replica {each}" for each in stops)
        case Replace(replica=replica):
            yield f"replica {replica}"
        case Forget(replicas=replicas):
            yield from (f"record {each}" for each in replicas)


def _marks(proposal: Proposal, history: History) -> Iterator[str]:
    """Yield what is done to a release's number: it is lowered, or what is missing from it is made good.

    And that a workload's traffic is shared anew, or that one which serves makes way for its successor.
    """
    action = proposal.action
    if isinstance(action, Shift):
        yield f"shared {action.workload}"
    if _makes_way(proposal):
        yield f"made way {workload_of(action)}"
    if isinstance(action, Scale) and proposal.controller in OWNERS:
        memory = history.workloads.get(action.workload)
        if memory is not None and action.replicas < memory.wanted.get(action.release, 0):
            yield f"lowered {action.workload}/{action.release}"
    elif isinstance(action, Replace | Scale) and _starts(proposal):
        yield f"made good {action.workload}/{action.release}"


def _excluded(proposal: Proposal, history: History) -> Iterator[str]:
    """Yield what must not have been settled in the same pass."""
    opposite = {"lowered": "made good", "made good": "lowered"}
    for mark in _marks(proposal, history):
        done, _, release = mark.rpartition(" ")
        if done in opposite:
            yield f"{opposite[done]} {release}"
    if isinstance(proposal.action, Scale) and proposal.action.stops and proposal.controller in SAVERS:
        yield f"shared {proposal.action.workload}"
    if _makes_way(proposal):
        yield f"shared {workload_of(proposal.action)}"
    if isinstance(proposal.action, Shift):
        yield f"made way {proposal.action.workload}"


def _makes_way(proposal: Proposal) -> bool:
    """Return whether this drains a replica whose successor serves: both count on who else does."""
    return (
        isinstance(proposal.action, Scale) and bool(proposal.action.stops) and proposal.controller == "repair"
    )


class _Room:
    """How many more replicas of each workload may live, counting all that is settled already."""

    def __init__(self, history: History, survey: Survey) -> None:
        self._history = history
        self._survey = survey
        self._left: dict[str, int] = {}
        self._beds: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def taken_by(self, proposal: Proposal, rank: int) -> int | None:
        """Take room for what a proposal starts, or return who took the last of it (-1: nobody did)."""
        action = proposal.action
        starts = _starts(proposal)
        if not starts or not isinstance(action, Scale | Replace):
            return None
        name = action.workload
        if name not in self._left:
            self._left[name], self._beds[name] = self._free(name)
        more = self._more(proposal, action)
        if (more > 0 and more > self._left[name]) or starts > self._beds[name]:
            return self._last.get(name, -1)
        self._left[name] -= more
        self._beds[name] -= starts
        self._last[name] = rank
        return None

    def _free(self, name: str) -> tuple[int, int]:
        """Return how many more may be settled, and how many more may live.

        One that is not listed any more, and was so a moment ago, may live.
        """
        system = self._history.system
        service = system.services.get(name) if system else None
        if service is None:
            return 0, 0
        memory = self._history.workloads[name]
        releases = {*memory.wanted, *self._survey.releases(name)}
        top = service.replicas.max + service.rollout.surge
        settled = sum(self._size(name, release) for release in releases)
        living = sum(self._living(name, release) for release in releases)
        return top - settled, top - living - len(memory.unlisted)

    def _more(self, proposal: Proposal, action: Scale | Replace) -> int:
        """A repair's successor is one more; what was missing or is dead is settled already."""
        if isinstance(action, Replace):
            return 0
        if proposal.controller in OWNERS:
            return action.replicas - self._size(action.workload, action.release)
        return len(action.starts) if proposal.subject != f"{action.workload}/{action.release}" else 0

    def _size(self, name: str, release: str) -> int:
        return max(self._history.workloads[name].wanted.get(release, 0), self._living(name, release))

    def _living(self, name: str, release: str) -> int:
        """What is ordered to stop takes room until the target has said that it got the order."""
        return self._survey.count(name, release) + self._survey.lingering(name, release)


def _starts(proposal: Proposal) -> int:
    """Return how many more would live: one that is replaced alive makes room for its successor."""
    match proposal.action:
        case Scale(starts=starts):
            return starts.count("")
        case Replace():
            return 0 if proposal.contract.destructive else 1
        case _:
            return 0


def _by_subject(history: History) -> dict[str, list[Decision]]:
    found: dict[str, list[Decision]] = {}
    for _, pending in sorted(history.pending.items()):
        found.setdefault(pending.decision.subject, []).append(pending.decision)
    return found


def _overtaken(proposal: Proposal, pending: Mapping[str, list[Decision]]) -> tuple[str, ...] | None:
    """Return the pending actions that a proposal overtakes, or None if it has to wait for them."""
    there = pending.get(proposal.subject, [])
    if not all(_overtakes(proposal, each.chosen) for each in there):
        return None
    return tuple(each.id for each in there)


def carried(proposal: Proposal, overtaken: Pending, survey: Survey) -> Proposal:
    """Return a Scale that takes over what an overtaken one may or may not have done.

    Replicas that it was to start and that nobody has seen are started by the new one (under their own
    ids, so that none is doubled), unless the target has long said that it did: they have gone unseen.
    Those that it was to stop, with no answer yet, count as living for as long as they are seen to: nothing
    is started in their place. What other actions start is on its way, too. What is too many is stopped, first
    what the overtaken one started or was to stop.
    """
    new, old = proposal.action, overtaken.decision.chosen.action
    if not isinstance(new, Scale) or not isinstance(old, Scale):
        return proposal
    done = not overtaken.unanswered and survey.now - overtaken.since >= MISSING_GRACE_S
    known = {*survey.replicas, *overtaken.arrived, *(old.starts if done else ())}
    unseen = [each for each in old.starts if each not in known]
    kept = [each for each in old.stops if overtaken.unanswered and _lives(each, survey)]
    if not unseen and not kept:
        return proposal
    others = sum(each not in old.starts for each in survey.coming(new.workload, new.release))
    there = len(survey.staying(new.workload, new.release)) + others
    lacking = new.replicas - there - len(kept) - len(unseen)
    fresh = ("",) * max(0, min(lacking, new.starts.count("")))
    split = len(unseen) - min(len(unseen), max(0, -lacking))
    living = [*kept, *(each for each in new.stops if each not in {*kept, *unseen})]
    stops = (*unseen[split:], *living[: max(0, -lacking - (len(unseen) - split))])
    action = replace(new, starts=(*unseen[:split], *fresh), stops=stops)
    return replace(proposal, action=action, contract=_at_stake(proposal.contract, action, survey))


def _at_stake(contract: Contract, action: Scale, survey: Survey) -> Contract:
    """Return the contract with what is at stake once stops are taken over from another action.

    Of a workload that is asked for nothing, and goes to zero, nothing is.
    """
    ended = sum(_lives(each, survey) for each in action.stops)
    unasked = any(isinstance(each, Idle) for each in contract.needs)
    if not ended or unasked or not takes_traffic(survey, action.workload, action.release):
        return contract
    blast = round(ended / max(1, survey.carrying(action.workload)), SHARE_DIGITS)
    return replace(contract, blast_radius=max(blast, contract.blast_radius), destructive=True)


def _lives(replica: str, survey: Survey) -> bool:
    known = survey.replicas.get(replica)
    return known is not None and known.live


def _overtakes(proposal: Proposal, chosen: Proposal) -> bool:
    new, old = proposal.action, chosen.action
    if isinstance(new, Dismantle):
        return True
    if isinstance(new, Scale) and isinstance(old, Scale):
        return proposal.controller in OWNERS and (
            new.replicas != old.replicas or proposal.controller == "teardown"
        )
    return type(new) is type(old) and new != old and not isinstance(new, Forget)


def _decision(chosen: Proposal, subject: str, basis: str, lost: tuple[Lost, ...], now: Instant) -> Decision:
    return Decision(
        id="a-" + digest((chosen.action, basis)),
        at=now,
        subject=subject,
        chosen=chosen,
        state="act",
        basis=basis,
        lost=lost,
    )


def workload_of(action: Action) -> str:
    """Return the workload that an action is on, empty for the gateway and the records."""
    match action:
        case Scale(workload=workload) | Replace(workload=workload) | Shift(workload=workload):
            return workload
        case _:
            return ""


def starting(action: Action) -> tuple[str, ...]:
    """Return the replicas that an action starts."""
    if isinstance(action, Replace):
        return (action.start,)
    return action.starts if isinstance(action, Scale) else ()


class _Names:
    """Names for the replicas that one pass starts; each number is used once.

    Those in what a person was `asked` about are given already, and it may go ahead in this very pass.
    """

    def __init__(self, history: History, asked: Iterable[Proposal]) -> None:
        self._workloads = history.workloads
        self._next: dict[str, int] = {}
        self._given = {name for each in asked for name in starting(each.action)}

    def named(self, proposal: Proposal) -> Proposal:
        """Return the proposal with its replicas named, in the action and in what it expects."""
        action = proposal.action
        if isinstance(action, Scale) and action.starts:
            starts = tuple(each or self._name(action.workload) for each in action.starts)
            action = replace(action, starts=starts)
        elif isinstance(action, Replace):
            starts = (self._name(action.workload),)
            action = replace(action, start=starts[0])
        else:
            return proposal
        return replace(proposal, action=action, contract=_expecting(proposal.contract, starts[0]))

    def _name(self, workload: str) -> str:
        number = self._next.get(workload)
        if number is None:
            memory = self._workloads.get(workload)
            number = memory.ordinal if memory else 1
        while f"{workload}-{number}" in self._given:
            number += 1
        self._next[workload] = number + 1
        return f"{workload}-{number}"


def _expecting(contract: Contract, start: str) -> Contract:
    expects = tuple(
        Serving(replica=start) if isinstance(each, Serving) else each for each in contract.expects
    )
    return replace(contract, expects=expects)


class _Bases:
    """The facts that each subject's action rests on, digested once a pass."""

    def __init__(self, history: History, survey: Survey) -> None:
        self._history = history
        self._survey = survey
        self._known: dict[str, str] = {}

    def of(self, proposal: Proposal) -> str:
        """Return the digest of what an action on a workload rests on: who lives, what is settled.

        The count of earlier actions is in it, so that the same action taken a second time, later, has
        another id.
        """
        name = workload_of(proposal.action)
        if name not in self._known:
            self._known[name] = digest(self._facts(name))
        return self._known[name]

    def asked(self, proposal: Proposal) -> Decision | None:
        """Return the decision that a person was asked about, if this is the same on the same facts."""
        if not self._history.asked:
            return None
        basis = self.of(proposal)
        for _, each in sorted(self._history.asked.items()):
            same = each.subject == proposal.subject and each.basis == basis
            if same and _alike(each.chosen.action, proposal.action):
                return each
        return None

    def _facts(self, name: str) -> object:
        history, survey = self._history, self._survey
        memory = history.workloads.get(name)
        if not name or memory is None:
            return (history.acts, history.stopping is not None, survey.facts.configured)
        standing = sorted(
            (each.id, release, _standing(each.phase))
            for release, standing in survey.standings(name).items()
            for each in (*standing.live, *standing.draining, *standing.exited)
        )
        shares = survey.facts.shares.get(name, {})
        return (name, standing, _settled(memory), sorted(shares.items()))


def _settled(memory: WorkloadHistory) -> object:
    state = memory.rollout
    stage = (state.candidate, state.stable, state.step, state.verdict) if state else ()
    return (memory.acts, memory.ordinal, memory.stable, memory.capacity, sorted(memory.wanted.items()), stage)


def _standing(phase: Phase) -> str:
    return "live" if phase in (Phase.STARTING, Phase.RUNNING) else phase.value


def _alike(asked: Action, proposed: Action) -> bool:
    """Return whether two actions differ at most in names given and in which of equals are stopped."""
    if isinstance(asked, Scale) and isinstance(proposed, Scale):
        same = replace(asked, starts=proposed.starts, stops=proposed.stops) == proposed
        return same and len(asked.starts) == len(proposed.starts) and len(asked.stops) == len(proposed.stops)
    if isinstance(asked, Replace) and isinstance(proposed, Replace):
        return replace(asked, start=proposed.start) == proposed
    return asked == proposed

"""Guard: whether a settled decision may be carried out now, waits, or needs a person's yes.

Every hold has its reason in words. What a person ordered by name (down, rollback) passes the guards
that stand in for a person's judgement (budget, share at risk, approval, freeze), and traffic
telemetry that is silent; never the one for a record that cannot be kept of what it destroys.
"""

import functools
from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from lamplighter.controllers.numbers import active
from lamplighter.controllers.survey import Survey
from lamplighter.engine.freeze import frozen
from lamplighter.engine.settle import SAVERS, workload_of
from lamplighter.engine.verify import kind
from lamplighter.model.actions import Heard, Replace, Scale, Shift
from lamplighter.model.decisions import Decision, Priority, Proposal
from lamplighter.model.history import Closed, History

BACKOFF_S = 1.0
BACKOFF_S_MAX = 60.0
"""After failures an action on the same subject waits, doubling from one to the other."""
BACKOFF_WINDOW_S = 600.0
"""Failures older than this are not held against a subject."""
AGAINST = frozenset({"refused", "failed", "undone", "lapsed"})
"""Ends of actions that make the next one of its kind on the same subject wait."""
HOG_SHARE = 0.75
"""A workload that has had more of the budget than this lets those go first that only save."""
UNCOUNTED = frozenset({"configure", "forget", "shift", "dismantle"})
"""Kinds of actions that neither start nor stop a replica of their own choice: not in the budget."""
EPSILON = 1e-3


class Watch:
    """What the guards look at: memory, facts, whether a record can be kept, and what is spent already."""

    def __init__(self, history: History, survey: Survey, *, recordable: bool) -> None:
        """Count once a pass what budgets and shares at risk are spent; `take` adds to it.

        Args:
            history: with its system in force.
            survey: the pass's trusted facts.
            recordable: whether ledger and recording can be written.
        """
        self.history = history
        self.survey = survey
        self.recordable = recordable
        self.at_risk: dict[str, float] = {}
        self.losing: set[tuple[str, str]] = set()
        self.gaining: set[tuple[str, str]] = set()
        self._taken = 0
        if history.system is None:
            return
        for pending in history.pending.values():
            self._risk(pending.decision.chosen)

    @functools.cached_property
    def failures(self) -> dict[tuple[str, str], list[Closed]]:
        """Ends of actions that are held against the next one, by subject and kind."""
        found: dict[tuple[str, str], list[Closed]] = {}
        for each in self.history.closed:
            if each.result in AGAINST:
                found.setdefault((each.subject, each.kind), []).append(each)
        return found

    @property
    def used(self) -> int:
        """How many actions of the budget are used up in the window."""
        return self._used + self._taken

    @functools.cached_property
    def _used(self) -> int:
        system = self.history.system
        since = self.survey.now - system.guards.window_s if system else self.survey.now
        return sum(each.at > since and each.kind not in UNCOUNTED for each in self.history.acted)

    @functools.cached_property
    def used_by(self) -> Counter[str]:
        """How many actions of the budget each workload has used up in the window."""
        system = self.history.system
        since = self.survey.now - system.guards.window_s if system else self.survey.now
        return Counter(
            _named(each.subject)
            for each in self.history.acted
            if each.at > since and each.kind not in UNCOUNTED
        )

    def take(self, decision: Decision) -> None:
        """Count one decision that goes ahead."""
        self._taken += counts(decision.chosen)
        self._risk(decision.chosen)
        self.losing |= _loses(decision.chosen, self.survey)
        self.gaining |= _gains(decision.chosen, self.survey)

    def _risk(self, chosen: Proposal) -> None:
        if chosen.contract.destructive:
            name = workload_of(chosen.action)
            self.at_risk[name] = self.at_risk.get(name, 0.0) + chosen.contract.blast_radius


def guarded(decisions: Sequence[Decision], watch: Watch) -> tuple[Decision, ...]:
    """Return a pass's decisions as `guard` has them, each knowing which ones before it go ahead.

    What undoes an action waits for no budget, but uses it up: it is judged first. Where the budget does not
    suffice for all, a workload that has had more than an even part of it lets the others go first: one whose
    replicas end again and again would else use up all that there is.
    """
    judged: dict[int, Decision] = {}
    scarce = _scarce(decisions, watch)
    turns = {rank: _turn(each, watch, scarce=scarce) for rank, each in enumerate(decisions)}
    for rank in sorted(turns, key=lambda one: (turns[one], one)):
        each = decisions[rank]
        judged[rank] = guard(each, watch)
        if judged[rank].state == "act":
            watch.take(judged[rank])
    return tuple(judged[rank] for rank in range(len(decisions)))


def _scarce(decisions: Sequence[Decision], watch: Watch) -> bool:
    system = watch.history.system
    wanted = sum(counts(each.chosen) for each in decisions)
    return system is not None and wanted > 1 and watch.used + wanted > system.guards.actions


def _turn(decision: Decision, watch: Watch, *, scarce: bool) -> int:
    """Return when a decision is judged: what undoes first, then by who has had more than an even part.

    What is to save replicas has time: it goes before nobody but a workload that has had nearly all of the
    budget, and would else let nobody ever save any.
    """
    chosen, system = decision.chosen, watch.history.system
    if chosen.controller == "undo":
        return -1
    if not scarce or system is None or chosen.priority is Priority.SAFETY:
        return 0
    used = watch.used_by[workload_of(chosen.action)]
    if used > HOG_SHARE * system.guards.actions:
        return system.guards.actions + 2
    if chosen.controller in SAVERS and chosen.contract.destructive:
        return system.guards.actions + 1
    return used if used * len(system.services) > system.guards.actions else 0


def _named(subject: str) -> str:
    """Return the workload of an action by its subject: a release of it, or a replica."""
    name, _, release = subject.partition("/")
    return name if release else subject.rpartition("-")[0]


def guard(decision: Decision, watch: Watch) -> Decision:
    """Return the decision with the state that the guards give it, and their reasons.

    1. Destructive, and no record can be kept: held.
    2. Destructive, and a source that it rests on is silent: held.
    3. A rollout would start, or something would be saved or removed, in a freeze window: held.
    4. The same was refused or failed a while ago: held, doubling.
    5. The budget of actions in the window is used up: held; not an undo, which belongs to an action that
       is counted already, and which its workload waits for.
    6. More of the workload's capacity would be at risk than allowed: held. Never less than one replica.
    7. A release is given more traffic in the pass in which one of it that serves is stopped: whichever was
       settled later is held, since both rest on who serves.
    8. The blast radius is above what needs no approval, and nobody has approved: asked.
    """
    chosen = decision.chosen
    reasons = [
        each
        for each in (
            _unrecorded(chosen, watch),
            _blackout(chosen, watch),
            _later(chosen, watch),
            _at_odds(chosen, watch),
        )
        if each
    ]
    if not chosen.ordered_by:
        reasons += [
            each for each in (_freeze(chosen, watch), _budget(chosen, watch), _at_risk(chosen, watch)) if each
        ]
    if reasons:
        return replace(decision, state="held", reasons=tuple(reasons))
    return _approved(decision, watch)


def _unrecorded(chosen: Proposal, watch: Watch) -> str:
    if watch.recordable or not chosen.contract.destructive:
        return ""
    return "no record can be kept of it: nothing destructive is done until there is room again"


def _blackout(chosen: Proposal, watch: Watch) -> str:
    if not chosen.contract.destructive:
        return ""
    for need in chosen.contract.needs:
        if isinstance(need, Heard) and (silence := watch.survey.silence(need.source)):
            silent = f"{silence.source} silent since {silence.since:g} ({silence.why})"
            return f"{silent}: what it would stop may serve"
    return ""


def _freeze(chosen: Proposal, watch: Watch) -> str:
    system = watch.history.system
    assert system is not None
    if not system.freeze or not (_starts_rollout(chosen, watch.history) or _can_wait(chosen)):
        return ""
    window = frozen(system, watch.survey.facts.wall)
    return f"frozen: {window.text or 'a freeze window'} ({system.timezone})" if window else ""


def _starts_rollout(chosen: Proposal, history: History) -> bool:
    """Return whether this starts the first replica of a new release of a workload that has a stable one.

    Whoever wants it: more for the load is started of the stable release then.
    """
    action = chosen.action
    if not isinstance(action, Scale) or not action.starts:
        return False
    memory = history.workloads[action.workload]
    state = active(memory)
    return (
        state is not None
        and bool(state.stable)
        and action.release == state.candidate
        and not memory.wanted.get(action.release)
    )


def _can_wait(chosen: Proposal) -> bool:
    if chosen.controller == "housekeeping":
        return False
    return chosen.priority is Priority.SAVING or chosen.controller == "teardown"


def _later(chosen: Proposal, watch: Watch) -> str:
    """Back off from what was refused or failed; once is forgiven where only the facts had moved on."""
    if chosen.controller == "undo":
        return ""
    now = watch.survey.now
    recent = [
        each
        for each in watch.failures.get((chosen.subject, kind(chosen.action)), ())
        if now - each.at < (BACKOFF_S_MAX if each.result == "lapsed" else BACKOFF_WINDOW_S)
    ]
    lapsed = [each for each in recent if each.result == "lapsed"]
    failures = len(recent) - len(lapsed) + max(0, len(lapsed) - 1)
    if not failures:
        return ""
    until = recent[-1].at + min(BACKOFF_S_MAX, BACKOFF_S * 2 ** (failures - 1))
    if now >= until:
        return ""
    last = recent[-1]
    return f"{last.result} {failures} times, last because: {last.detail}; again in {until - now:.1f} s"


def _at_odds(chosen: Proposal, watch: Watch) -> str:
    for _, release in sorted(_gains(chosen, watch.survey) & watch.losing):
        return f"one of {release} that serves is stopped in this very pass"
    for _, release in sorted(_loses(chosen, watch.survey) & watch.gaining):
        return f"{release} is given more traffic in this very pass"
    return ""


def _loses(chosen: Proposal, survey: Survey) -> set[tuple[str, str]]:
    """Return the workload and release that an action stops a replica of which serves; empty if none."""
    action = chosen.action
    if not isinstance(action, Scale | Replace):
        return set()
    stops = action.stops if isinstance(action, Scale) else (action.replica,)
    serving = ((known := survey.replicas.get(each)) is not None and known.ready is True for each in stops)
    return {(action.workload, action.release)} if any(serving) else set()


def _gains(chosen: Proposal, survey: Survey) -> set[tuple[str, str]]:
    """Return the workload with each release that an action gives more traffic than it has."""
    action = chosen.action
    if not isinstance(action, Shift):
        return set()
    now = survey.facts.shares.get(action.workload, {})
    return {(action.workload, each) for each, share in action.shares.items() if share > now.get(each, 0.0)}


def counts(chosen: Proposal) -> bool:
    """Return whether an action counts towards the budget of actions in a window."""
    return kind(chosen.action) not in UNCOUNTED


def _budget(chosen: Proposal, watch: Watch) -> str:
    system = watch.history.system
    assert system is not None
    guards = system.guards
    if not counts(chosen) or chosen.controller == "undo":
        return ""
    if watch.used < guards.actions:
        return ""
    return f"{watch.used} actions in {guards.window_s:g} s, {guards.actions} are allowed"


def _at_risk(chosen: Proposal, watch: Watch) -> str:
    system = watch.history.system
    assert system is not None
    name, contract = workload_of(chosen.action), chosen.contract
    if not contract.destructive or contract.blast_radius <= 0 or name not in system.services:
        return ""
    at_risk = watch.at_risk.get(name, 0.0)
    allowed = max(system.guards.at_risk, 1 / max(1, watch.survey.carrying(name)))
    if at_risk + contract.blast_radius <= allowed + EPSILON:
        return ""
    share = f"{at_risk + contract.blast_radius:.0%} of {name} would be at risk"
    return f"{share}, {allowed:.0%} is allowed"


def _approved(decision: Decision, watch: Watch) -> Decision:
    system, chosen = watch.history.system, decision.chosen
    assert system is not None
    radius, limit = chosen.contract.blast_radius, system.guards.approve_above
    if chosen.ordered_by or radius <= limit or not chosen.contract.destructive:
        return decision
    approval = watch.history.approvals.get(decision.id)
    if approval is not None:
        return replace(decision, reasons=(f"approved by {approval.by or 'a person'}",))
    reason = f"blast radius {radius:.0%} is above {limit:.0%}: waits for approval"
    return replace(decision, state="asked", reasons=(reason,))

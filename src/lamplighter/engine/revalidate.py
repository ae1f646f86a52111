"""Revalidate: whether a decision still stands, on facts read right before it is applied."""

from lamplighter.controllers.contracts import takes_traffic
from lamplighter.controllers.survey import Survey, trusted
from lamplighter.engine.conditions import holds
from lamplighter.engine.settle import starting
from lamplighter.engine.verify import kind
from lamplighter.model.actions import Action, Idle, Replace, Scale, Shift
from lamplighter.model.decisions import Decision, Refusal
from lamplighter.model.facts import Facts
from lamplighter.model.history import History
from lamplighter.model.value import Instant

ROUNDING = 1e-3
"""Shares are written down with a few digits."""


def revalidate(decision: Decision, facts: Facts, history: History, now: Instant) -> Refusal | None:
    """Return why a decision must not be applied after all, or None if it stands.

    1. It is not under way any more: a newer one overtook it.
    2. A precondition is known not to hold, or cannot be told: what was sure a moment ago is not now.
    3. A replica that it would stop is the last one ready of its workload, while others are to stay.
    4. It would take traffic from what serves, and leave fewer than `min` that do: who it is taken from may
       serve only since it was decided.
    5. With what it starts more would live than `max` and `surge` allow: somebody else has started some
       meanwhile, or they are fewer now.
    6. It would stop a larger share of what carries the traffic than goes without a yes, and than was judged
       when it was decided: what is handed over late finds fewer than there were.

    Args:
        decision: what is about to be applied.
        facts: read no more than a second ago.
        history: after the pass that decided, so that the decision is in `pending`.
        now: on the system's time line.
    """
    if decision.id not in history.pending:
        return Refusal(code="overtaken", detail=f"{decision.id} is no longer under way")
    survey = Survey(trusted(facts, now), now)
    for need in decision.chosen.contract.needs:
        answer = holds(need, survey)
        if answer is not True:
            code = "precondition-unknown" if answer is None else "precondition-false"
            return Refusal(code=code, detail=f"{kind(need)}: {need}")
    action = decision.chosen.action
    return (
        _spared(decision, survey)
        or _room(action, history, survey)
        or _carried(action, history, survey)
        or _unasked(decision, history, survey)
    )


def _spared(decision: Decision, survey: Survey) -> Refusal | None:
    """Refuse to stop the last ready replicas where the number that is to stay is not zero."""
    action = decision.chosen.action
    if not isinstance(action, Scale) or action.replicas == 0 or decision.chosen.ordered_by:
        return None
    stops = set(action.stops)
    staying = [each for each in survey.standing(action.workload, action.release).live if each.id not in stops]
    if any(each.ready is True for each in staying) or not _serving(stops, survey):
        return None
    return Refusal(code="precondition-false", detail=f"none of {action.workload} would be left ready")


def _room(action: Action, history: History, survey: Survey) -> Refusal | None:
    """Refuse to start what there is no room for; what is listed already was started before."""
    if not isinstance(action, Scale | Replace) or history.system is None:
        return None
    service = history.system.services.get(action.workload)
    starts = tuple(each for each in starting(action) if each not in survey.replicas)
    if service is None or not starts:
        return None
    ends = {action.replica} if isinstance(action, Replace) else {*action.stops}
    standings = survey.standings(service.name).values()
    staying = sum(each.id not in ends for standing in standings for each in standing.live)
    top = service.replicas.max + service.rollout.surge
    if staying + len(starts) <= top:
        return None
    return Refusal(code="precondition-false", detail=f"{staying} of {service.name} live, {top} may")


def _carried(action: Action, history: History, survey: Survey) -> Refusal | None:
    """Refuse to share the traffic so that fewer serve than do now, and fewer than `min`."""
    if not isinstance(action, Shift) or history.system is None:
        return None
    name, service = action.workload, history.system.services.get(action.workload)
    taking = (each for each in survey.releases(name) if takes_traffic(survey, name, each))
    before = sum(survey.ready(name, each) for each in taking)
    after = sum(survey.ready(name, each) for each, share in action.shares.items() if share > 0)
    if service is None or after >= min(before, service.replicas.min):
        return None
    return Refusal(code="precondition-false", detail=f"{after} of {name} would serve instead of {before}")


def _unasked(decision: Decision, history: History, survey: Survey) -> Refusal | None:
    """Refuse to stop so much that a person would have to be asked, where nobody was asked about so much.

    What is known not to serve is not at risk; nor is a workload that nobody asks for, which goes to zero.
    """
    chosen, action = decision.chosen, decision.chosen.action
    contract = chosen.contract
    if not isinstance(action, Scale) or not contract.destructive or history.system is None:
        return None
    if chosen.ordered_by or any(isinstance(each, Idle) for each in contract.needs):
        return None
    if not takes_traffic(survey, action.workload, action.release):
        return None
    known = (survey.replicas.get(each) for each in action.stops)
    hit = sum(each is not None and each.live and each.ready is not False for each in known)
    radius = hit / max(1, survey.carrying(action.workload))
    if radius <= max(contract.blast_radius, history.system.guards.approve_above) + ROUNDING:
        return None
    detail = f"{radius:.0%} of {action.workload} would be stopped, {contract.blast_radius:.0%} was judged"
    return Refusal(code="precondition-false", detail=detail)


def _serving(replicas: set[str], survey: Survey) -> bool:
    return any((known := survey.replicas.get(each)) is not None and known.ready is True for each in replicas)

"""Conditions: whether a pre- or postcondition holds, as far as the facts can tell.

Three answers: True, False, and None for "cannot be told", which is neither.
"""

from lamplighter.controllers.contracts import SHARE_TOLERANCE
from lamplighter.controllers.load import asked
from lamplighter.controllers.survey import Survey
from lamplighter.model.actions import (
    Broken,
    Condition,
    Configured,
    Gone,
    Heard,
    Idle,
    Live,
    Ready,
    Serving,
    Shares,
)
from lamplighter.model.facts import HEALTH, PROCESSES, Phase


def holds(condition: Condition, survey: Survey) -> bool | None:
    """Return whether a condition holds: True, False, or None where the facts do not tell.

    Args:
        condition: what is asked.
        survey: trusted facts; what silent sources said is None there already.
    """
    match condition:
        case Heard(source=source):
            return survey.silence(source) is None
        case Configured(digest=wanted):
            return survey.facts.configured == wanted if _counted(survey) else None
        case Live(workload=workload, release=release, exactly=exactly):
            live = survey.standing(workload, release).live
            return len(live) == exactly if _counted(survey) else None
        case Ready(workload=workload, release=release, at_least=at_least):
            return _ready(survey, workload, release, at_least)
        case Idle(workload=workload):
            requests = asked(survey.facts.loads.get(workload))
            return None if requests is None else requests == 0
        case Shares(workload=workload, shares=shares):
            now = survey.facts.shares.get(workload, {})
            known = _counted(survey) and not survey.silence(HEALTH)
            return same_shares(now, shares) if known else None
        case _:
            return _of_replica(condition, survey)


def all_hold(conditions: tuple[Condition, ...], survey: Survey) -> bool | None:
    """Return False if any condition is known not to hold, None if any cannot be told, else True."""
    answers = [holds(each, survey) for each in conditions]
    if False in answers:
        return False
    return None if None in answers else True


def same_shares(one: dict[str, float], other: dict[str, float]) -> bool:
    """Return whether two ways of sharing the traffic are the same, up to a gateway's rounding."""
    return all(
        abs(one.get(each, 0.0) - other.get(each, 0.0)) <= SHARE_TOLERANCE
        for each in one.keys() | other.keys()
    )


def _counted(survey: Survey) -> bool:
    """Return whether it is known who there is, and how the gateway is set: one source tells both."""
    return survey.silence(PROCESSES) is None


def _ready(survey: Survey, workload: str, release: str, at_least: int) -> bool | None:
    """Unknown ones may be ready: a lower count is only known where none is unknown.

    Where processes are silent, one that passes its checks may have ended since it was listed.
    """
    if not _counted(survey) or survey.silence(HEALTH):
        return None
    standing = survey.standing(workload, release)
    if standing.ready >= at_least:
        return True
    unknown = sum(each.ready is None for each in standing.live)
    return None if standing.ready + unknown >= at_least else False


def _of_replica(condition: Broken | Gone | Serving, survey: Survey) -> bool | None:
    replica = survey.replicas.get(condition.replica)
    phase = replica.phase if replica else None
    match condition:
        case Gone():
            if replica is None:
                return True if _counted(survey) else None
            return phase is Phase.EXITED if phase is not Phase.UNKNOWN else None
        case Serving():
            if replica is None:
                return False if _counted(survey) else None
            if phase in (Phase.EXITED, Phase.DRAINING):
                return False
            return None if phase is Phase.UNKNOWN else replica.ready
        case Broken():
            if replica is None:
                return None
            if phase is Phase.EXITED:
                return True
            return None if replica.ready is None or phase is Phase.UNKNOWN else not replica.ready

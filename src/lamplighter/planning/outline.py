"""A plan in short: rows of text and numbers for a face to lay out. No colours, no widths."""

from lamplighter.model.actions import Action, Configure, Dismantle, Forget, Replace, Scale, Shift
from lamplighter.model.decisions import Plan, Step
from lamplighter.model.findings import Finding
from lamplighter.model.value import Value


class Row(Value):
    """One step: its number, seconds from the start, what is done, why, and the ready replicas after it."""

    number: int
    at_s: float
    subject: str
    what: str
    why: str
    capacity: dict[str, int] = {}
    state: str = "act"
    reasons: tuple[str, ...] = ()
    destructive: bool = False


class Outline(Value):
    """A plan in short.

    `changes`: whether anything is to be done. `lowest`: the fewest ready replicas of each workload from
    the first step after which it has any. `lasts_s`: waits and bakes only; starts take what they take.
    """

    system: str
    changes: bool
    rows: tuple[Row, ...] = ()
    lowest: dict[str, int] = {}
    lasts_s: float = 0.0
    missing: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()


def outline(plan: Plan) -> Outline:
    """Return what a face shows of a plan."""
    return Outline(
        system=plan.system,
        changes=bool(plan.steps),
        rows=tuple(_row(number, each) for number, each in enumerate(plan.steps, 1)),
        lowest=_lowest(plan),
        lasts_s=max((each.at_s for each in plan.steps), default=0.0),
        missing=tuple(_placed(each) for each in plan.missing),
        risks=tuple(f"{each.severity}: {_placed(each)}" for each in plan.risks),
    )


def describe(action: Action) -> str:
    """Return in a few words what an action does."""
    match action:
        case Configure(system=system):
            return f"set the gateway on port {system.gateway.port}"
        case Scale(starts=starts, stops=stops):
            return _scaling(action, len(starts), len(stops))
        case Replace(replica=old, start=new):
            return f"start {new or 'another'} in place of {old}"
        case Shift(workload=workload, shares=shares):
            split = ", ".join(f"{share:.0%} to {release}" for release, share in shares.items())
            return f"traffic of {workload}: {split or 'none'}"
        case Forget(replicas=gone):
            whose = gone[0] if len(gone) == 1 else f"{len(gone)} replicas"
            return f"drop what is noted of {whose}, gone for good"
        case Dismantle():
            return "end what is left, the gateway last"


def _scaling(scale: Scale, starts: int, stops: int) -> str:
    begin = [f"start {starts} of {scale.workload}"] if starts else []
    end = [f"drain and end {stops} of {scale.workload}"] if stops else []
    what = " and ".join(begin + end) or f"bring {scale.workload} to {scale.replicas}"
    return f"{what} ({scale.release})"


def subject(action: Action) -> str:
    """Return the workload that an action is about, `gateway` or `records`."""
    match action:
        case Scale(workload=workload) | Replace(workload=workload) | Shift(workload=workload):
            return workload
        case Forget():
            return "records"
        case _:
            return "gateway"


def _row(number: int, step: Step) -> Row:
    return Row(
        number=number,
        at_s=step.at_s,
        subject=subject(step.action),
        what=describe(step.action),
        why=step.because,
        capacity=step.capacity,
        state=step.state,
        reasons=step.reasons,
        destructive=step.contract.destructive,
    )


def _lowest(plan: Plan) -> dict[str, int]:
    least: dict[str, int] = {}
    for step in plan.steps:
        for name in {*least, *step.capacity}:
            count = step.capacity.get(name, 0)
            if name in least or count:
                least[name] = min(least.get(name, count), count)
    return dict(sorted(least.items()))


def _placed(finding: Finding) -> str:
    place = f"{finding.evidence.looked_at[0]}  " if finding.evidence.looked_at else ""
    return f"{place}{finding.subject}: {finding.message}"

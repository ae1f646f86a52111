"""What to mind about a plan: where capacity gets thin, what is not known, who must be asked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from lamplighter.model.decisions import Step
from lamplighter.model.facts import HEALTH, PROCESSES, Facts
from lamplighter.model.findings import Evidence, Finding, Severity
from lamplighter.model.system import System
from lamplighter.model.value import Instant, Value
from lamplighter.planning.preview import capacity

SAFE = 2
"""With fewer ready replicas than this, one death is an outage."""


class Ground(Value):
    """What a plan stands on: the system wanted, the facts at its start, and whether all is to end."""

    system: System
    facts: Facts
    now: Instant
    ending: bool = False


def risks(ground: Ground, steps: Sequence[Step], *, cut_short: bool = False) -> tuple[Finding, ...]:
    """Return what to mind, the most urgent first.

    Args:
        ground: what the plan was made from.
        steps: the plan's steps, each with the capacity after it.
        cut_short: the preview was ended before everything had settled.
    """
    found = [
        *_silences(ground),
        *([] if ground.ending else _drops(ground, steps)),
        *_room(ground, steps),
        *_asked(steps),
        *([] if ground.ending else _health(ground)),
        *([_cut_short(ground)] if cut_short else []),
        *([_cost(ground)] if steps else []),
    ]
    order = {Severity.URGENT: 0, Severity.WARNING: 1, Severity.NOTE: 2}
    return tuple(sorted(found, key=lambda each: order[each.severity]))


def placed_risks(stuck: Iterable[Finding], places: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return what keeps the plan from its end, each with the place in the spec that lets it, where known.

    Args:
        stuck: findings about services that the preview ended with.
        places: where the parts of the spec stand, by dotted path.
    """
    parts = ("rollout.surge", "rollout", "replicas.max", "replicas", "")
    found = []
    for each in stuck:
        paths = (f"services.{each.subject}.{part}".rstrip(".") for part in parts)
        place = next((places[path] for path in paths if path in places), "")
        evidence = (
            replace(each.evidence, looked_at=(place, *each.evidence.looked_at)) if place else each.evidence
        )
        found.append(replace(each, severity=Severity.URGENT, evidence=evidence))
    return tuple(found)


def lowest(facts: Facts, steps: Sequence[Step]) -> dict[str, int]:
    """Return the fewest ready replicas that each workload now running has at any time of the plan."""
    before = {name: count for name, count in capacity(facts).items() if count}
    return {name: min(count, *_counts(name, steps)) if steps else count for name, count in before.items()}


def _counts(name: str, steps: Sequence[Step]) -> list[int]:
    return [each.capacity.get(name, 0) for each in steps]


def _finding(kind: str, subject: str, message: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(kind=kind, subject=subject, message=message, severity=severity)


def _silences(ground: Ground) -> Iterator[Finding]:
    for source in (PROCESSES, HEALTH):
        silence = ground.facts.silence(source, ground.now)
        if silence and ground.facts.replicas:
            message = f"made without {source} ({silence.why}); it may look otherwise once that answers"
            evidence = Evidence(unavailable=(source,))
            yield Finding(
                kind="facts-silent",
                subject=source,
                message=message,
                severity=Severity.URGENT,
                evidence=evidence,
            )


def _drops(ground: Ground, steps: Sequence[Step]) -> Iterator[Finding]:
    before = capacity(ground.facts)
    for name, least in lowest(ground.facts, steps).items():
        if name not in ground.system.services or least >= min(before[name], SAFE):
            continue
        step = next(n for n, each in enumerate(steps, 1) if each.capacity.get(name, 0) == least)
        left = "no ready replica is" if least == 0 else "one ready replica alone is"
        severity = Severity.URGENT if least == 0 else Severity.WARNING
        yield _finding("capacity-drops", name, f"after step {step} {left} left of {before[name]}", severity)


def _room(ground: Ground, steps: Sequence[Step]) -> Iterator[Finding]:
    """Compare what all replicas ask for, where they are most, with what the machine has."""
    machine = ground.facts.machine
    wanted = [_asks(ground.system, each) for each in (capacity(ground.facts), *(s.capacity for s in steps))]
    cpu, memory = (max(each[part] for each in wanted) for part in (0, 1))
    if machine.cores is not None and cpu > machine.cores:
        message = f"replicas ask for {cpu:g} cores, the machine has {machine.cores:g}"
        yield _finding("beyond-cores", "machine", message)
    if machine.memory_bytes is not None and memory > machine.memory_bytes:
        have = machine.memory_bytes / 2**20
        message = f"replicas may take {memory / 2**20:,.0f} MiB, the machine has {have:,.0f}"
        yield _finding("beyond-memory", "machine", message)


def _asks(system: System, counts: dict[str, int]) -> tuple[float, float]:
    known = [
        (count, system.services[name].resources) for name, count in counts.items() if name in system.services
    ]
    return sum(n * each.cpu for n, each in known), sum(n * each.memory_bytes for n, each in known)


def _asked(steps: Sequence[Step]) -> Iterator[Finding]:
    for number, step in enumerate(steps, 1):
        why = "; ".join(step.reasons)
        if step.state == "asked":
            message = f"step {number} waits for a person's yes ({why}); what follows assumes it"
            yield _finding("needs-approval", f"step {number}", message)
        elif step.state == "held":
            yield _finding("held", f"step {number}", f"step {number} is held: {why}")


def _health(ground: Ground) -> Iterator[Finding]:
    for name, service in ground.system.services.items():
        if not service.health.path:
            message = "no health path: a replica that hangs with its port open is not noticed"
            yield _finding("no-health-path", name, message, Severity.NOTE)


def _cut_short(ground: Ground) -> Finding:
    message = "the preview was ended before everything had settled; there may be further steps"
    return _finding("plan-cut-short", ground.system.name, message)


def _cost(ground: Ground) -> Finding:
    message = "what this costs is not known: there are no prices for this site"
    return Finding(
        kind="cost-unknown",
        subject=ground.system.name,
        message=message,
        severity=Severity.NOTE,
        evidence=Evidence(unavailable=("prices",)),
    )

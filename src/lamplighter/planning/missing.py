"""What a target cannot run yet: said with its place, and left out of what is planned."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from lamplighter.model.findings import Evidence, Finding
from lamplighter.model.system import System

SECTIONS = ("services", "agents", "jobs")
WAYS = ("app", "command", "image")


def possible(system: System, missing: Iterable[Finding]) -> System:
    """Return the system without the workloads that the target cannot run.

    A finding about a whole workload (`agents.reader`) or about how it is started
    (`services.search.image`) takes it out, also of what others need. One about a part of it
    (`services.search.resources.gpu`) leaves it in: it runs without that part. The hosts of a pool of agents
    go with the pool.
    """
    out = {name for each in missing if (name := _workload(each.subject))}
    services = {
        name: replace(each, needs=tuple(need for need in each.needs if need not in out))
        for name, each in system.services.items()
        if name not in out
    }
    return replace(
        system,
        services=services,
        agents={name: each for name, each in system.agents.items() if name not in out},
        jobs={name: each for name, each in system.jobs.items() if name not in out},
    )


def _workload(subject: str) -> str:
    section, _, rest = subject.partition(".")
    name, _, part = rest.partition(".")
    return name if section in SECTIONS and part in ("", *WAYS) else ""


def placed(missing: Iterable[Finding], places: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return the findings, each with its place in the spec first among its evidence, where it is known.

    Args:
        missing: findings whose subject is a dotted path of the spec.
        places: dotted path to `file:line:column`; the nearest path above will do.
    """
    return tuple(_placed(each, _nearest(each.subject, places)) for each in missing)


def _placed(finding: Finding, place: str) -> Finding:
    if not place:
        return finding
    seen = finding.evidence
    return replace(
        finding,
        evidence=Evidence(looked_at=(place, *seen.looked_at), empty=seen.empty, unavailable=seen.unavailable),
    )


def _nearest(path: str, places: Mapping[str, str]) -> str:
    while path:
        if path in places:
            return places[path]
        path = path.rpartition(".")[0]
    return ""

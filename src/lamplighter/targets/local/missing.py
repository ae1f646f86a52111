"""What a spec asks for that this target cannot run yet: said clearly, never passed over. Pure."""

from collections.abc import Iterator, Mapping

from lamplighter.model.findings import Finding, Severity
from lamplighter.model.system import Service, System

KIND = "not-on-this-target"


def missing(system: System) -> tuple[Finding, ...]:
    """Return one finding for each part of the spec that the local target cannot run yet."""
    return tuple(_of_system(system)) + tuple(
        each
        for name, service in system.services.items()
        for each in _of_service(service, f"{'agents' if name in system.agents else 'services'}.{name}")
    )


def _of_system(system: System) -> Iterator[Finding]:
    named: dict[str, tuple[Mapping[str, object], str]] = {
        "jobs": (system.jobs, "jobs are not run"),
        "queues": (system.queues, "queues are not provided"),
        "stores": (system.stores, "stores are not provided"),
        "tenants": (system.tenants, "tenants share nothing out"),
    }
    for part, (members, what) in named.items():
        for name in members:
            yield _finding(f"{part}.{name}", f"{what} on the local target yet; this one is left out")
    if system.budget is not None:
        yield _finding("budget", "the local target has no prices yet; the budget is not watched")


def _of_service(service: Service, place: str) -> Iterator[Finding]:
    if service.run.kind == "image":
        yield _finding(f"{place}.image", "images are not run on the local target; give `app` or `command`")
    if service.resources.gpu:
        yield _finding(f"{place}.resources.gpu", "GPUs are not shared out on the local target yet")
    if service.resilience.breaker is not None:
        yield _finding(
            f"{place}.resilience.breaker",
            "the gateway ejects failing replicas by rules of its own; this breaker is of callers' policies",
        )
    if service.resilience.fallback:
        yield _finding(
            f"{place}.resilience.fallback", "the gateway serves no fallbacks; callers' policies do"
        )
    if service.resilience.hedge:
        yield _finding(f"{place}.resilience.hedge", "the gateway hedges no requests; callers' policies do")
    if service.checks:
        yield _finding(f"{place}.checks", "checks are not asked of new releases yet; health is")
    if service.objective is not None:
        yield _finding(f"{place}.objective", "objectives are not tracked on the local target yet")


def _finding(subject: str, message: str) -> Finding:
    return Finding(kind=KIND, subject=subject, message=message, severity=Severity.WARNING)

"""Warnings: what a spec may say, but hardly means."""

import re
from collections.abc import Iterator

from lamplighter.model.errors import Fault
from lamplighter.model.system import Service, System
from lamplighter.spec.checks import at
from lamplighter.spec.faults import Faults, quoted
from lamplighter.spec.records import hourly, windows
from lamplighter.spec.tree import Mapping, is_null, locate
from lamplighter.spec.units import duration_text

_EXPANSION = r"\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[^}]*\})"
_CONFIDENTIAL = r"(?i)(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|DSN)(?:$|_)"
_REPLICAS_SAFE = 2
_WEEK_MIN = 10_080


def doubts(tree: Mapping, system: System) -> tuple[Fault, ...]:
    """Return the warnings for a spec that is otherwise sound, in the order of the file."""
    found = Faults()
    _whole(tree, system, found)
    _budgets(tree, system, found)
    for service in system.services.values():
        _service(tree, service, found)
    _routes(tree, system, found)
    _others(tree, system, found)
    for section, name, env in _envs(system):
        _env(tree, (section, name), env, found)
    return found.found()


def _whole(tree: Mapping, system: System, found: Faults) -> None:
    if not system.services and not system.agents and not system.jobs:
        message = "there are no services, agents or jobs yet, so nothing would run"
        found.add(
            "nothing-to-run", tree.place, message, "add a service, as in services: {web: {app: main:app}}"
        )
    if system.services and not system.agents and not any(each.route for each in system.services.values()):
        message = "no service has a route, so the gateway has nothing to answer with"
        found.add("no-route", at(tree, "services"), message, "add route: / to the one that users talk to")
    if system.gateway.host not in ("127.0.0.1", "::1", "localhost"):
        message = f"the gateway is open to others than this machine ({system.gateway.host})"
        found.add(
            "open-gateway",
            at(tree, "gateway", "host"),
            message,
            "fine if it is meant; it has no TLS of its own",
        )
    if system.freeze and windows(system.freeze) == _WEEK_MIN:
        found.add(
            "always-frozen",
            at(tree, "freeze"),
            "these windows cover the whole week: nothing would ever roll out",
        )
    used = {secret for _, _, names in _secrets(system) for secret in names}
    for name in system.secrets:
        if name not in used:
            found.add("unused-secret", at(tree, "secrets", name), "no workload asks for this secret")


def _budgets(tree: Mapping, system: System, found: Faults) -> None:
    limits = [each.budget for each in system.tenants.values() if each.budget]
    if system.budget and limits and sum(map(hourly, limits)) > hourly(system.budget) * 1.000_001:
        message = "together the tenants may spend more than the system's budget"
        found.add("tenants-over-budget", at(tree, "budget"), message, "the system's budget then decides")


def _service(tree: Mapping, service: Service, found: Faults) -> None:
    path = ("services", service.name)
    if not service.health.path and not service.health.grpc:
        message = "no health path: a replica counts as ready once its port is open"
        found.add(
            "no-health-path", at(tree, *path), message, "add health: {path: /healthz} if it has such a page"
        )
    if service.objective and service.objective.availability and service.replicas.min < _REPLICAS_SAFE:
        place = at(tree, *path, "objective", "availability")
        message = "an availability is promised, but one replica alone cannot be replaced without a gap"
        found.add("single-replica", place, message, "set replicas: {min: 2} or more")
    scale = locate(tree, *path, "scale")
    if scale is not None and not is_null(scale) and service.replicas.min == service.replicas.max:
        message = f"min and max are both {service.replicas.min}, so there is nothing to scale"
        found.add(
            "no-room-to-scale", at(tree, *path, "scale"), message, "raise replicas: max, or take scale out"
        )
    if service.replicas.max + service.rollout.surge <= service.replicas.min:
        message = f"min and max are both {service.replicas.min}, and no surge: a new release has no room"
        mend = "set surge: 1, raise replicas: max, or lower min"
        found.add("no-room-to-roll-out", at(tree, *path, "rollout", "surge"), message, mend)
    idle = locate(tree, *path, "scale", "idle")
    if idle is not None and service.replicas.min > 0:
        message = f"min is {service.replicas.min}, so it never goes to zero and idle has no effect"
        found.add("idle-without-zero", at(tree, *path, "scale", "idle"), message, "set replicas: {min: 0}")
    if service.resilience.timeout_s > service.drain_s:
        drain = duration_text(service.drain_s)
        message = f"calls may take longer than a replica that goes has time to finish them ({drain})"
        found.add(
            "drain-too-short",
            at(tree, *path, "resilience", "timeout"),
            message,
            "make drain at least as long",
        )


def _routes(tree: Mapping, system: System, found: Faults) -> None:
    routes = {each.route: each.name for each in system.services.values() if each.route not in ("", "/")}
    for route, name in routes.items():
        parts = route.split("/")
        outer = next((up for n in range(2, len(parts)) if (up := "/".join(parts[:n])) in routes), "")
        if outer:
            message = (
                f"this lies inside of {quoted(outer)}, the route of {routes[outer]}; the longer one wins"
            )
            found.add("nested-route", at(tree, "services", name, "route"), message)


def _others(tree: Mapping, system: System, found: Faults) -> None:
    for pool in system.agents.values():
        most = min(pool.partitions, pool.shards)
        if pool.replicas.max > most:
            which = "shards" if pool.shards <= pool.partitions else "partitions"
            message = f"with {most} {which}, more hosts than that have nothing to do"
            found.add(
                "idle-replicas", at(tree, "agents", pool.name, "replicas", "max"), message, f"raise {which}"
            )
    for job in system.jobs.values():
        if job.spot and not job.checkpoint_s:
            message = "its machine can be taken away at any time, and all work done is then lost"
            found.add(
                "spot-without-checkpoint", at(tree, "jobs", job.name, "spot"), message, "add checkpoint: 10m"
            )


def _secrets(system: System) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield section, name and secrets of each workload, as it is anywhere."""
    for section, named in (("services", system.services), ("agents", system.agents), ("jobs", system.jobs)):
        for name, each in named.items():
            yield section, name, each.secrets
            yield from ((section, name, other.secrets) for other in each.at.values())


def _envs(system: System) -> Iterator[tuple[str, str, dict[str, str]]]:
    for section, named in (("services", system.services), ("agents", system.agents), ("jobs", system.jobs)):
        for name, each in named.items():
            yield section, name, each.env


def _env(tree: Mapping, path: tuple[str, str], env: dict[str, str], found: Faults) -> None:
    for variable, value in env.items():
        place = at(tree, *path, "env", variable)
        if re.search(_CONFIDENTIAL, variable) and value:
            message = f"{variable} looks like a secret, and a spec is no place for its value"
            mend = f"name it under secrets: instead: {variable.lower()}: {{from: env}}"
            found.add("secret-in-spec", place._replace(excerpt=""), message, mend)
        elif re.search(_EXPANSION, value):
            message = "nothing is expanded here: the workload gets this text as it stands"
            found.add(
                "not-expanded", place, message, "write the value itself, or set it in the workload's command"
            )

"""From a System to what the gateway is shown, and from actions to what the supervisor is told. Pure."""

import msgspec

from lamplighter.model.system import Resilience, Service, System
from lamplighter.runtime.resilience.settings import BreakerSettings, Settings
from lamplighter.targets.local.gateway.table import Backend, Check, Route, Table


def table(system: System) -> Table:
    """Return the gateway's listeners, routes and backends for a system; no endpoints yet.

    A service without a route answers only under its name on the internal port.
    """
    services = [each for each in system.services.values() if each.run.kind != "image"]
    return Table(
        host=_address(system.gateway.host),
        port=system.gateway.port,
        backends=tuple(_backend(each) for each in services),
        routes=tuple(
            Route(prefix=prefix, backend=each.name)
            for each in services
            for prefix in (each.route, *each.routes)
            if prefix
        ),
    )


def _backend(service: Service) -> Backend:
    resilience = service.resilience
    return Backend(
        name=service.name,
        check=Check(path=service.health.path or None, grpc="" if service.health.grpc else None),
        protocol=service.protocol,
        timeout_s=resilience.timeout_s or None,
        retries=resilience.retries,
        policy=_policy(resilience),
        wait_s=service.health.start_timeout_s if service.replicas.min == 0 else None,
    )


def _policy(resilience: Resilience) -> str:
    """Return what callers read of it; nothing where the spec says nothing, so that their code decides."""
    if resilience == Resilience():
        return ""
    given = resilience.breaker
    breaker = BreakerSettings(errors=given.errors, window_s=given.window_s) if given else None
    settings = Settings(
        timeout_s=resilience.timeout_s,
        retries=resilience.retries,
        breaker=breaker,
        fallback=resilience.fallback,
        hedge=resilience.hedge,
    )
    return msgspec.json.encode(settings).decode()


def _address(host: str) -> str:
    """The gateway resolves no names; this one is the only one that stands for the same everywhere."""
    return "127.0.0.1" if host == "localhost" else host

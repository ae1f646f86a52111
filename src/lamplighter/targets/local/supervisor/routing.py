"""From replicas and shares to the gateway's endpoints. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from lamplighter.targets.local.gateway.table import Backend, Endpoint, Table, split
from lamplighter.targets.local.supervisor.state import Replica

_SERVING = ("running", "draining", "ending")


def routed(table: Table, replicas: Iterable[Replica], shares: Mapping[str, Mapping[str, float]]) -> Table:
    """Return the table with an endpoint for each replica that has a process.

    A starting replica is in at once: the gateway's checks keep requests from it until it answers. One
    that drains stays in, marked, so that its requests in flight are still counted.

    Args:
        table: listeners, routes and backends as configured, without endpoints.
        replicas: all that is known.
        shares: of each workload's requests, by release; a workload that is not named, or whose
            releases have no share at all, is spread evenly over all its replicas.
    """
    known = tuple(replicas)
    return msgspec.structs.replace(
        table,
        backends=tuple(
            _filled(backend, known, _wanted(shares.get(backend.name, {}))) for backend in table.backends
        ),
    )


def _wanted(shares: Mapping[str, float]) -> dict[str, float]:
    return {release: share for release, share in shares.items() if share > 0}


def _filled(backend: Backend, replicas: tuple[Replica, ...], shares: dict[str, float]) -> Backend:
    """A release without a share gets nothing, but its replicas' health stays known: marked, not left out."""
    endpoints = tuple(
        Endpoint(
            id=each.id,
            port=each.port,
            release=each.release,
            draining=each.phase != "running" or (bool(shares) and each.release not in shares),
        )
        for each in replicas
        if each.workload == backend.name and each.phase in _SERVING
    )
    return msgspec.structs.replace(backend, endpoints=split(endpoints, shares) if shares else endpoints)

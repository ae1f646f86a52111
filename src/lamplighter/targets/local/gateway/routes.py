"""Paths and retries: which request goes to which backend, and which may be tried again (RDS).

A request is tried again on another replica when its method is idempotent by RFC 9110 section 9.2.2,
or when the client marks it so with an `Idempotency-Key`. Any other only when nothing of it was sent.
"""

import re
from collections.abc import Iterable
from typing import Any

from .holding import holding
from .table import Backend, Route, Table

__all__ = ["internal_routes", "public_routes"]

Json = dict[str, Any]

_IDEMPOTENT = "GET|HEAD|OPTIONS|TRACE|PUT|DELETE"
_NOTHING_WAS_SENT = "connect-failure,refused-stream,reset-before-request"
_ANY_LOSS = "connect-failure,refused-stream,reset,gateway-error"
# The status with which a gRPC server says that it could not take a call now; it may have begun it.
_ANY_LOSS_GRPC = f"{_ANY_LOSS},unavailable"
# How often the balancer is asked for a replica not tried yet. It prefers the least busy one, and a
# dead one is never busy: with two replicas three draws of four hit it, and 0.75**64 is 1e-8. A
# replica with one percent of the weights is drawn in every hundredth turn.
_DRAWS_FOR_ANOTHER_HOST = 100
# A longer request body is passed on but not kept, so it cannot be sent a second time.
_REPLAYED_BODY_BYTES = 1 << 20


def public_routes(table: Table) -> Json:
    """What the public listener serves: the table's routes, the longest prefix first."""
    backends = {backend.name: backend for backend in table.backends}
    ordered = sorted(table.routes, key=lambda route: len(route.prefix), reverse=True)
    return _configuration("public", ((route, backends[route.backend]) for route in ordered))


def internal_routes(table: Table) -> Json:
    """What the internal listener serves: every backend under its own name."""
    return _configuration("internal", ((Route(f"/{b.name}", b.name), b) for b in table.backends))


def _configuration(name: str, routed: Iterable[tuple[Route, Backend]]) -> Json:
    return {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": name,
        "validate_clusters": False,
        "virtual_hosts": [
            {
                "name": name,
                "domains": ["*"],
                "request_body_buffer_limit": _REPLAYED_BODY_BYTES,
                "routes": [entry for route, backend in routed for entry in _entries(route, backend)],
            },
        ],
    }


def _entries(route: Route, backend: Backend) -> list[Json]:
    """The entries of one prefix, told apart by whether a request may be sent twice."""
    safe = {"name": ":method", "string_match": {"safe_regex": {"regex": _IDEMPOTENT}}}
    keyed = {"name": "idempotency-key", "present_match": True}
    any_loss = _ANY_LOSS_GRPC if backend.protocol == "grpc" else _ANY_LOSS
    return [
        _entry(route, backend, [safe], any_loss),
        _entry(route, backend, [keyed], any_loss),
        _entry(route, backend, [], _NOTHING_WAS_SENT),
    ]


def _entry(route: Route, backend: Backend, headers: list[Json], retry_on: str) -> Json:
    entry: Json = {
        "match": {**_match(route.prefix), **({"headers": headers} if headers else {})},
        "route": {
            "cluster": backend.name,
            "timeout": "0s",  # it would cut streams: it spans the whole response
            "idle_timeout": f"{backend.stream_idle_s:.3f}s",
            "retry_policy": _retries(backend, retry_on),
        },
        "stat_prefix": backend.name,
        **holding(backend),
    }
    if backend.protocol == "grpc":
        # The caller's own deadline, as it stands in `grpc-timeout`; without one, none.
        entry["route"]["max_stream_duration"] = {"grpc_timeout_header_max": "0s"}
    if route.prefix != "/":
        entry["route"]["regex_rewrite"] = {
            "pattern": {"regex": f"^{re.escape(route.prefix)}/?"},
            "substitution": "/",
        }
        entry["request_headers_to_add"] = [
            {
                "header": {"key": "x-forwarded-prefix", "value": route.prefix.replace("%", "%%")},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            },
        ]
    return entry


def _match(prefix: str) -> Json:
    return {"prefix": "/"} if prefix == "/" else {"path_separated_prefix": prefix}


def _retries(backend: Backend, retry_on: str) -> Json:
    policy: Json = {
        "retry_on": retry_on,
        "num_retries": backend.retries,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host"
                    ".previous_hosts.v3.PreviousHostsPredicate",
                },
            },
        ],
        "host_selection_retry_max_attempts": _DRAWS_FOR_ANOTHER_HOST,
        "retry_back_off": {"base_interval": "0.010s", "max_interval": "0.250s"},
    }
    if backend.timeout_s is not None:
        # Runs until the headers are there, then never again: the only limit a stream can bear.
        policy["per_try_timeout"] = f"{backend.timeout_s:.3f}s"
    return policy

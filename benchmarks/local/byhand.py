"""Envoy as a person would configure it by hand, from its own documentation: what ours is compared with.

`equal` has what our gateway gives its users: retries on another host for what may be sent again, health
checks, outlier detection, circuit breaking with a retry budget, WebSockets and streams, statistics (all that
Envoy keeps unless told otherwise: requests, answers and latencies by service and listener) and a log of the
requests that failed; at an edge as "Configuring Envoy as an edge proxy" has it. `bare` only passes on.
Everything stands in one static file, the replicas too. Pure.
"""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

_FILTERS = "type.googleapis.com/envoy.extensions.filters"
_SAFE = "GET|HEAD|OPTIONS|TRACE|PUT|DELETE"
_ANY_LOSS = "connect-failure,refused-stream,reset,gateway-error"
_NOTHING_SENT = "connect-failure,refused-stream,reset-before-request"
_UNLIMITED = 1_000_000
_EDGE_BUFFER_BYTES = 32_768


def equal(port: int, replicas: Sequence[int], health_path: str) -> Json:
    """Return the bootstrap of an Envoy with what ours has.

    Args:
        port: to listen on, at 127.0.0.1.
        replicas: the ports of the service's replicas.
        health_path: what a replica is asked for.
    """
    manager = {
        "stat_prefix": "ingress_http",
        "codec_type": "AUTO",
        "use_remote_address": True,
        "normalize_path": True,
        "request_headers_timeout": "30s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": [_failures()],
        "route_config": _routes(_retried("method"), _retried("key"), _retried("")),
    }
    listener = {**_listener(port, manager), "per_connection_buffer_limit_bytes": _EDGE_BUFFER_BYTES}
    return {
        "admin": {"address": {"pipe": {"path": "./admin.sock"}}},
        "overload_manager": {"resource_monitors": [_connections()]},
        "static_resources": {"listeners": [listener], "clusters": [_guarded(replicas, health_path)]},
    }


def bare(port: int, replicas: Sequence[int]) -> Json:
    """Return the bootstrap of an Envoy that passes requests on and does nothing else, not even count them."""
    plain = {"match": {"prefix": "/"}, "route": {"cluster": "work"}}
    listener = _listener(port, {"stat_prefix": "ingress_http", "route_config": _routes(plain)})
    return {
        "static_resources": {"listeners": [listener], "clusters": [_cluster(replicas)]},
        "stats_config": {"stats_matcher": {"reject_all": True}},
    }


def _listener(port: int, manager: Json) -> Json:
    typed = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "http_filters": [_named("envoy.filters.http.router", f"{_FILTERS}.http.router.v3.Router")],
        **manager,
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": typed}]
    return {
        "name": "ingress",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": filters}],
    }


def _routes(*routes: Json) -> Json:
    host = {"name": "work", "domains": ["*"], "routes": list(routes)}
    return {"name": "local_route", "virtual_hosts": [host]}


def _retried(by: str) -> Json:
    """Return a route for what may be sent again, by its method or by its key, or for the rest."""
    headers = {
        "method": [{"name": ":method", "string_match": {"safe_regex": {"regex": _SAFE}}}],
        "key": [{"name": "idempotency-key", "present_match": True}],
    }.get(by)
    predicate = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    policy = {
        "retry_on": _ANY_LOSS if headers else _NOTHING_SENT,
        "num_retries": 2,
        "retry_host_predicate": [_named("envoy.retry_host_predicates.previous_hosts", predicate)],
        "host_selection_retry_max_attempts": 5,
        "retry_back_off": {"base_interval": "0.010s", "max_interval": "0.250s"},
    }
    match = {"prefix": "/", **({"headers": headers} if headers else {})}
    route = {"cluster": "work", "timeout": "0s", "idle_timeout": "3600s", "retry_policy": policy}
    return {"match": match, "route": route}


def _cluster(replicas: Sequence[int]) -> Json:
    addresses = [{"socket_address": {"address": "127.0.0.1", "port_value": each}} for each in replicas]
    endpoints = [{"endpoint": {"address": each}} for each in addresses]
    return {
        "name": "work",
        "type": "STATIC",
        "connect_timeout": "0.5s",
        "load_assignment": {"cluster_name": "work", "endpoints": [{"lb_endpoints": endpoints}]},
    }


def _guarded(replicas: Sequence[int], health_path: str) -> Json:
    limits = {
        "max_connections": _UNLIMITED,
        "max_pending_requests": _UNLIMITED,
        "max_requests": _UNLIMITED,
        "retry_budget": {"budget_percent": {"value": 50.0}, "min_retry_concurrency": 1024},
    }
    check = {
        "timeout": "0.75s",
        "interval": "0.5s",
        "no_traffic_interval": "0.5s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": health_path, "expected_statuses": [{"start": 200, "end": 400}]},
    }
    outliers = {
        "consecutive_5xx": 5, "interval": "1s", "base_ejection_time": "5s", "max_ejection_time": "60s",
        "max_ejection_percent": 50, "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
    }  # fmt: skip
    return {
        **_cluster(replicas),
        "lb_policy": "LEAST_REQUEST",
        "per_connection_buffer_limit_bytes": _EDGE_BUFFER_BYTES,
        "health_checks": [check],
        "outlier_detection": outliers,
        "circuit_breakers": {"thresholds": [limits]},
    }


def _failures() -> Json:
    """Return a log of the requests that the gateway could not bring to a good end."""
    flags = ["UO", "DO", "UH", "UF", "NC", "UC", "UR", "LR", "UPE", "UT", "SI"]
    line = {
        "at": "%START_TIME%", "service": "%UPSTREAM_CLUSTER%", "replica": "%UPSTREAM_HOST%",
        "method": "%REQ(:METHOD)%", "status": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%",
        "detail": "%RESPONSE_CODE_DETAILS%", "ms": "%DURATION%", "request_id": "%REQ(X-REQUEST-ID)%",
    }  # fmt: skip
    typed = {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": "./failures.log",
        "log_format": {"json_format": line},
    }
    failed = {"response_flag_filter": {"flags": flags}}
    return {"name": "envoy.access_loggers.file", "filter": failed, "typed_config": typed}


def _connections() -> Json:
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors"
            ".downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": 50_000,
        },
    }


def _named(name: str, kind: str) -> Json:
    return {"name": name, "typed_config": {"@type": kind}}

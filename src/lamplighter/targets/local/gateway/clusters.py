"""Backends as Envoy clusters (CDS) and their endpoints as load assignments (EDS).

One cluster holds the endpoints of all releases, so that a retry can go to any of them: a dead
canary never fails a request that a stable replica could have answered.
"""

from typing import Any

from .table import Backend, Check, Endpoint, Protocol

__all__ = ["assignment", "cluster", "eds_name"]

Json = dict[str, Any]

_UNLIMITED = 1_000_000
# Concurrent retries of one service: always this many, beyond it half of what is in flight. They must hold
# all requests of a replica that was just killed: the share does with three replicas or more, the floor with
# two. A try that is lost with its replica costs nothing more, but one that was given up at a time limit is
# still worked on: a service that is slow since it is overloaded then gets the retries on top, and with a
# floor of 1024 and two retries each (three times the load) it stayed so long after the cause was gone.
_RETRIES_AT_LEAST = 1024
_RETRIES_AT_LEAST_TIMED = 64
_RETRY_BUDGET_PERCENT = 50.0
# Closed by us before a server closes it: the shortest keep-alive among common servers is 2 s
# (gunicorn; uvicorn and Node have 5 s). A request sent on a connection that is just being closed is
# lost if it may not be retried; a new connection over loopback costs less than 0.1 ms.
_UPSTREAM_IDLE_S = 1.0
_CONNECT_TIMEOUT_S = 0.5
# What of a request's or a response's body is held in memory at one time, per connection.
_BUFFER_BYTES = 1 << 20
_SPOKEN: dict[Protocol, str] = {
    "http1": "http_protocol_options",
    "http2": "http2_protocol_options",
    "grpc": "http2_protocol_options",
}


def eds_name(backend: str) -> str:
    """The file that holds the endpoints of a backend."""
    return f"eds.{backend}.json"


def cluster(backend: Backend) -> Json:
    """A backend without its endpoints; whatever changes here makes Envoy replace the cluster."""
    return {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": backend.name,
        "type": "EDS",
        "eds_cluster_config": {
            "eds_config": {
                "path_config_source": {"path": f"./{eds_name(backend.name)}"},
                "resource_api_version": "V3",
            },
        },
        "connect_timeout": _seconds(_CONNECT_TIMEOUT_S),
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        # An endpoint that leaves the file leaves at once, healthy or not; its requests run to their end.
        "ignore_health_on_host_removal": True,
        "load_balancing_policy": {"policies": [{"typed_extension_config": _balancing()}]},
        # Only when not one replica is healthy do all get traffic: replicas too busy to answer their
        # check still serve, while one healthy replica is enough to keep new or dead ones out.
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 1.0},
            "ignore_new_hosts_until_first_hc": True,
            # By default a change of health or weight waits up to 1 s for others to join it.
            "update_merge_window": "0s",
        },
        "health_checks": [_health_check(backend.check, backend.protocol)],
        "outlier_detection": _outliers(),
        "circuit_breakers": {"thresholds": [_limits(backend)]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": _seconds(_UPSTREAM_IDLE_S)},
                "explicit_http_config": {_SPOKEN[backend.protocol]: {}},
            },
        },
    }


def assignment(backend: Backend) -> Json:
    """The endpoints of a backend; Envoy takes a change of these without touching anything else."""
    loads: Json = {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": backend.name,
        "endpoints": [{"lb_endpoints": [_endpoint(endpoint) for endpoint in backend.endpoints]}],
    }
    left = backend.endpoints and all(endpoint.draining for endpoint in backend.endpoints)
    if left and backend.wait_s is None:
        # With no healthy replica left Envoy would turn to the draining ones, and they would never drain.
        # Where requests are held instead, just those may that had passed before: they are not lost so.
        every = {"numerator": 100, "denominator": "HUNDRED"}
        loads["policy"] = {"drop_overloads": [{"category": "draining", "drop_percentage": every}]}
    return loads


def _endpoint(endpoint: Endpoint) -> Json:
    return {
        "endpoint": {
            "address": {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}},
            "hostname": endpoint.id,
            "health_check_config": {"hostname": "localhost"},
        },
        "load_balancing_weight": endpoint.weight,
        "health_status": "DRAINING" if endpoint.draining else "HEALTHY",
        "metadata": {"filter_metadata": {"lamplighter": {"id": endpoint.id, "release": endpoint.release}}},
    }


def _balancing() -> Json:
    # Equal weights: the less busy of two drawn at random. Unequal weights (a canary): exact shares,
    # whatever is in flight; hence no bias.
    return {
        "name": "envoy.load_balancing_policies.least_request",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.load_balancing_policies"
            ".least_request.v3.LeastRequest",
            "active_request_bias": {"default_value": 0.0, "runtime_key": "lamplighter.request_bias"},
        },
    }


def _health_check(check: Check, protocol: Protocol) -> Json:
    starting = _seconds(check.starting_interval_s)
    asked: Json = {"tcp_health_check": {}}
    if check.grpc is not None:
        asked = {"grpc_health_check": {"service_name": check.grpc, "authority": "localhost"}}
    elif check.path is not None:
        good = [{"start": 200, "end": 400}]
        asked = {"http_health_check": {"path": check.path, "expected_statuses": good}}
        if protocol != "http1":
            asked["http_health_check"]["codec_client_type"] = "HTTP2"
    return {
        "timeout": _seconds(check.timeout_s),
        "interval": _seconds(check.interval_s),
        "unhealthy_interval": starting,
        # Until a cluster's first request these two hold instead; Envoy's own default is 60 s.
        "no_traffic_interval": starting,
        "no_traffic_healthy_interval": _seconds(check.interval_s),
        "unhealthy_threshold": check.failures,
        "healthy_threshold": 1,
        **asked,
    }


def _outliers() -> Json:
    """Eject a replica that passes its checks and fails its requests; never more than half of them."""
    return {
        # Answers of 500 and above five in a row, or three that were cut, did not come in time, or were 502
        # to 504. (With Envoy's split of errors those in time would hardly ever be a row: each connection
        # to a replica that hangs ends it.)
        "consecutive_5xx": 5,
        "consecutive_gateway_failure": 3,
        "enforcing_consecutive_gateway_failure": 100,
        "enforcing_success_rate": 0,
        "max_ejection_percent": 50,
        "interval": "1s",
        "base_ejection_time": "5s",
        "max_ejection_time": "60s",
        # A good health check must not readmit a replica whose checks are the part that lies.
        "successful_active_health_check_uneject_host": False,
    }


def _limits(backend: Backend) -> Json:
    at_least = _RETRIES_AT_LEAST if backend.timeout_s is None else _RETRIES_AT_LEAST_TIMED
    return {
        "max_connections": _UNLIMITED,
        "max_pending_requests": _UNLIMITED,
        "max_requests": _UNLIMITED if backend.max_in_flight is None else backend.max_in_flight,
        "retry_budget": {
            "budget_percent": {"value": _RETRY_BUDGET_PERCENT},
            "min_retry_concurrency": at_least,
        },
    }


def _seconds(value: float) -> str:
    """A protobuf duration in JSON: decimal seconds, never an exponent."""
    return f"{value:.3f}s"

"""What Envoy reads once, when it starts: listeners, administration, which statistics it keeps.

Listeners stand here and not in a discovery file of their own, since an Envoy that cannot bind a
discovered listener goes on without it, while one that cannot bind these ends, which its parent sees.
"""

from typing import Any

from .holding import holding_filter
from .replies import local_replies
from .table import Table

__all__ = ["ADMIN_SOCKET", "FAILURES_LOG", "LATENCY_BUCKETS_MS", "LINES_LIMIT", "bootstrap", "lines_limit"]

Json = dict[str, Any]

ADMIN_SOCKET = "admin.sock"
FAILURES_LOG = "failures.log"
LINES_LIMIT = "limit.failures.json"
LATENCY_BUCKETS_MS = (
    1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1000,
    1500, 2000, 3000, 5000, 7500, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000,
)  # fmt: skip

_OWNER_ONLY = 0o600
_BUFFER_BYTES = 1 << 20
# Lost after the first byte of the response had left: the client holds half an answer.
_CUT_FLAGS = ["UC", "UR", "LR", "UPE", "UT", "SI"]
_FAILURE_FLAGS = ["UO", "DO", "UDO", "UH", "UF", "NC", "UAEX", *_CUT_FLAGS]

# What a server is to blame for; the rest (a wrong argument, not found, no permission) is the caller's.
_GRPC_FAILURES = ["UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]

# A statistic that is not listed costs nothing; those below are all that `statistics` reads.
_KEPT = (
    r"cluster\.[^.]+\.upstream_rq_(active|pending_active|pending_overflow|active_overflow|per_try_timeout)",
    r"cluster\.[^.]+\.(upstream_rq_retry(_overflow)?|retry_or_shadow_abandoned|upstream_cx_none_healthy)",
    r"lamp\..*",
    r"server\.(uptime|live|memory_physical_size)",
    r"http\.(public|internal)\.downstream_(rq|cx)_active",
)


def bootstrap(table: Table) -> Json:
    """The bootstrap for a table: it changes with addresses and bounds of its listeners, and nothing else."""
    listeners = [_listener("public", table.host, table.port)]
    if table.internal_port is not None:
        listeners.append(_listener("internal", "127.0.0.1", table.internal_port))
    return {
        "node": {"id": "gateway", "cluster": "lamplighter"},
        "admin": {"address": {"pipe": {"path": f"./{ADMIN_SOCKET}", "mode": _OWNER_ONLY}}},
        "dynamic_resources": {"cds_config": _file("cds.json")},
        "static_resources": {"listeners": listeners},
        "stats_config": {
            "stats_matcher": {
                "inclusion_list": {"patterns": [{"safe_regex": {"regex": kept}} for kept in _KEPT]},
            },
            "histogram_bucket_settings": [
                {"match": {"prefix": "lamp."}, "buckets": [float(ms) for ms in LATENCY_BUCKETS_MS]},
            ],
        },
        "stats_flush_on_admin": True,
        "overload_manager": {"resource_monitors": [_connections(table.connections_max)]},
    }


def _connections(most: int) -> Json:
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors"
            ".downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": most,
        },
    }


def _listener(name: str, host: str, port: int) -> Json:
    return {
        "name": name,
        "address": {"socket_address": {"address": host, "port_value": port}},
        # With SO_REUSEPORT two gateways would share a port and neither would say so.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "filter_chains": [
            {"filters": [_named("envoy.filters.network.http_connection_manager", _http(name))]}
        ],
    }


def _http(name: str) -> Json:
    return {
        "@type": "type.googleapis.com/envoy.extensions.filters.network"
        ".http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        "rds": {"route_config_name": name, "config_source": _file(f"rds.{name}.json")},
        "http_filters": [holding_filter(), _named("envoy.filters.http.router", _router())],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        # Every caller counts as foreign: only then are x-envoy-* request headers, which could ask
        # for a thousand retries, taken off.
        "use_remote_address": True,
        "internal_address_config": {"unix_sockets": False, "cidr_ranges": [_cidr("192.0.2.0", 32)]},
        "normalize_path": True,
        "preserve_external_request_id": True,
        "server_header_transformation": "PASS_THROUGH",
        "request_headers_timeout": "30s",
        # How long a connection that is to be closed waits for a client that takes nothing of what is left for
        # it. The time runs while this process is kept from running, too: with a quarter of a second, a
        # third of eight thousand refusals on a busy machine were never sent; with Envoy's second, a quarter.
        # A client learns of a cut answer this much later.
        "delayed_close_timeout": "3s",
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "localhost"},
        "local_reply_config": local_replies(),
        "access_log": [
            _count_answers(name),
            _count_cuts(name),
            _count_grpc_failures(name),
            _log_failures(name),
        ],
    }


def _router() -> Json:
    return {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        "suppress_envoy_headers": True,
        # Its own counts and times of answers cost 7% of a request; `_count_answers` takes their place.
        "dynamic_stats": False,
    }


def _count_answers(name: str) -> Json:
    """Counts each answer that has ended, by service and status, and times it to its first byte, by service.

    Envoy's own histogram times to the last byte, in which a stream of 20 s looks like a slow answer.
    """
    value = "%COMMON_DURATION(DS_RX_BEG:DS_TX_BEG:ms)%"
    typed = {
        **_stats_logger(name),
        "histograms": [{"stat": _stat("answer_ms"), "unit": "Milliseconds", "value_format": value}],
        "counters": [{"stat": _stat("answers", status="%RESPONSE_CODE%"), "value_fixed": 1}],
    }
    return {**_named("envoy.access_loggers.stats", typed), "filter": _status("GE", 100, "answered")}


def _count_cuts(name: str) -> Json:
    """Counts answers that began and were not ended, by service: no counter of Envoy's own tells."""
    began = _status("LE", 499, "began")
    cut = {"response_flag_filter": {"flags": _CUT_FLAGS}}
    logger = {**_stats_logger(name), "counters": [{"stat": _stat("cut"), "value_fixed": 1}]}
    return {
        **_named("envoy.access_loggers.stats", logger),
        "filter": {"and_filter": {"filters": [cut, began]}},
    }


def _count_grpc_failures(name: str) -> Json:
    """Counts gRPC calls that ended with a failure of the server's: told in trailers, under status 200."""
    logger = {**_stats_logger(name), "counters": [{"stat": _stat("grpc_failed"), "value_fixed": 1}]}
    is_grpc = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    filters = [
        {"header_filter": {"header": is_grpc}},
        {"grpc_status_filter": {"statuses": _GRPC_FAILURES}},
        _status("LE", 299, "grpc"),
    ]
    return {
        **_named("envoy.access_loggers.stats", logger),
        "filter": {"and_filter": {"filters": filters}},
    }


def _status(op: str, than: int, key: str) -> Json:
    value = {"default_value": than, "runtime_key": f"lamplighter.{key}"}
    return {"status_code_filter": {"comparison": {"op": op, "value": value}}}


def _stats_logger(listener: str) -> Json:
    return {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
        "stats_scope": {"prefix": f"lamp.{listener}"},
    }


def _stat(name: str, **tags: str) -> Json:
    by = {"service": "%UPSTREAM_CLUSTER%", **tags}
    return {"name": name, "tags": [{"name": tag, "value_format": value} for tag, value in by.items()]}


def _log_failures(name: str) -> Json:
    """One line for each request that the gateway could not bring to a good end; none for the rest."""
    line = {
        "at": "%START_TIME%",
        "port": name,
        "service": "%UPSTREAM_CLUSTER%",
        "replica": "%UPSTREAM_HOST%",
        "method": "%REQ(:METHOD)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "detail": "%RESPONSE_CODE_DETAILS%",
        "ms": "%DURATION%",
        "tries": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "request_id": "%REQ(X-REQUEST-ID)%",
    }
    logger = {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": f"./{FAILURES_LOG}",
        "log_format": {"json_format": line},
    }
    failed = {"response_flag_filter": {"flags": _FAILURE_FLAGS}}
    few = {"extension_filter": _named("envoy.access_loggers.extension_filters.process_ratelimit", _at_most())}
    return {
        **_named("envoy.access_loggers.file", logger),
        "filter": {"and_filter": {"filters": [failed, few]}},
    }


def _at_most() -> Json:
    return {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers"
        ".filters.process_ratelimit.v3.ProcessRateLimitFilter",
        "dynamic_config": {"resource_name": "failures", "config_source": _file(LINES_LIMIT)},
    }


def lines_limit() -> Json:
    """How many lines the log of failures may take: a storm of failures must not fill the disk."""
    bucket = {
        "@type": "type.googleapis.com/envoy.type.v3.TokenBucket",
        "max_tokens": 100,
        "tokens_per_fill": 20,
        "fill_interval": "1s",
    }
    return {
        "@type": "type.googleapis.com/envoy.service.discovery.v3.Resource",
        "name": "failures",
        "resource": bucket,
    }


def _named(name: str, typed: Json) -> Json:
    return {"name": name, "typed_config": typed}


def _cidr(address: str, bits: int) -> Json:
    return {"address_prefix": address, "prefix_len": bits}


def _file(name: str) -> Json:
    return {"path_config_source": {"path": f"./{name}"}, "resource_api_version": "V3"}

"""Holding: how requests are made to wait in Envoy itself, until there is a replica for them.

The listener's chain has a filter that is switched off; the routes of a service that has nothing to
serve with switch it on. It asks the activator for each request and lets it go on, or refuses it, as that
answers. What is held is the request with all that its client goes on to send, whatever its protocol: not
a byte of it passes through the activator.
"""

from typing import Any

from .table import Backend

__all__ = ["ACTIVATOR_SOCKET", "activator", "can_hold", "holding", "holding_filter", "is_internal"]

Json = dict[str, Any]

ACTIVATOR_SOCKET = "activator.sock"
_FILTER = "envoy.filters.http.ext_authz"
_TYPES = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3"
_CLUSTER = "lamp.activator"  # a name that no service can have
_UNLIMITED = 1_000_000
# Half as many again as may wait: so many hear from the activator why they may not. Of a larger crowd the
# gateway itself refuses the rest, at once and without a file opened for each.
_ASKED_MAX = 1_500
_MARGIN_S = 5.0
_CONNECT_TIMEOUT_S = 0.5
# An activator that is lost is asked again: at first after 10 ms, then after twice as long each time, at
# random. Nine tries span some three seconds, eleven some ten; its successor is there within two.
_ASK_AGAIN_S = 0.01
_TRIES = 11


def holding_filter() -> Json:
    """The filter, for a listener's chain: off, and free of cost, unless a route switches it on."""
    return {
        "name": _FILTER,
        "disabled": True,
        "typed_config": {
            "@type": f"{_TYPES}.ExtAuthz",
            "transport_api_version": "V3",
            # With no activator the request goes on: to a replica if there is one, else it is refused
            # as any request is that finds none.
            "failure_mode_allow": True,
            "disallowed_headers": {"patterns": [{"exact": "authorization", "ignore_case": True}]},
            "http_service": _asked("-", 1.0),
        },
    }


def can_hold(bootstrap: str) -> bool:
    """Whether an Envoy that was started with this bootstrap can hold requests; one of 0.1.0 cannot."""
    return _FILTER in bootstrap


def holding(backend: Backend) -> Json:
    """What a route says to have its requests held; nothing if they are not to be."""
    if not backend.held or backend.wait_s is None:
        return {}
    check = {"http_service": _asked(backend.name, backend.wait_s + _MARGIN_S)}
    return {
        "typed_per_filter_config": {
            _FILTER: {
                "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
                "config": {
                    "@type": f"{_TYPES}.ExtAuthzPerRoute",
                    "check_settings": check,
                },
            },
        },
    }


def activator(services: int) -> Json:
    """Where the activator is asked: a socket beside the gateway's files.

    Args:
        services: how many may be held.
    """
    address = {"pipe": {"path": f"./{ACTIVATOR_SOCKET}"}}
    names = ("max_connections", "max_pending_requests", "max_requests")
    limits = {**dict.fromkeys(names, services * _ASKED_MAX), "max_retries": _UNLIMITED}
    return {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": _CLUSTER,
        "type": "STATIC",
        "connect_timeout": f"{_CONNECT_TIMEOUT_S:.3f}s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def is_internal(cluster: str) -> bool:
    """Whether a cluster is the gateway's own and no service's."""
    return cluster == _CLUSTER


def _asked(service: str, longest_s: float) -> Json:
    """Ask for one service. Envoy takes the longest back-off for the time limit of each try as well."""
    whole = f"{longest_s:.3f}s"
    return {
        "server_uri": {"uri": "http://activator", "cluster": _CLUSTER, "timeout": whole},
        "path_override": f"/{service}",
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset",
            "num_retries": _TRIES,
            "retry_back_off": {"base_interval": f"{_ASK_AGAIN_S:.3f}s", "max_interval": whole},
        },
    }

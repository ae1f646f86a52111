"""A server that costs next to nothing, so that what stands before it is measured: an Envoy of its own.

It answers every path on $PORT with 200 and 512 bytes. As a workload: `command: python quick.py`, with the
path of Envoy in $QUICK_ENVOY.
"""

import json
import os
from typing import Any

BODY_BYTES = 512


def configuration(port: int) -> dict[str, Any]:
    """Return Envoy's bootstrap: one listener that answers by itself."""
    types = "type.googleapis.com/envoy.extensions.filters"
    answer = {"status": 200, "body": {"inline_string": "x" * BODY_BYTES}}
    route = {"match": {"prefix": "/"}, "direct_response": answer}
    host = {"name": "all", "domains": ["*"], "routes": [route]}
    router = {"@type": f"{types}.http.router.v3.Router"}
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "quick",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {"virtual_hosts": [host]},
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {
        "static_resources": {"listeners": [{"address": address, "filter_chains": [{"filters": filters}]}]},
        "stats_config": {"stats_matcher": {"reject_all": True}},
    }


def main() -> None:
    """Become Envoy."""
    text = json.dumps(configuration(int(os.environ["PORT"])))
    path = os.environ["QUICK_ENVOY"]
    words = ["--config-yaml", text, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    os.execv(path, [path, *words])  # noqa: S606 - it becomes the server


if __name__ == "__main__":
    main()

"""What the gateway itself answers, and how anyone can tell its answers from an app's.

Each reply of the gateway's own carries `x-lamp-reason` and a JSON body that says what happened and
whether it is safe to send the request again.
"""

from typing import Any

__all__ = ["REASONS", "local_replies"]

Json = dict[str, Any]

_RETRY_AFTER_S = "1"

# Envoy's response flags, in the order they are looked at: a request may carry several, and the
# first that matches names it. The text says what a caller wants to know: was it executed?
REASONS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("overloaded", ("UO",), "the service has as many requests in flight as it may; send it again later"),
    ("draining", ("DO", "UDO"), "every replica of the service is being stopped; send it again later"),
    ("timeout", ("UT", "SI"), "no answer in time; the request may have been executed"),
    (
        "cut",
        ("UC", "UR", "LR", "UPE"),
        "the replica was lost while it worked; the request may have been executed",
    ),
    ("unreachable", ("UF",), "no replica accepted a connection; the request was not executed"),
    ("no-replica", ("UH", "NC"), "no replica of the service is ready; the request was not executed"),
    ("no-route", ("NR",), "no service has a route for this path"),
    ("bad-request", ("DPE",), "this is not a well-formed HTTP request"),
)
_LATER = frozenset({"overloaded", "draining", "unreachable", "no-replica"})


def local_replies() -> Json:
    """The part of a listener that marks and words the gateway's own replies."""
    mappers = [*(_mapper(reason, flags, text) for reason, flags, text in REASONS), _refused_while_held()]
    return {"mappers": mappers, "body_format": _body("gateway", "the gateway refused the request")}


def _mapper(reason: str, flags: tuple[str, ...], text: str) -> Json:
    headers = {"x-lamp-reason": reason, **({"retry-after": _RETRY_AFTER_S} if reason in _LATER else {})}
    return {
        "filter": {"response_flag_filter": {"flags": list(flags)}},
        "body_format_override": _body(reason, text),
        "headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
    }


def _refused_while_held() -> Json:
    """The activator words its refusals itself; a 5xx of its own would count as no answer."""
    return {
        "filter": {"response_flag_filter": {"flags": ["UAEX"]}},
        "status_code": 503,
        "body_format_override": {
            "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
            "content_type": "application/json",
        },
    }


def _body(reason: str, text: str) -> Json:
    return {"json_format": {"error": reason, "message": text, "service": "%UPSTREAM_CLUSTER%"}}

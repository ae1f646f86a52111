"""The API described: an OpenAPI 3.1 document, its schemas made from the very values that are sent."""

import functools
from typing import Any

import msgspec

from lamplighter import __version__
from lamplighter.app.views import Entries, Explanation, Receipt, Status
from lamplighter.model.errors import Fault
from lamplighter.model.intents import Intent
from lamplighter.ports import LedgerEntry, LogLine

REFUSED = {
    "description": "refused: what is wrong, and how to mend it",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["exit_code", "faults"],
                "properties": {
                    "exit_code": {"type": "integer"},
                    "faults": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
                },
            }
        }
    },
}


@functools.cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    kinds = (Intent, Receipt, Status, Entries, Explanation, LedgerEntry, LogLine, Fault)
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}", schema_hook=_anything
    )
    intent, receipt, status, entries, explanation, entry, line, _ = schemas
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lamplighter maintainer", "version": __version__},
        "paths": {
            "/v1/intents": {"post": _post_intent(intent, receipt)},
            "/v1/status": {"get": _get("The whole system as of the newest pass.", status)},
            "/v1/ledger": {
                "get": _get("A page of the ledger.", entries, _query("since"), _query("limit")),
            },
            "/v1/actions/{action}": {
                "get": _get("All that is known of one action.", explanation, _path("action")),
            },
            "/v1/events": {
                "get": _get(
                    "The ledger's lines as server-sent events; the id of each is its number.",
                    entry,
                    _query("since"),
                    media="text/event-stream",
                ),
            },
            "/v1/logs/{workload}": {
                "get": _get(
                    "What a workload's replicas wrote, one JSON value a line.",
                    line,
                    _path("workload"),
                    _query("tail"),
                    _query("follow", "boolean"),
                    media="application/x-ndjson",
                ),
            },
        },
        "components": {"schemas": components},
    }


def _anything(kind: type) -> dict[str, Any]:
    """A ledger entry's body holds whatever its kind of entry tells."""
    assert kind is object, f"{kind} has no schema"
    return {"description": "any JSON value"}


def _post_intent(intent: dict[str, Any], receipt: dict[str, Any]) -> dict[str, Any]:
    answers = {
        "200": {"description": "the loop has answered", "content": _content(receipt)},
        "202": {"description": "it waits for the loop", "content": _content(receipt)},
        "422": REFUSED,
        "429": REFUSED,
    }
    return {
        "summary": "Ask for something. The same id asks for the same thing only once.",
        "parameters": [_query("wait_s")],
        "requestBody": {"required": True, "content": _content(intent)},
        "responses": answers,
    }


def _get(
    summary: str, schema: dict[str, Any], *parameters: dict[str, Any], media: str = "application/json"
) -> dict[str, Any]:
    good = {"description": summary, "content": _content(schema, media)}
    answers = {"200": good, "404": REFUSED, "422": REFUSED}
    return {"summary": summary, "parameters": list(parameters), "responses": answers}


def _content(schema: dict[str, Any], media: str = "application/json") -> dict[str, Any]:
    return {media: {"schema": schema}}


def _query(name: str, kind: str = "number") -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": kind}}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}

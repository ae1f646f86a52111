"""The API's routes: parse, hand over to the running system, render. No decisions.

Every answer is a value of `app.views` (or of the model) as JSON; every refusal is a list of faults with the
exit code that a command would end with.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from lamplighter.app.running import PAGE, Running
from lamplighter.faces.http.openapi import document
from lamplighter.model.errors import Fault, LampError, UserError
from lamplighter.model.intents import Intent
from lamplighter.model.value import Value
from lamplighter.ports import LedgerEntry, LogLine

BODY_BYTES_MAX = 8 * 2**20
JSON = "application/json"
STATUS_OF = {2: 422, 3: 409, 4: 503, 5: 503, 6: 409, 7: 502}
"""HTTP status for the exit code of an error."""
NOT_FOUND = ("unknown-action", "unknown-workload")
TOO_MANY = "intents-full"


class Refusal(Value):
    """Why a request was refused: what is wrong, and the exit code that a command ends with."""

    exit_code: int
    faults: tuple[Fault, ...]


def application(running: Running) -> Starlette:
    """Return the API of one running system."""
    api = _Api(running)
    routes = [
        Route("/v1/intents", api.intents, methods=["POST"]),
        Route("/v1/status", api.status),
        Route("/v1/ledger", api.ledger),
        Route("/v1/actions/{action}", api.action),
        Route("/v1/events", api.events),
        Route("/v1/logs/{workload}", api.logs),
        Route("/openapi.json", api.openapi),
    ]
    handlers: dict[int | type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
        LampError: _refused,
        msgspec.ValidationError: _malformed,
        msgspec.DecodeError: _malformed,
        HTTPException: _of_http,
        Exception: _of_ours,
    }
    return Starlette(routes=routes, exception_handlers=handlers)


class _Api:
    def __init__(self, running: Running) -> None:
        self._running = running

    async def intents(self, request: Request) -> Response:
        intent = msgspec.json.decode(await _body(request), type=Intent)
        wait_s = _number(request, "wait_s", 0.0)
        receipt = await self._running.submit(intent, wait_s=wait_s)
        return _json(receipt, status=200 if receipt.answer else 202)

    async def status(self, _request: Request) -> Response:
        await self._running.first_pass()
        return _json(self._running.status())

    async def ledger(self, request: Request) -> Response:
        limit = max(1, min(PAGE, int(_number(request, "limit", PAGE))))
        return _json(self._running.entries(since=int(_number(request, "since", 0)), limit=limit))

    async def action(self, request: Request) -> Response:
        return _json(self._running.explain(request.path_params["action"]))

    async def events(self, request: Request) -> Response:
        """Server-sent events: one for each line of the ledger, its id the line's number."""
        last = request.headers.get("last-event-id", "")
        since = int(last) + 1 if last.isdigit() else int(_number(request, "since", 0))
        entries = self._running.events(since=since)
        headers = {"cache-control": "no-store"}
        return StreamingResponse(_sent(entries), media_type="text/event-stream", headers=headers)

    async def logs(self, request: Request) -> Response:
        follow = request.query_params.get("follow", "false") in ("true", "1", "")
        lines = self._running.logs(
            request.path_params["workload"], follow=follow, tail=int(_number(request, "tail", 100))
        )
        return StreamingResponse(_lines(lines), media_type="application/x-ndjson")

    async def openapi(self, _request: Request) -> Response:
        return Response(msgspec.json.encode(document()), media_type=JSON)


async def _body(request: Request) -> bytes:
    """Return the whole body. Raises UserError if it is larger than any spec could be."""
    whole = b""
    async for chunk in request.stream():
        whole += chunk
        if len(whole) > BODY_BYTES_MAX:
            raise UserError(f"the request is larger than {BODY_BYTES_MAX} bytes", code="request-too-large")
    return whole


async def _sent(entries: AsyncIterator[LedgerEntry | None]) -> AsyncIterator[bytes]:
    async for entry in entries:
        if entry is None:
            yield b": nothing new\n\n"
            continue
        yield b"id: %d\nevent: %s\ndata: %s\n\n" % (
            entry.number,
            entry.kind.encode(),
            msgspec.json.encode(entry),
        )


async def _lines(lines: AsyncIterator[LogLine]) -> AsyncIterator[bytes]:
    async for line in lines:
        yield msgspec.json.encode(line) + b"\n"


def _number(request: Request, name: str, default: float) -> float:
    """Return a number from the query, or `default`. Raises UserError if it is no number that makes sense."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 2**53:
        raise UserError(f"{name} must be a number from 0 on, not {text!r}", code="query-invalid")
    return number


def _json(value: Value, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, LampError)
    refusal = Refusal(exit_code=error.exit_code, faults=error.faults())
    status = STATUS_OF.get(error.exit_code, 500)
    if error.code in NOT_FOUND:
        return _json(refusal, status=404)
    if error.code == TOO_MANY:
        response = _json(refusal, status=429)
        response.headers["retry-after"] = "1"
        return response
    return _json(refusal, status=status)


async def _malformed(_request: Request, error: Exception) -> Response:
    """The message of the decoder names the place (`$.system.name`) and what was expected there."""
    fault = Fault(
        code="intent-malformed",
        message=str(error),
        mend="send one of up, rollback, approve or down, as /openapi.json describes it",
    )
    return _json(Refusal(exit_code=2, faults=(fault,)), status=422)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}"
    fault = Fault(code="request-invalid", message=message, mend="/openapi.json lists what can be asked")
    return _json(Refusal(exit_code=2, faults=(fault,)), status=error.status_code)


async def _of_ours(_request: Request, error: Exception) -> Response:
    """A fault of ours is said to be one; the trace goes to the log, not to who asked."""
    fault = Fault(code="internal", message=f"a fault of Lamplighter, not of yours: {type(error).__name__}")
    return _json(Refusal(exit_code=1, faults=(fault,)), status=500)

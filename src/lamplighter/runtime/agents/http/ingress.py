"""Agents over HTTP: `POST /agents/{kind}/{id}` with a message as JSON, as a plain ASGI app.

Any host's ingress reaches any agent of its pool: it decodes a message at the edge, so that what no agent
could read is refused before it is durable, and hands it to a `Caller`. Knows nothing of who holds which
shard, and keeps nothing: whatever has to be known of an `Idempotency-Key` is in the agent's own journal.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents.caller import Caller, Sent
from lamplighter.runtime.agents.errors import OverloadedError
from lamplighter.runtime.agents.http.faults import (
    BodyTooLargeError,
    NotFoundError,
    NotPostError,
    Response,
    answered,
    failed,
)
from lamplighter.runtime.agents.http.messages import Asked, Reader, asked_of, items_of
from lamplighter.runtime.agents.kinds import Kind

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "agents"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an ingress bears.

    Args:
        body_bytes: of a single message.
        batch_bytes: of a batch.
        in_flight: messages that may wait for their answers at one time; more get 429.
        in_flight_bytes: of the bodies of those.
    """

    body_bytes: int = 1 << 20
    batch_bytes: int = 16 << 20
    in_flight: int = 10_000
    in_flight_bytes: int = 128 << 20


class Ingress:
    """The ASGI app.

    Args:
        caller: reaches the agents; entered and left by whoever runs the app.
        kinds: what may be an agent, by name.
        ready: says why this host cannot serve (yet); "" if it can.
        gauges: what else `/metrics` shows, by name.
        limits: what is borne.
    """

    def __init__(
        self,
        caller: Caller,
        kinds: dict[str, Kind],
        *,
        ready: Callable[[], str] = str,
        gauges: Callable[[], dict[str, float]] = dict,
        limits: Limits = Limits(),
    ) -> None:
        self._caller = caller
        self._reader = Reader(kinds)
        self._ready = ready
        self._gauges = gauges
        self._limits = limits
        self._in_flight = 0
        self._bytes = 0
        self.counts: Counter[str] = Counter()
        """Messages by what became of them: `answered`, `accepted`, or the code of the error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] == "http":
            response = await self._respond(scope, receive)
            if response is not None:
                await _write(send, response)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003})

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        """Return what to answer; None if the client has gone."""
        path = _path(scope)
        try:
            if path == ["healthz"]:
                return self._health()
            if path == ["metrics"]:
                return self._metrics()
            if path[:1] == [PREFIX]:
                path = path[1:]
            if not path or not path[0]:
                raise NotFoundError("agents are reached by POST /agents/{kind}/{id}")
            if scope["method"] != "POST":
                raise NotPostError("agents take POST only")
            self._reader.known(path[0])
            return await (self._single if len(path) > 1 else self._batch)(path, scope, receive)
        except LampError as error:
            self.counts[error.code] += 1
            return failed(error)

    async def _single(self, path: list[str], scope: Scope, receive: Receive) -> Response | None:
        asked = asked_of(scope)
        body = await _body(scope, receive, self._limits.body_bytes)
        if body is None:
            return None
        address, payload = self._reader.single(path[0], "/".join(path[1:]), body)
        sent = self._post(address, payload, asked, asked.key)
        return answered(await self._result(sent), accepted=asked.later)

    async def _batch(self, path: list[str], scope: Scope, receive: Receive) -> Response | None:
        """Send many messages of one kind at once; each has a result of its own, in their order."""
        asked = asked_of(scope)
        body = await _body(scope, receive, self._limits.batch_bytes)
        if body is None:
            return None
        begun = [
            self._begin(path[0], item, asked, f"{asked.key}/{number}" if asked.key else "")
            for number, item in enumerate(items_of(body))
        ]
        try:
            return Response.batch([await self._item(each, asked) for each in begun])
        finally:
            for sent in begun:
                if isinstance(sent, Sent):
                    self._caller.drop(sent)

    def _begin(self, kind: str, item: bytes, asked: Asked, key: str) -> Sent | LampError:
        try:
            return self._post(*self._reader.item(kind, item), asked, key)
        except LampError as error:
            return error

    async def _item(self, begun: Sent | LampError, asked: Asked) -> bytes:
        try:
            if isinstance(begun, LampError):
                raise begun
            return answered(await self._result(begun), accepted=asked.later).item()
        except LampError as error:
            self.counts[error.code] += 1
            return failed(error).item()

    def _post(self, address: str, payload: bytes, asked: Asked, key: str) -> Sent:
        limits, size = self._limits, len(payload)
        if self._in_flight >= limits.in_flight or self._bytes + size > limits.in_flight_bytes:
            raise OverloadedError(
                f"this host has {self._in_flight} messages in flight, as many as it may", retry_after_s=1.0
            )
        sent = self._caller.post(address, payload, key=key, wait_s=asked.wait_s, answer=not asked.later)
        self._in_flight += 1
        self._bytes += size
        sent.done.add_done_callback(lambda _: self._landed(size))
        return sent

    def _landed(self, size: int) -> None:
        self._in_flight -= 1
        self._bytes -= size

    async def _result(self, sent: Sent) -> bytes:
        answer = await self._caller.result(sent)
        self.counts["answered" if sent.whole else "accepted"] += 1
        return answer

    def _health(self) -> Response:
        why = self._ready()
        return Response.json(503 if why else 200, {"ready": not why, **({"why": why} if why else {})})

    def _metrics(self) -> Response:
        """What Prometheus reads (text format 0.0.4)."""
        lines = ["# TYPE lamp_agents_messages_total counter"]
        lines += [
            f'lamp_agents_messages_total{{outcome="{code}"}} {count}' for code, count in self.counts.items()
        ]
        lines += [f"lamp_agents_in_flight {self._in_flight}"]
        lines += [f"lamp_agents_{name} {value:g}" for name, value in self._gauges().items()]
        return Response(200, ("\n".join(lines) + "\n").encode(), "text/plain; version=0.0.4")


def _path(scope: Scope) -> list[str]:
    """Return the path's parts; a gateway that took a part of it away says so in a header."""
    path = str(scope["path"]).strip("/").split("/")
    for name, value in scope["headers"]:
        if name == b"x-forwarded-prefix":
            taken = value.decode("latin-1").strip("/").split("/")
            if taken[0] == PREFIX:
                path = [*taken, *path] if path != [""] else taken
    return path


async def _body(scope: Scope, receive: Receive, most: int) -> bytes | None:
    """Read a body; None if the client goes before its end.

    Raises:
        BodyTooLargeError: it is longer than `most` bytes; what follows is not read.
    """
    said = dict(scope["headers"]).get(b"content-length", b"0")
    if said.isdigit() and int(said) > most:
        raise BodyTooLargeError(most)
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise BodyTooLargeError(most)
        if not event.get("more_body", False):
            return b"".join(parts)


async def _write(send: Send, response: Response) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": _headers(response)})
    await send({"type": "http.response.body", "body": response.body})


def _headers(response: Response) -> Iterable[tuple[bytes, bytes]]:
    headers = {"content-type": response.kind, "content-length": str(len(response.body)), **response.headers}
    return [(name.encode(), value.encode()) for name, value in headers.items()]

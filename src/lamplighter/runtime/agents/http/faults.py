"""What an ingress answers: statuses by the code of an error, bodies as JSON."""

import math
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from lamplighter.model.errors import LampError, UserError
from lamplighter.runtime.agents.errors import OverloadedError, UnreachedError


class NotFoundError(UserError):
    """The path leads to no agent; they are reached by POST /agents/{kind}/{id}."""

    code = "no-such-path"


class NotPostError(UserError):
    """An agent was asked by another method than POST."""

    code = "not-post"


class BodyTooLargeError(UserError):
    """The body is larger than the ingress takes; nothing of it was kept."""

    code = "body-too-large"

    def __init__(self, most: int) -> None:
        super().__init__(f"the body has more than {most} bytes", mend="send less, or in several batches")


class BadRequestError(UserError):
    """A header, the id or the form of a batch is not what it should be; the message says which."""

    code = "bad-request"


class AnswerUnreadableError(LampError):
    """The handler's answer cannot be put into JSON. The turn took place."""

    code = "answer-not-json"


STATUSES = {
    "no-such-path": 404,
    "unknown-agent-kind": 404,
    "not-post": 405,
    "bad-request": 400,
    "body-too-large": 413,
    "unknown-message": 422,
    "overloaded": 429,
    "agents-unreached": 503,
    "ask-timeout": 504,
}
"""Whatever is not here is 500: the turn failed, and its code says how."""


@dataclass(frozen=True, slots=True)
class Response:
    """A status and a body."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, value: Any, **headers: str) -> Self:
        """Return a response with a value as JSON; underscores in the headers' names stand for hyphens."""
        named = {name.replace("_", "-"): each for name, each in headers.items()}
        return cls(status, msgspec.json.encode(value), headers=named)

    @classmethod
    def batch(cls, items: list[bytes]) -> Self:
        """Return the results of a batch as a JSON array."""
        return cls(200, b"[" + b",".join(items) + b"]")

    def item(self) -> bytes:
        """Return this as a result in a batch: its status, and its answer or error."""
        name = b"answer" if self.status < 400 else b"error"  # noqa: PLR2004 - where errors begin
        return b'{"status":%d,"%s":%s}' % (self.status, name, self.body)


def answered(packed: bytes, *, accepted: bool) -> Response:
    """Return the answer of a handler as JSON; nothing yet where the message was only accepted.

    Raises:
        AnswerUnreadableError: it cannot be put into JSON.
    """
    if accepted:
        return Response(202, b'{"accepted":true}')
    try:
        return Response(200, msgspec.json.encode(msgspec.msgpack.decode(packed)) if packed else b"null")
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise AnswerUnreadableError(f"the answer cannot be put into JSON: {error}") from error


def failed(error: LampError) -> Response:
    """Return an error as JSON: its code, message and mend, and when to try again."""
    status = STATUSES.get(error.code, 500)
    told = {"code": error.code, "message": error.message, **({"mend": error.mend} if error.mend else {})}
    headers = {}
    if isinstance(error, OverloadedError | UnreachedError):
        headers["retry_after"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, NotPostError):
        headers["allow"] = "POST"
    if isinstance(error, BodyTooLargeError):
        headers["connection"] = "close"
    return Response.json(status, told, **headers)

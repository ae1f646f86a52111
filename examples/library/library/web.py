"""Just enough of the web on plain ASGI: a request, a reply, and a refusal that says what was expected."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

__all__ = ["Receive", "Refused", "Reply", "Request", "Scope", "Send", "encoded"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_BODY_BYTES_MAX = 65_536


class Refused(Exception):  # noqa: N818 - a refusal is the caller's to mend, not an error of the service
    """What was asked cannot be answered; goes out as JSON with `error` and `expected`."""

    def __init__(self, status: int, error: str, expected: str, **headers: str) -> None:
        super().__init__(error)
        self.status, self.error, self.expected, self.headers = status, error, expected, headers

    def reply(self) -> Reply:
        """The refusal as it goes over the wire."""
        return Reply.json({"error": self.error, "expected": self.expected}, self.status, **self.headers)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: status, body and headers (names in lower case)."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, status: int = 200, **headers: str) -> Reply:
        """A JSON answer; header names are written with underscores."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        body = json.dumps(value, ensure_ascii=False).encode() + b"\n"
        return cls(status, body, {"content-type": "application/json", **named})

    async def send(self, send: Send) -> None:
        """Send head and body."""
        headers = {"content-length": str(len(self.body)), **self.headers}
        await send({"type": "http.response.start", "status": self.status, "headers": encoded(headers)})
        await send({"type": "http.response.body", "body": self.body})


@dataclass(frozen=True, slots=True)
class Request:
    """A request's scope and channel, with typed access to what it asks."""

    scope: Scope
    receive: Receive

    @property
    def path(self) -> str:
        """The path below the prefix that the service is mounted at."""
        path: str = self.scope["path"]
        return path.removeprefix(self.scope.get("root_path", "")) or "/"

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return str(self.scope["method"])

    def header(self, name: str) -> str | None:
        """The first header of that (lower-case) name."""
        wanted = name.encode()
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == wanted), None)

    def text(self, name: str, longest: int, example: str) -> str:
        """A query parameter that must say something.

        Raises:
            Refused: 400, it is missing, empty, too long or no UTF-8.
        """
        value = (self._query().get(name) or [""])[0].strip()
        if not 1 <= len(value) <= longest:
            was = f"{len(value)} characters long" if value else "missing"
            expected = f"{name}: 1 to {longest} characters, as in {example}"
            raise Refused(400, f"{name} is {was}", expected)
        return value

    def number(self, name: str, default: float, lowest: float, highest: float) -> float:
        """A query parameter that is a number in a range, or its default.

        Raises:
            Refused: 400, it is no number or out of range.
        """
        text = (self._query().get(name) or [str(default)])[0]
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not lowest <= value <= highest:
            raise Refused(400, f"{name} is {text[:40]!r}", f"{name}: a number from {lowest:g} to {highest:g}")
        return value

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            Refused: 413, it is longer than 64 KiB; 400, the caller left before its end.
        """
        read = bytearray()
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, "the body was cut", "a whole body")
            read += message.get("body", b"")
            if len(read) > _BODY_BYTES_MAX:
                raise Refused(413, "the body is too long", f"at most {_BODY_BYTES_MAX} bytes")
            if not message.get("more_body"):
                return bytes(read)

    def _query(self) -> dict[str, list[str]]:
        try:
            query = self.scope["query_string"].decode("ascii")
            return parse_qs(query, keep_blank_values=True, errors="strict", max_num_fields=50)
        except ValueError as wrong:
            expected = "name=value pairs joined by &, percent-encoded UTF-8"
            raise Refused(400, "the query cannot be read", expected) from wrong


def encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI wants them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

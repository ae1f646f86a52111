"""A small client of the maintainer's API, for the command line: synchronous, and quick to import.

Speaks HTTP/1.0 over the unix socket: one request a connection, and the answer ends where the stream does.
Values are decoded only by those methods that return them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from lamplighter.app.views import Explanation, Status
    from lamplighter.model.intents import Answer, Intent
    from lamplighter.ports import LedgerEntry, LogLine

T = TypeVar("T")

SOCKET = "maintainer.sock"
CHUNK = 65_536


class Response(NamedTuple):
    """What the maintainer answered: the status and the body as it came."""

    status: int
    body: bytes


class Client:
    """Talks to the maintainer of one system."""

    def __init__(self, state: Path, *, timeout_s: float = 10.0) -> None:
        """Use the socket in a system's state folder; connects at each request.

        Args:
            state: the system's own state folder.
            timeout_s: how long to wait for each part of an answer.
        """
        self._path = state / SOCKET
        self._timeout_s = timeout_s

    def running(self) -> bool:
        """Return whether a maintainer accepts connections."""
        from lamplighter.app.sockets import connected  # noqa: PLC0415 - the socket module takes 10 ms

        try:
            connected(self._path, self._timeout_s).close()
        except OSError:
            return False
        return True

    def answers(self, timeout_s: float) -> bool | None:
        """Return whether the maintainer answers something small in time, None if none listens."""
        from lamplighter.model.errors import UnreachableError  # noqa: PLC0415

        try:
            self.request("GET", "/v1/ledger?limit=1", timeout_s=timeout_s)
        except UnreachableError as error:
            return None if error.code == "no-maintainer" else False
        return True

    def request(self, method: str, path: str, body: bytes = b"", *, timeout_s: float = 0.0) -> Response:
        """Make one request and return the whole answer, whatever its status.

        Raises:
            UnreachableError: no maintainer listens (`no-maintainer`), or it did not answer in time.
        """
        with self._asked(method, path, body, timeout_s or self._timeout_s) as stream:
            status, rest = self._head(stream)
            return Response(status, rest + b"".join(self._chunks(stream)))

    def lines(self, path: str, *, timeout_s: float = 60.0) -> Iterator[bytes]:
        """Yield the lines of an answer that may never end (logs, events).

        Raises:
            LampError: the maintainer refused, or is not there.
        """
        with self._asked("GET", path, b"", timeout_s) as stream:
            status, rest = self._head(stream)
            if status >= 400:  # noqa: PLR2004 - HTTP
                _raise_for(Response(status, rest + b"".join(self._chunks(stream))))
            *whole, rest = rest.split(b"\n")
            yield from whole
            for chunk in self._chunks(stream):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
            if rest:
                yield rest

    def submit(self, intent: Intent, *, wait_s: float = 30.0) -> Answer:
        """Submit an intent and wait for what became of it. Safe to repeat with the same id.

        Raises:
            UserError: the intent is malformed, or the loop has not answered within `wait_s` (`not-yet`).
            UnreachableError: there is no maintainer.
        """
        import msgspec  # noqa: PLC0415 - so that importing this module stays quick

        from lamplighter.model.errors import UnreachableError  # noqa: PLC0415
        from lamplighter.model.intents import Answer  # noqa: PLC0415

        body = msgspec.json.encode(intent)
        response = self.request("POST", f"/v1/intents?wait_s={wait_s:g}", body, timeout_s=wait_s + 5)
        plain = msgspec.json.decode(_raise_for(response))
        if plain.get("answer") is None:
            raise UnreachableError(f"the loop has not answered within {wait_s:g} s", code="not-yet")
        return msgspec.convert(plain["answer"], type=Answer)

    def status(self) -> Status:
        """Return the system as the maintainer sees it. Raises UnreachableError if there is none."""
        from lamplighter.app.views import Status  # noqa: PLC0415

        return self._decoded("/v1/status", Status)

    def explanation(self, action: str) -> Explanation:
        """Return all that is known of an action. Raises UserError if nothing is (`unknown-action`)."""
        from lamplighter.app.views import Explanation  # noqa: PLC0415

        return self._decoded(f"/v1/actions/{action}", Explanation)

    def entries(self, *, since: int = 0) -> Iterator[LedgerEntry]:
        """Yield the ledger's entries from a number on, to the newest."""
        from lamplighter.app.views import Entries  # noqa: PLC0415

        following: int | None = since
        while following is not None:
            page = self._decoded(f"/v1/ledger?since={following}", Entries)
            yield from page.entries
            following = page.following

    def logs(self, workload: str, *, follow: bool = False, tail: int = 100) -> Iterator[LogLine]:
        """Yield what a workload's replicas wrote; does not end while `follow`."""
        import msgspec  # noqa: PLC0415

        from lamplighter.ports import LogLine  # noqa: PLC0415

        path = f"/v1/logs/{workload}?tail={tail}&follow={str(follow).lower()}"
        for line in self.lines(path):
            if line:
                yield msgspec.json.decode(line, type=LogLine)

    def _decoded(self, path: str, kind: type[T]) -> T:
        import msgspec  # noqa: PLC0415

        return msgspec.json.decode(_raise_for(self.request("GET", path)), type=kind)

    def _asked(self, method: str, path: str, body: bytes, timeout_s: float) -> socket.socket:
        from lamplighter.app.sockets import connected  # noqa: PLC0415

        head = f"{method} {path} HTTP/1.0\r\nHost: maintainer\r\nContent-Type: application/json\r\n"
        try:
            stream = connected(self._path, timeout_s)
            stream.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        except OSError as error:
            from lamplighter.model.errors import UnreachableError  # noqa: PLC0415

            if isinstance(error, TimeoutError | BlockingIOError):  # somebody listens, and takes nobody in
                raise UnreachableError("the maintainer did not answer in time", code="no-answer") from error
            raise UnreachableError(
                f"no maintainer runs for this system ({error.strerror or error})",
                code="no-maintainer",
                mend="start one with `lamp up`",
            ) from error
        return stream

    def _head(self, stream: socket.socket) -> tuple[int, bytes]:
        """Return the status and what of the body has come along with it."""
        raw = b""
        for chunk in self._chunks(stream):
            raw += chunk
            head, found, rest = raw.partition(b"\r\n\r\n")
            if found:
                return int(head.split(b" ", 2)[1]), rest
        from lamplighter.model.errors import UnreachableError  # noqa: PLC0415

        raise UnreachableError("the maintainer closed the connection without an answer", code="no-answer")

    def _chunks(self, stream: socket.socket) -> Iterator[bytes]:
        try:
            while chunk := stream.recv(CHUNK):
                yield chunk
        except OSError as error:
            from lamplighter.model.errors import UnreachableError  # noqa: PLC0415

            raise UnreachableError("the maintainer did not answer in time", code="no-answer") from error


def _raise_for(response: Response) -> bytes:
    """Return the body of a good answer; raise what a bad one tells, as the error it was there."""
    if response.status < 400:  # noqa: PLR2004 - HTTP
        return response.body
    import msgspec  # noqa: PLC0415

    from lamplighter.model import errors  # noqa: PLC0415

    told = msgspec.json.decode(response.body)
    fault = told["faults"][0]
    tree = (errors.ConflictError, errors.EnvironmentFault, errors.HeldError, errors.OwnedError)
    kinds = {each.exit_code: each for each in (errors.UserError, *tree, errors.BackendError)}
    kind = kinds.get(told.get("exit_code", 1), errors.LampError)
    raise kind(fault["message"], code=fault["code"], mend=fault.get("mend", ""))

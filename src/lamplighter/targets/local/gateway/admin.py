"""Talking to Envoy's administration interface over its unix socket, each call under a deadline."""

import contextlib
import http.client
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from .bootstrap import ADMIN_SOCKET

__all__ = ["GatewayUnavailableError", "Session", "session"]

_WORDS_MAX = 200


class GatewayUnavailableError(Exception):
    """The gateway's admin socket gave no answer; what it counts is unknown. Retry later."""


class Session:
    """One connection to the admin interface; made by `session`."""

    def __init__(self, connection: http.client.HTTPConnection, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def get(self, path: str) -> bytes:
        """The body of a GET.

        Raises:
            GatewayUnavailableError: no or no good answer before the deadline.
        """
        return self._request("GET", path)

    def post(self, path: str) -> bytes:
        """The body of a POST, which in this interface is what changes something.

        Raises:
            GatewayUnavailableError: as for `get`.
        """
        return self._request("POST", path)

    def _request(self, method: str, path: str) -> bytes:
        left = self._deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError("deadline passed")
            if self._connection.sock is not None:
                self._connection.sock.settimeout(left)
            self._connection.request(method, path)
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise GatewayUnavailableError(f"{method} {path}: {_words(error)}") from error
        if answer.status != http.HTTPStatus.OK:
            raise GatewayUnavailableError(f"{method} {path}: status {answer.status}")
        return body


@contextlib.contextmanager
def session(folder: Path, deadline_s: float) -> Iterator[Session]:
    """A connection to the gateway that runs in `folder`.

    The folder's path may be longer than a socket's may (108 bytes): it is opened, and the socket is
    reached through the descriptor.

    Args:
        folder: the gateway's folder.
        deadline_s: for everything that is done within.

    Raises:
        GatewayUnavailableError: nobody listens there.
    """
    deadline = time.monotonic() + deadline_s
    with contextlib.ExitStack() as closing:
        try:
            descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            closing.callback(os.close, descriptor)
            reached = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            closing.callback(reached.close)
            reached.settimeout(deadline_s)
            reached.connect(f"/proc/self/fd/{descriptor}/{ADMIN_SOCKET}")
        except OSError as error:
            raise GatewayUnavailableError(f"no gateway answers in {folder}: {error.strerror}") from error
        connection = http.client.HTTPConnection("gateway")
        connection.sock = reached
        yield Session(connection, deadline)


def _words(error: Exception) -> str:
    """Return what went wrong, fit to be shown: whatever answered may have sent anything."""
    return str(error).encode("unicode_escape").decode()[:_WORDS_MAX] or type(error).__name__

"""Which errors of a call mean that its dependency is in trouble, and may go away by themselves. Pure.

What is no such error is an answer: a missing page or a wrong argument says that the dependency works.
"""

from collections.abc import Callable
from typing import NamedTuple

from lamplighter.runtime.resilience.errors import CallError, DeadlineExceededError

TRANSIENT_STATUS = frozenset({429, 502, 503, 504})
FAILED_STATUS_MIN = 500
_GRPC_TRANSIENT = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "DEADLINE_EXCEEDED"})
_NAMES = frozenset({
    "TransportError",         # httpx, httpcore, elastic
    "ClientConnectionError",  # aiohttp
    "ConnectionError",        # redis, requests
    "HTTPException",          # http.client, cut answers
})  # fmt: skip


def transient(error: BaseException) -> bool:
    """Whether another try may help: no connection, no answer in time, 429, 502, 503, 504.

    By what the error is, or what an HTTP or gRPC client's error carries; clients are not imported for it.
    """
    status = status_of(error)
    if status is not None:
        return status in TRANSIENT_STATUS
    if isinstance(error, OSError | EOFError | TimeoutError):
        return not isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError)
    code = getattr(error, "code", None)
    if callable(code) and getattr(error, "details", None) is not None:
        return getattr(code(), "name", "") in _GRPC_TRANSIENT
    return any(each.__name__ in _NAMES for each in type(error).__mro__)


def failed(error: BaseException) -> bool:
    """Whether the breaker counts it: what is transient, and other statuses of the server's fault."""
    status = status_of(error)
    return transient(error) or (status is not None and status >= FAILED_STATUS_MIN)


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an error of httpx, requests, aiohttp or urllib carries."""
    response = getattr(error, "response", None)
    for holder, name in ((response, "status_code"), (error, "status"), (error, "code")):
        value = getattr(holder, name, None)
        if isinstance(value, int) and 100 <= value <= 599:  # noqa: PLR2004 - statuses of HTTP
            return value
    return None


class Rules(NamedTuple):
    """How the errors of one function are judged.

    Args:
        judge: whether an error means trouble that another try may help; None: `transient` and `failed`.
        repeatable: whether a second try does no harm.
    """

    judge: Callable[[BaseException], bool] | None = None
    repeatable: bool = True

    def failed(self, error: BaseException) -> bool:
        """Whether the error counts as a failure; a policy's own refusals within do not, its deadlines do."""
        if isinstance(error, CallError):
            return isinstance(error, DeadlineExceededError)
        return (self.judge or failed)(error)

    def again(self, error: BaseException) -> bool:
        """Whether another try may be made."""
        if not self.repeatable:
            return False
        if isinstance(error, CallError):
            return isinstance(error, DeadlineExceededError)
        return (self.judge or transient)(error)

"""Deadlines that travel with a request: in a context variable here, in a header between processes.

What travels is the time left, not a time of day: clocks of two machines differ (gRPC does the same, see its
"Deadlines" guide and `grpc-timeout` in "gRPC over HTTP2"). A deadline can be made nearer, never farther.
"""

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil
from time import monotonic

HEADER = "x-lamp-deadline-ms"
GRPC_HEADER = "grpc-timeout"
MILLISECONDS_MAX = 86_400_000
"""A day: what is longer is taken for that."""

Clock = Callable[[], float]

DEADLINE: ContextVar[float | None] = ContextVar("lamp_deadline", default=None)
"""When the work of this context must be done, by the monotonic clock; None: no limit."""

_GRPC = re.compile(r"([0-9]{1,8})([HMSmun])")
_GRPC_UNITS_S = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_MILLISECONDS = re.compile(r"[0-9]{1,12}")


@contextmanager
def deadline(seconds: float, clock: Clock = monotonic) -> Iterator[None]:
    """All calls within have `seconds` from now, or what an outer deadline leaves.

    It bounds calls that go through a policy; it does not interrupt the block itself.
    """
    until = clock() + seconds
    outer = DEADLINE.get()
    token = DEADLINE.set(until if outer is None else min(outer, until))
    try:
        yield
    finally:
        DEADLINE.reset(token)


def remaining(clock: Clock = monotonic) -> float | None:
    """Return the seconds that this context has left, never below 0; None when there is no limit."""
    until = DEADLINE.get()
    return None if until is None else max(0.0, until - clock())


def carry(headers: MutableMapping[str, str], clock: Clock = monotonic, *, grpc: bool = False) -> None:
    """Put the time left into the headers of a request that is about to be sent; nothing without a limit.

    Args:
        headers: changed in place. A nearer deadline that is there already stands.
        clock: by which the deadline was set.
        grpc: write `grpc-timeout` too.
    """
    left = remaining(clock)
    if left is None:
        return
    given = received(headers)
    left = left if given is None else min(left, given)
    headers[HEADER] = str(ceil(left * 1000))
    if grpc:
        headers[GRPC_HEADER] = grpc_timeout(left)


def received(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a request's headers leave; the nearer of both; None without a readable one.

    Args:
        headers: names in lower case. What is malformed counts as absent: a stranger's header must not fail
            a request.
    """
    found = [
        each
        for each in (_milliseconds(headers.get(HEADER, "")), _of_grpc(headers.get(GRPC_HEADER, "")))
        if each is not None
    ]
    return min(found) if found else None


def grpc_timeout(seconds: float) -> str:
    """Return `seconds` as gRPC writes it: at most eight digits and a unit, rounded up, so never 0 early."""
    for unit, size in (("u", 1e-6), ("m", 1e-3), ("S", 1.0)):
        amount = ceil(max(0.0, seconds) / size)
        if amount < 100_000_000:  # noqa: PLR2004 - eight digits, by the specification
            return f"{amount}{unit}"
    return "99999999S"


def _milliseconds(text: str) -> float | None:
    return min(int(text), MILLISECONDS_MAX) / 1000 if _MILLISECONDS.fullmatch(text) else None


def _of_grpc(text: str) -> float | None:
    match = _GRPC.fullmatch(text)
    if match is None:
        return None
    return min(int(match[1]) * _GRPC_UNITS_S[match[2]], MILLISECONDS_MAX / 1000)

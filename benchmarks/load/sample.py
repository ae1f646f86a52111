"""One request's story and its fate: the rules by which a request counts as failed, cut or fine.

Pure; everything else in this package only collects what is judged here. Moments are monotonic seconds of
this machine, the same in every process on it, so that a driver can lay them beside its own.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from benchmarks.load.traffic import Kind

NORMAL_CLOSES = frozenset({1000, 1001, 1012, 1013})
"""Codes by which a server ends a WebSocket on purpose: done, away, restart, try later (RFC 6455)."""
ENDLESS = frozenset({Kind.STREAM, Kind.WEBSOCKET})
"""Kinds that last as long as they were asked to; only the beginning can be late."""


class Fate(StrEnum):
    """What became of a request; the first four have failed, the last four have not."""

    CONNECT_ERROR = "connect-error"
    NO_HEADERS = "no-headers"
    SERVER_ERROR = "server-error"
    SLOW = "slow"
    CUT = "cut"  # ended after its headers without a proper end
    CLOSED = "closed"  # a WebSocket the server ended early, with a proper code
    REJECTED = "rejected"  # 4xx: the server said no
    OK = "ok"

    @property
    def failed(self) -> bool:
        """Whether it counts as failed; `cut` is counted apart."""
        return self in FAILED


FAILED = frozenset({Fate.CONNECT_ERROR, Fate.NO_HEADERS, Fate.SERVER_ERROR, Fate.SLOW})


@dataclass(frozen=True, slots=True)
class Seen:
    """What was observed of one request, before it is judged.

    Args:
        waited_s: from the moment it was due until its headers came; None if none came.
        took_s: from the moment it was due until it ended, however it ended.
        status: of the answer; 101 for an open WebSocket.
        whole: it ended as its protocol says an answer ends.
        why: how it ended, where it did not end well.
        connected: the request could be sent.
        close_code: of a WebSocket; None if no close frame came.
        closed_by: `server` or `client`, whoever closed first.
        gap_s: the longest silence: between chunks, or between an echo and its answer.
    """

    kind: Kind
    took_s: float
    waited_s: float | None = None
    status: int = 0
    whole: bool = False
    why: str = ""
    connected: bool = True
    close_code: int | None = None
    closed_by: str = ""
    gap_s: float = 0.0


def judge(seen: Seen, slow_s: float) -> tuple[Fate, str]:
    """The fate of a request and, unless it is fine, why.

    1. Not connected, or no headers: failed.
    2. A 5xx, or headers later than `slow_s` after it was due: failed.
    3. No proper end: cut.
    4. The whole answer later than `slow_s`, for kinds that end by themselves: failed.
    5. A 4xx is a refusal, not a failure.
    6. A WebSocket: an internal error (1011) or an echo later than `slow_s` has failed, a close by the server
       is told apart.
    """
    if not seen.connected:
        return Fate.CONNECT_ERROR, seen.why
    if seen.waited_s is None:
        return Fate.NO_HEADERS, seen.why
    if seen.status >= 500:
        return Fate.SERVER_ERROR, f"status {seen.status}"
    if seen.waited_s > slow_s:
        return Fate.SLOW, f"headers after {seen.waited_s:.2f} s"
    if seen.status >= 400:
        return Fate.REJECTED, f"status {seen.status}"
    if seen.kind is Kind.WEBSOCKET:
        return _judge_websocket(seen, slow_s)
    if not seen.whole:
        late = seen.kind not in ENDLESS and seen.why.startswith(GAVE_UP)
        return (Fate.SLOW if late else Fate.CUT), seen.why
    if seen.kind not in ENDLESS and seen.took_s > slow_s:
        return Fate.SLOW, f"complete after {seen.took_s:.2f} s"
    return Fate.OK, ""


GAVE_UP = "gave up"
"""How the reason of an abandoned request begins: nothing cut it, it was late."""


def _judge_websocket(seen: Seen, slow_s: float) -> tuple[Fate, str]:
    if seen.gap_s > slow_s:
        return Fate.SLOW, f"an echo took {seen.gap_s:.2f} s"
    if seen.close_code is None:
        return Fate.CUT, seen.why or "no close frame"
    if seen.closed_by == "client":
        return Fate.OK, ""
    if seen.close_code in NORMAL_CLOSES:
        return Fate.CLOSED, f"closed by the server with {seen.close_code}"
    return Fate.SERVER_ERROR, f"closed by the server with {seen.close_code}"


class Sample(msgspec.Struct, kw_only=True, omit_defaults=True, tag="sample"):
    """The record of one request.

    Args:
        n: its number in the run, from 0.
        scheduled_at: monotonic seconds at which it was due.
        late_s: how much later it was really sent: the generator's own lag.
        latency_s: from `scheduled_at` to the whole answer; to the headers for streams and WebSockets.
        took_s: from `scheduled_at` to the end, however it ended.
        reason: the gateway's `x-lamp-reason`.
        replica, pid: the app's `x-replica` and `x-pid`.
        reused: it went over a connection that had carried another before.
        count: bytes of a body, echoes of a WebSocket.
    """

    n: int
    kind: Kind
    scheduled_at: float
    late_s: float
    latency_s: float
    took_s: float
    fate: Fate
    why: str = ""
    status: int = 0
    reason: str = ""
    replica: str = ""
    pid: int = 0
    reused: bool = False
    count: int = 0
    gap_s: float = 0.0
    close_code: int | None = None
    closed_by: str = ""

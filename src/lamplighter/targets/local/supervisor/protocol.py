"""What is said over the supervisor's socket: length-prefixed JSON, one reply to each request.

A request that changes anything carries the maintainer's fencing token and the action's id; an older
token is refused as `fenced`, and an action id that was carried out gets the same reply again.
Times are CLOCK_MONOTONIC seconds of this machine; the caller converts them.
"""

from typing import Literal, Protocol

import msgspec

from lamplighter.targets.local.gateway.table import Table

FRAME_BYTES_MAX = 16 << 20
"""A frame beyond this is refused: the largest real one holds some hundred environments."""

_LENGTH_BYTES = 4


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """One replica to start. `env` is the whole environment; it may hold secrets and is never kept."""

    id: str
    workload: str
    release: str
    port: int
    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One replica to drain and end: at the latest `drain_s` from now it is told to end."""

    id: str
    drain_s: float = 30.0


class Observe(msgspec.Struct, frozen=True, tag="observe"):
    """Asks for everything that the supervisor knows."""


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """Turns the connection into a stream of `Hint`."""


class Reserve(msgspec.Struct, frozen=True, tag="reserve"):
    """Asks for a free port for each replica id; the same id gets the same port."""

    ids: tuple[str, ...]


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """Sets the gateway's listeners, routes and backends (without endpoints). `digest` names the set."""

    digest: str
    table: Table


class Ensure(msgspec.Struct, frozen=True, tag="ensure"):
    """Has these replicas started, then those stopped. An id that is known is not started again."""

    starts: tuple[Start, ...] = ()
    stops: tuple[Stop, ...] = ()


class Shift(msgspec.Struct, frozen=True, tag="shift"):
    """Sets the share of a workload's requests that each of its releases gets."""

    workload: str
    shares: dict[str, float]


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """Drops the records of replicas that are gone; those that are not stay."""

    ids: tuple[str, ...]


class Dismantle(msgspec.Struct, frozen=True, tag="dismantle"):
    """Ends every replica (SIGTERM, `grace_s` later SIGKILL), then the gateway, then the supervisor."""

    grace_s: float = 5.0


Op = Observe | Watch | Reserve | Configure | Ensure | Shift | Forget | Dismantle


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request. Reads need neither token nor action id."""

    op: Op
    token: int = 0
    action_id: str = ""


Phase = Literal["intended", "running", "draining", "ending", "exited"]


class SeenReplica(msgspec.Struct, frozen=True, kw_only=True):
    """A replica as the supervisor knows it. `exited` is proven; how it ended may not be known."""

    id: str
    workload: str
    release: str
    phase: Phase
    port: int
    started_at: float
    pid: int | None = None
    draining_since: float | None = None
    exited_at: float | None = None
    code: int | None = None
    signal: int | None = None
    cause: str = ""


class SeenGateway(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's process; `pid` is None while it is down. `restarts` counts respawns."""

    port: int = 0
    internal_port: int = 0
    pid: int | None = None
    since: float = 0.0
    restarts: int = 0
    fault: str = ""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """All that the supervisor knows. `faults` are its own troubles, such as a full disk.

    `mark` is of the installation that it runs from, `form` the number of the form that its state is
    kept in; a supervisor of version 0.1.0 gives neither. `held` counts by service the
    requests that wait while none of its replicas can serve.
    """

    now: float
    pid: int
    token: int
    configured: str = ""
    replicas: tuple[SeenReplica, ...] = ()
    gateway: SeenGateway = SeenGateway()
    shares: dict[str, dict[str, float]] = {}
    faults: tuple[str, ...] = ()
    dismantling: bool = False
    mark: str = ""
    form: int = 1
    held: dict[str, int] = {}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: done, accepted (under way) or refused, with a code and why."""

    state: Literal["done", "accepted", "refused"]
    code: str = ""
    detail: str = ""
    observed: Observed | None = None
    ports: dict[str, int] = {}


class Hint(msgspec.Struct, frozen=True):
    """Something changed about `subject` (a replica's id, a service whose requests wait, or `gateway`)."""

    subject: str


def frame(message: msgspec.Struct) -> bytes:
    """Return a message as it goes over the wire."""
    body = msgspec.json.encode(message)
    assert len(body) <= FRAME_BYTES_MAX, "a frame this large is a mistake of ours"
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Reads(Protocol):
    """What frames are read from: a stream's reader, or a plain socket's."""

    async def readexactly(self, n: int, /) -> bytes:
        """Return the next `n` bytes, or raise IncompleteReadError."""
        ...


async def read_frame(reader: Reads) -> bytes:
    """Return the next frame's body.

    Raises:
        asyncio.IncompleteReadError: the other side closed the connection.
        ValueError: the frame is larger than FRAME_BYTES_MAX.
    """
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
    if length > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {length} bytes is larger than {FRAME_BYTES_MAX}")
    return await reader.readexactly(length)

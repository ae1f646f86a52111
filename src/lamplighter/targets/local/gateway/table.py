"""What the gateway should do, as values: who listens where, and which replicas answer.

The supervisor builds a `Table` from its replicas and hands it to `render`; nothing here knows of
Envoy, files or processes. A value that could never be served is refused when it is made.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

__all__ = ["Backend", "Check", "Endpoint", "Protocol", "Route", "Table", "split"]

Protocol = Literal["http1", "http2", "grpc"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PREFIX = re.compile(r"/|(/[^/?#\s]+)+")
_PARTS_OF_A_SHARE = 10_000
_MOST_WEIGHT = 1_000_000


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """How a replica is asked whether it can serve.

    The defaults take a hung replica out after at most 2.5 s (twice `interval_s + timeout_s`), and
    see a new one within 0.05 s of its first good answer.

    Args:
        path: asked with GET, good is 200 to 399; None: a TCP connection that is accepted is good.
        grpc: the service asked for by the gRPC health protocol instead, empty for the server as a whole;
            None: not asked so.
        interval_s: between two checks of a replica that is in rotation.
        timeout_s: an answer later than this is a failure.
        failures: this many in a row take a replica out; one wrong status does at once.
        starting_interval_s: between two checks of a replica that is not (yet) in rotation.
    """

    path: str | None = None
    grpc: str | None = None
    interval_s: float = 0.5
    timeout_s: float = 0.75
    failures: int = 2
    starting_interval_s: float = 0.05

    def __post_init__(self) -> None:
        if self.path is not None and not self.path.startswith("/"):
            raise ValueError(f"health path {self.path!r} must start with '/'")


class Endpoint(msgspec.Struct, frozen=True):
    """One replica's address.

    Args:
        id: the replica, unique in its backend; statistics are reported under it.
        port: TCP port on `host`.
        host: an IP address, never a name: the gateway resolves nothing.
        weight: share of new requests relative to the other endpoints' weights, 1 to 1,000,000.
        draining: gets no new request; those in flight go on and stay counted.
        release: which release it runs; carried along as metadata.
    """

    id: str
    port: int
    host: str = "127.0.0.1"
    weight: int = 1
    draining: bool = False
    release: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65_535:  # noqa: PLR2004 - the range of TCP ports
            raise ValueError(f"endpoint {self.id!r}: port {self.port} is not in 1..65535")
        if not 1 <= self.weight <= _MOST_WEIGHT:
            raise ValueError(f"endpoint {self.id!r}: weight {self.weight} is not in 1..{_MOST_WEIGHT}")


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """One service: its replicas of every release, and how they are to be treated.

    Args:
        name: letters, digits, `-` and `_`; names the internal path `/<name>/` and the statistics.
        endpoints: all replicas, those that start and those that drain among them.
        check: how health is asked.
        timeout_s: per try, until the response's headers; the body may stream as long as it likes.
            With retries a request can wait `(1 + retries)` times as long. None: no limit (the
            client's own patience, or the replica's death, ends the wait).
        stream_idle_s: a request, stream or WebSocket on which nothing moves this long is ended.
        retries: tries after the first, each on a replica not tried yet; 0 turns retries off.
        max_in_flight: requests of the whole service at one time; more get 503. None: no limit.
        protocol: what its replicas speak; clients may speak any of them. gRPC is HTTP/2 whose status
            stands in trailers.
        wait_s: while no replica can serve, requests wait at most so long; None: they are refused.
        held: they are made to wait now.
        policy: how callers are to protect their calls, as JSON for their environment.
    """

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    check: Check = Check()
    timeout_s: float | None = None
    stream_idle_s: float = 3600.0
    retries: int = 2
    max_in_flight: int | None = None
    protocol: Protocol = "http1"
    wait_s: float | None = None
    held: bool = False
    policy: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"backend name {self.name!r} must be letters, digits, '-' and '_'")
        _refuse_twice(f"backend {self.name}: id", (e.id for e in self.endpoints))
        _refuse_twice(f"backend {self.name}: address", (f"{e.host}:{e.port}" for e in self.endpoints))


class Route(msgspec.Struct, frozen=True):
    """A path prefix of the public port and the backend behind it; the prefix is stripped.

    Args:
        prefix: `/` or `/some/path`, no trailing slash; `/search` does not match `/searching`.
        backend: name of a backend in the same table.
    """

    prefix: str
    backend: str

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"route prefix {self.prefix!r} must be '/' or '/some/path'")


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """All the gateway does.

    Args:
        host: IP address of the public listener.
        port: its TCP port.
        internal_port: on 127.0.0.1, where every backend answers under `/<name>/`; None: not at all.
        backends: the services.
        routes: what the public port serves of them.
        connections_max: clients that may be connected at one time; more are turned away unheard.
    """

    host: str = "127.0.0.1"
    port: int
    internal_port: int | None = None
    backends: tuple[Backend, ...] = ()
    routes: tuple[Route, ...] = ()
    connections_max: int = 50_000

    def __post_init__(self) -> None:
        names = [backend.name for backend in self.backends]
        _refuse_twice("backend", names)
        _refuse_twice("route", (route.prefix for route in self.routes))
        if unknown := {route.backend for route in self.routes} - set(names):
            raise ValueError(f"routes lead to unknown backends: {', '.join(sorted(unknown))}")


def split(endpoints: Iterable[Endpoint], shares: Mapping[str, float]) -> tuple[Endpoint, ...]:
    """The same endpoints, weighted so that each release gets its share of new requests.

    A release's share is divided evenly among its endpoints that do not drain, so five percent stay
    five percent however many replicas run it. A release not named, or with share 0, is left at the
    least weight there is; drain it if it must get nothing.

    Args:
        endpoints: of one backend.
        shares: by release, any positive numbers; only their ratio counts.
    """
    endpoints = tuple(endpoints)
    serving = Counter(endpoint.release for endpoint in endpoints if not endpoint.draining)
    whole = sum(share for release, share in shares.items() if serving[release]) or 1.0

    def weight(endpoint: Endpoint) -> int:
        among = max(1, serving[endpoint.release])
        return max(1, round(_PARTS_OF_A_SHARE * shares.get(endpoint.release, 0) / whole / among))

    return tuple(msgspec.structs.replace(endpoint, weight=weight(endpoint)) for endpoint in endpoints)


def _refuse_twice(what: str, keys: Iterable[str]) -> None:
    if twice := [key for key, times in Counter(keys).items() if times > 1]:
        raise ValueError(f"{what} {twice[0]!r} is there twice")

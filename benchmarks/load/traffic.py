"""What to send: where, how often, which kinds, and when an answer counts as late.

Read by the generator; written by a driver or by the command line. It crosses the process border as JSON.
"""

from collections.abc import Iterator
from enum import StrEnum
from random import Random
from urllib.parse import urlsplit

import msgspec

from benchmarks.load.profile import Spacing, Stage


class Kind(StrEnum):
    """The kinds of request, by what may be done with them when something breaks."""

    GET = "get"
    POST_KEYED = "post-key"
    POST = "post"
    STREAM = "stream"
    WEBSOCKET = "websocket"


PATHS = {
    Kind.GET: "/work",
    Kind.POST_KEYED: "/work",
    Kind.POST: "/work",
    Kind.STREAM: "/stream?seconds={seconds}",
    Kind.WEBSOCKET: "/ws",
}


class Traffic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of the generator, whole; the same value gives the same requests at the same offsets.

    Args:
        url: scheme `http`, host and port; a path is put before every request's own.
        stages: the rate over time.
        mix: weight of each kind, any scale.
        paths: overrides of `PATHS`; `{n}` becomes the request's number, `{seconds}` the stream's length.
        spacing: `poisson` (independent users) or `constant`.
        name: with `seed` the first part of every request's id, and so of its idempotency key.
        slow_s: later than this, headers (of any kind) or the whole answer (of those that end) have failed.
        give_up_s: a request is abandoned this long after it was due, or after a stream's own length.
        stream_s, websocket_s: how long a stream is asked for and a WebSocket is held.
        stream_end: what a stream's last bytes must contain to be whole; empty takes any proper end.
        idle_s: a connection unused for longer is not used again; below the servers' 5 s, to not race them.
        connections_max: more at once are not opened; a run that would need more is not valid.
        headers: sent with every request.
        failures_max: how many failures, and as many cuts, the report lists.
    """

    url: str
    stages: tuple[Stage, ...]
    mix: dict[Kind, float] = msgspec.field(default_factory=lambda: {Kind.GET: 1.0})
    paths: dict[Kind, str] = {}
    spacing: Spacing = "poisson"
    seed: int = 1
    name: str = "load"
    slow_s: float = 2.0
    give_up_s: float = 10.0
    stream_s: float = 20.0
    websocket_s: float = 20.0
    stream_end: str = "event: end"
    idle_s: float = 4.0
    connections_max: int = 4000
    headers: dict[str, str] = {}
    failures_max: int = 50

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"url must be http://HOST[:PORT][/PATH], not {self.url!r}")
        if not self.stages:
            raise ValueError("stages must name at least one stage")
        if not self.mix or min(self.mix.values()) < 0 or sum(self.mix.values()) <= 0:
            raise ValueError("mix needs at least one kind with a weight above 0, and none below 0")

    @property
    def host(self) -> str:
        """The host's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port, 80 unless the url names one."""
        return urlsplit(self.url).port or 80

    def path(self, kind: Kind, n: int) -> str:
        """The path and query of request `n`."""
        template = self.paths.get(kind, PATHS[kind])
        own = template.replace("{n}", str(n)).replace("{seconds}", f"{self.stream_s:g}")
        return urlsplit(self.url).path.rstrip("/") + own

    def identity(self, n: int) -> str:
        """The id of request `n`, sent as `x-load-id` and, where the kind has one, as its idempotency key."""
        return f"{self.name}-{self.seed}-{n}"

    def kinds(self) -> Iterator[Kind]:
        """The kind of each request in turn, without end; drawn apart from the arrivals."""
        draw = Random(f"kinds:{self.seed}")
        names, weights = list(self.mix), list(self.mix.values())
        while True:
            yield from draw.choices(names, weights, k=256)


def parse_mix(text: str) -> dict[Kind, float]:
    """Read `KIND=WEIGHT[,KIND=WEIGHT]`; the weight is 1 when left out.

    Raises:
        ValueError: an unknown kind, or a weight that is no number; says which.
    """
    mix = {}
    for piece in text.split(","):
        name, _, weight = piece.partition("=")
        if name not in list(Kind):
            raise ValueError(f"no kind of request is named {name!r}; known: {', '.join(Kind)}")
        mix[Kind(name)] = float(weight or 1)
    return mix

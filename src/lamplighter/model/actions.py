"""Actions: what the loop can do to a site, each with its contract, and what came of it.

An action states absolute ends, never steps ("five replicas", not "two more"), so that applying it
twice is applying it once. Its id is a digest of its content and of the facts that it rests on.
"""

from typing import Literal

from lamplighter.model.system import System
from lamplighter.model.value import Instant, Value

# --- conditions: pure predicates over Facts, kept as data so that they can be stored and explained


class Live(Value, tag="live"):
    """`workload`'s release has exactly `exactly` live replicas (not draining, not gone)."""

    workload: str
    release: str
    exactly: int


class Ready(Value, tag="ready"):
    """At least `at_least` live replicas of the release pass their health checks."""

    workload: str
    release: str
    at_least: int


class Serving(Value, tag="serving"):
    """The replica passes its health checks."""

    replica: str


class Broken(Value, tag="broken"):
    """The replica is proven gone, or is known to fail its checks; unknown is neither."""

    replica: str


class Gone(Value, tag="gone"):
    """The replica no longer serves: it is proven gone, or no longer listed by the target."""

    replica: str


class Shares(Value, tag="shares"):
    """The gateway gives each release of the workload this share of the traffic."""

    workload: str
    shares: dict[str, float]


class Configured(Value, tag="configured"):
    """The target was last configured with the system of this digest; empty: it runs nothing of it."""

    digest: str


class Heard(Value, tag="heard"):
    """The source of facts is not silent."""

    source: str


class Idle(Value, tag="idle"):
    """Nothing is asked of the workload: no request, stream or WebSocket is on a replica or waits for one."""

    workload: str


Condition = Live | Ready | Serving | Broken | Gone | Shares | Configured | Heard | Idle

# --- actions


class Configure(Value, tag="configure"):
    """Set the gateway's listeners, routes and policies as the system says. Starts no replica."""

    system: System


class Scale(Value, tag="scale"):
    """Have `replicas` live replicas of one release of a workload.

    `starts` are the ids for the new ones and `stops` the ones to drain and end (out of the balancer,
    requests in flight finished, SIGTERM, then SIGKILL after the deadline). A target that names or
    picks replicas itself takes `starts` as ignored and `stops` as a wish.
    """

    workload: str
    release: str
    replicas: int
    starts: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    drain_s: float = 30.0


class Replace(Value, tag="replace"):
    """Start `start` in place of the broken `replica`, of the same release; then end what is left of it."""

    workload: str
    release: str
    replica: str
    start: str
    drain_s: float = 30.0


class Shift(Value, tag="shift"):
    """Give each release of a workload its share of the traffic (shares add up to 1)."""

    workload: str
    shares: dict[str, float]


class Forget(Value, tag="forget"):
    """Drop the target's record of replicas that are proven gone. Stops nothing."""

    replicas: tuple[str, ...]


class Dismantle(Value, tag="dismantle"):
    """End everything of the system at this site, the gateway last. Only after all is drained."""

    system: str
    grace_s: float = 5.0


Action = Configure | Scale | Replace | Shift | Forget | Dismantle


class Contract(Value):
    """What makes an action safe to take, and what must come of it.

    `needs` must hold (known to) when it is applied; `expects` must hold within `deadline_s` of its
    being applied, else `undo` runs (None: nothing can be undone, a person is told). `blast_radius`
    is the share of the workload's live capacity that stops or is starved. `destructive`: it stops or
    starves something that is not proven dead.
    """

    gain: str
    needs: tuple[Condition, ...] = ()
    expects: tuple[Condition, ...] = ()
    deadline_s: float = 60.0
    undo: Action | None = None
    blast_radius: float = 0.0
    destructive: bool = False


OutcomeState = Literal["done", "accepted", "refused", "unknown"]


class Outcome(Value):
    """What a target answered to an action.

    `done`, `accepted` (under way), `refused` (nothing was done, and why), or `unknown` (no answer in
    time; it may have happened).
    """

    action: str
    state: OutcomeState
    at: Instant
    code: str = ""
    detail: str = ""

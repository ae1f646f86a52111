"""The journal: what truly happened in a simulated world, for checkers and for people to read.

Written by the world alone; nothing that decides ever sees it.
"""

from typing import NamedTuple

from lamplighter.model.actions import Action
from lamplighter.model.decisions import Decision
from lamplighter.model.facts import Facts
from lamplighter.model.history import Closed
from lamplighter.model.value import Instant


class Standing(NamedTuple):
    """How one replica truly stands. `live`: neither draining nor ended. `passing`: passes its checks.

    `down_at` is when it last stopped passing or ended by itself, however little is known of that.
    """

    id: str
    workload: str
    release: str
    live: bool
    passing: bool
    hung: bool
    ended: bool
    down_at: Instant | None


class Truth(NamedTuple):
    """How everything truly stands at one instant."""

    at: Instant
    replicas: tuple[Standing, ...]
    shares: dict[str, dict[str, float]]
    configured: str


class Applied(NamedTuple):
    """An action took effect. `seen` are the facts that its maintainer had read last when it sent it."""

    at: Instant
    sent_at: Instant
    action: Action
    action_id: str
    token: int
    holder: str
    seen: Facts | None
    before: Truth
    after: Truth


class Asked(NamedTuple):
    """An action reached the target, whatever comes of it."""

    at: Instant
    sent_at: Instant
    action: Action
    action_id: str
    token: int
    holder: str


class Refused(NamedTuple):
    """An action was refused, or its answer was lost before anything was done."""

    at: Instant
    action_id: str
    holder: str
    why: str


class Born(NamedTuple):
    """A replica was started, by this action."""

    at: Instant
    replica: str
    workload: str
    release: str
    action_id: str


class Passing(NamedTuple):
    """A replica began or ceased to pass its checks."""

    at: Instant
    replica: str
    passing: bool
    why: str


class Draining(NamedTuple):
    """A replica left the balancer by an action, with so many requests in flight."""

    at: Instant
    replica: str
    in_flight: int
    at_most_s: float
    action_id: str


class Ended(NamedTuple):
    """A replica ended. `dropped`: requests in flight that were cut, `drained_s` after it was told to go.

    `told`: it had been told to end (None: by itself). `excused`: it could not have finished them.
    """

    at: Instant
    replica: str
    workload: str
    cause: str
    dropped: int
    drained_s: float | None
    excused: bool


class Mishap(NamedTuple):
    """A fault of the world around the replicas began or ended."""

    at: Instant
    subject: str
    what: str


class Closing(NamedTuple):
    """A maintainer recorded what became of an action, which it had decided so (None: by another record)."""

    at: Instant
    closed: Closed
    decision: Decision | None


Event = Applied | Asked | Refused | Born | Passing | Draining | Ended | Mishap | Closing


def line(event: Event) -> str:
    """Return one event as a line to read."""
    match event:
        case Applied(action=action, action_id=name, token=token, holder=holder):
            text = f"applied     {name} by {holder} (token {token}): {brief(action)}"
        case Asked(action=action, action_id=name, token=token, holder=holder):
            text = f"asked       {name} by {holder} (token {token}): {brief(action)}"
        case Refused(action_id=name, holder=holder, why=why):
            text = f"not done    {name} by {holder}: {why}"
        case Born(replica=replica, release=release, action_id=name):
            text = f"started     {replica} of {release} ({name})"
        case Passing(replica=replica, passing=passing, why=why):
            text = f"{'passes' if passing else 'fails '}      {replica}: {why}"
        case Draining(replica=replica, in_flight=count, at_most_s=at_most_s, action_id=name):
            text = f"drains      {replica}, {count} in flight, at most {at_most_s:g} s ({name})"
        case Ended(replica=replica, cause=cause, dropped=dropped):
            text = f"ended       {replica}: {cause}" + (f", {dropped} cut" if dropped else "")
        case Mishap(subject=subject, what=what):
            text = f"mishap      {subject}: {what}"
        case Closing(closed=closed):
            text = f"closed      {closed.action} {closed.result}: {closed.detail}"
    return f"{event.at:9.2f}  {text}"


def brief(action: Action) -> str:
    """Return an action in a few words."""
    kind = type(action).__name__.lower()
    left_out = ("system",) if kind == "configure" else ()
    fields = ((name, getattr(action, name)) for name in action.__struct_fields__ if name not in left_out)
    said = (f"{name}={_plain(value)}" for name, value in fields if value not in ((), ""))
    return " ".join((kind, *said))


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(each) for each in value)
    if isinstance(value, dict):
        return ",".join(f"{name}:{each:g}" for name, each in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)

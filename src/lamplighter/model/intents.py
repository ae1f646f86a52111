"""Intents: what a person or a model asks of the maintainer. The same for cli, web and mcp."""

from lamplighter.model.system import System
from lamplighter.model.value import Instant, Value


class Up(Value, tag="up"):
    """Have the system as this spec says, its workloads on these releases (workload to release id).

    With `basis`, only if the facts still have this digest (a plan is being applied).
    """

    id: str
    system: System
    releases: dict[str, str] = {}
    basis: str = ""
    by: str = ""
    at: Instant = 0.0


class Rollback(Value, tag="rollback"):
    """Bring a workload back to an earlier release: `to`, or else the last stable one before."""

    id: str
    workload: str
    to: str = ""
    by: str = ""
    at: Instant = 0.0


class Approve(Value, tag="approve"):
    """Let an action pass that a guard asks a person about. Bound to its id, which holds its facts."""

    id: str
    action: str
    by: str = ""
    at: Instant = 0.0


class Down(Value, tag="down"):
    """Drain and end everything of the system."""

    id: str
    by: str = ""
    at: Instant = 0.0


Intent = Up | Rollback | Approve | Down


class Answer(Value):
    """What became of an intent when the loop took it: accepted, or refused with a code and why."""

    intent: str
    accepted: bool
    code: str = ""
    detail: str = ""

"""The local target's one door: Envoy, told by files what to do and asked over a socket what it saw.

`table` says what is wanted; `files` renders and writes it (`clusters`, `routes`, `bootstrap` and
`replies` are its parts); `command` starts Envoy; `statistics` reads it over `admin`. Nothing here
starts, watches or restarts a process, and this face imports no HTTP client: `statistics`, which does,
is imported by name by who needs it.
"""

from .command import Failure, FailureKind, binary, command, failure
from .files import BOOTSTRAP, render, write
from .table import Backend, Check, Endpoint, Route, Table, split

__all__ = [
    "BOOTSTRAP",
    "Backend",
    "Check",
    "Endpoint",
    "Failure",
    "FailureKind",
    "Route",
    "Table",
    "binary",
    "command",
    "failure",
    "render",
    "split",
    "write",
]

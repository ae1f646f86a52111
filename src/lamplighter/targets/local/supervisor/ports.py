"""Free TCP ports for replicas, each claimed so that no other supervisor of this machine gives it out.

A claim is an abstract unix socket named after the port: the kernel keeps it in the same network
namespace as the port itself, lets one process hold it, and drops it with that process.
"""

import contextlib
import os
import socket
from pathlib import Path

_LOWEST, _HIGHEST = 20_000, 65_000
_TRIES = 4_000


class Ports:
    """Claims by owner. Ports are walked in order from a random place: one just left is not next."""

    def __init__(self) -> None:
        self._first, self._last = _range()
        self._next = self._first + int.from_bytes(os.urandom(4), "big") % (self._last - self._first + 1)
        self._held: dict[str, tuple[int, socket.socket]] = {}

    def reserve(self, owner: str) -> int:
        """Return a port that nothing listens on and no one else claims; the same again for an owner.

        Raises:
            OSError: no port of the range is free.
        """
        if owner in self._held:
            return self._held[owner][0]
        for _ in range(_TRIES):
            port = self._next
            self._next = self._first if port >= self._last else port + 1
            if self.claim(owner, port) and (is_free(port) or not self.release(owner)):
                return port
        raise OSError(f"no free port between {self._first} and {self._last}")

    def claim(self, owner: str, port: int) -> bool:
        """Claim this very port (of a replica that is adopted, say); False if another holds it."""
        if owner in self._held and self._held[owner][0] == port:
            return True
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0lamplighter/port/{port}")
        except OSError:
            claim.close()
            return False
        self.release(owner)
        self._held[owner] = (port, claim)
        return True

    def release(self, owner: str) -> bool:
        """Give up an owner's claim, if it has one."""
        with contextlib.suppress(KeyError):
            self._held.pop(owner)[1].close()
        return True

    def owners(self) -> set[str]:
        """Return who holds a claim."""
        return set(self._held)


def is_free(port: int) -> bool:
    """Return whether a process without SO_REUSEADDR could bind this port on every address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def can_listen(host: str, port: int) -> bool:
    """Return whether a server could listen here now; closed connections that linger do not count."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _range() -> tuple[int, int]:
    """Stay clear of the ports that the kernel gives to outgoing connections."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    below, above = (_LOWEST, low - 1), (high + 1, _HIGHEST)
    widest = max(below, above, key=lambda each: each[1] - each[0])
    return widest if widest[1] - widest[0] >= _TRIES else (_LOWEST, _HIGHEST)

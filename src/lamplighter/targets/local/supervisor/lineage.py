"""A mark that a replica's descendants cannot lose by accident, whatever they do to their environment.

A daemon that empties its environment, leaves its session and gives up its parent carries none of the
marks that the supervisor gives a replica. Resource limits stay: they pass over fork and exec, no program
resets one that it does not use, and /proc shows them. The soft limit on the time that a *real-time*
thread may run without a pause (RLIMIT_RTTIME, microseconds, setrlimit(2)) is unlimited everywhere; here
it is a number of more than a hundred thousand years, whose low bits say which replica of which site.
It bounds nothing: the kernel only looks at it for real-time threads.

Knows limits only. Where one cannot be set or read, the marks in the environment are all there is.
"""

import contextlib
import hashlib
import resource
from collections.abc import Iterator

_LIMIT = resource.RLIMIT_RTTIME
_LINE = b"Max realtime timeout"
_TOP = 1 << 62
_SITE_BITS, _REPLICA_BITS = 34, 28


def lineage(site: str, replica: str) -> int:
    """Return the mark of a replica's descendants."""
    return _TOP | _bits(site, _SITE_BITS) << _REPLICA_BITS | _bits(replica, _REPLICA_BITS)


def is_of_site(mark: int, site: str) -> bool:
    """Return whether a mark is that of any replica of a site."""
    return mark >> _REPLICA_BITS == (_TOP >> _REPLICA_BITS) | _bits(site, _SITE_BITS)


@contextlib.contextmanager
def carried(site: str, replica: str) -> Iterator[None]:
    """Have the children that are started within carry a replica's mark.

    Only the soft limit is lent to them, so that it is given back whatever happens.
    """
    soft, hard = resource.getrlimit(_LIMIT)
    if hard == resource.RLIM_INFINITY:
        resource.setrlimit(_LIMIT, (lineage(site, replica), hard))
    try:
        yield
    finally:
        resource.setrlimit(_LIMIT, (soft, hard))


def leave() -> None:
    """Carry no mark any more: a supervisor that a replica starts is of another system."""
    _, hard = resource.getrlimit(_LIMIT)
    resource.setrlimit(_LIMIT, (hard, hard))


def mark_in(limits: bytes) -> int:
    """Return the mark in what /proc/<pid>/limits says, 0 for none."""
    _, found, rest = limits.partition(_LINE)
    soft = rest.split(None, 1)[0] if found else b""
    return int(soft) if soft.isdigit() else 0


def _bits(name: str, count: int) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> (64 - count)

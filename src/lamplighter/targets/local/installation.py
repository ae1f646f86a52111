"""Which installation this is: the mark by which a process is known to run other code than this one.

Two processes with equal marks run the same code from the same place. A place counts, since what a process
loads late comes from there, and an upgrade may delete it.
"""

import functools
import hashlib
import os
import sys
from pathlib import Path

import lamplighter

HOME = Path(lamplighter.__file__).parent


@functools.cache
def mark() -> str:
    """Return the mark of this process's own code: version, place, interpreter and the source itself."""
    state = hashlib.blake2b(f"{lamplighter.__version__}\0{HOME}\0{sys.prefix}".encode(), digest_size=8)
    for path in sorted(HOME.rglob("*.py")):
        state.update(os.fsencode(path.relative_to(HOME)) + b"\0" + path.read_bytes())
    return state.hexdigest()


def newer(version: str) -> bool:
    """Return whether a version is newer than this one."""
    return _parts(version) > _parts(lamplighter.__version__)


def _parts(version: str) -> tuple[int, ...]:
    """Return the numbers of a version (PEP 440's release segment); what is not a number ends them."""
    numbers: list[int] = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)

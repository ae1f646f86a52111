"""The gateway's folder: a table rendered to files, and files put in place whole.

Envoy watches the folder for renames and reads a file again when one lands on its name, so a file is
written beside its place and moved there; a crash leaves the old file or the new one, never a part.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from .bootstrap import LINES_LIMIT, bootstrap, lines_limit
from .clusters import assignment, cluster, eds_name
from .holding import activator
from .routes import internal_routes, public_routes
from .table import Table

__all__ = ["BOOTSTRAP", "put", "render", "write"]

Json = dict[str, Any]

BOOTSTRAP = "bootstrap.json"
_CLUSTERS = "cds.json"


def render(table: Table) -> dict[str, str]:
    """The table as file name → text, in the order in which Envoy must see them.

    Endpoints stand in a file per backend, so that a replica that comes or goes changes one small
    file and nothing else is read again. The same table gives the same text.
    """
    files = {eds_name(backend.name): _discovery(assignment(backend)) for backend in table.backends}
    sleepers = sum(backend.wait_s is not None for backend in table.backends)
    waiting = [activator(sleepers)] if sleepers else []
    files[_CLUSTERS] = _discovery(*(cluster(backend) for backend in table.backends), *waiting)
    files["rds.public.json"] = _discovery(public_routes(table))
    files["rds.internal.json"] = _discovery(internal_routes(table))
    files[LINES_LIMIT] = _discovery(lines_limit())
    files[BOOTSTRAP] = _text(bootstrap(table))
    return files


def write(folder: Path, files: Mapping[str, str]) -> tuple[str, ...]:
    """Put the files in place, each atomically, and drop endpoint files that no longer belong.

    A file whose content is there already is left alone: Envoy is not woken for nothing. New
    clusters are written before the routes to them; where one goes away, its route goes first.

    Args:
        folder: made if missing, for this user only.
        files: what `render` gave.

    Returns:
        The names that were written. `bootstrap.json` among them means that the listeners changed,
        which Envoy only takes up when it is started again.

    Raises:
        OSError: the folder cannot be written (full disk, read-only); what was there still stands.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    gone = _left_over(folder, files)
    order = sorted(files, key=lambda name: _turn(name, removing=bool(gone)))
    written = tuple(name for name in order if put(folder / name, files[name]))
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    return written


def _turn(name: str, *, removing: bool) -> int:
    if name.startswith("eds."):
        return 0
    if name == _CLUSTERS:
        return 2 if removing else 1
    return 1 if removing else 2


def _left_over(folder: Path, files: Mapping[str, str]) -> Iterable[str]:
    return sorted({path.name for path in folder.glob("eds.*.json")} - set(files))


def put(path: Path, text: str) -> bool:
    """Put one file in place, whole; return False if that is what it held already. Raises OSError."""
    content = text.encode()
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return False
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)  # no fsync: after a power cut the supervisor writes the folder anew
    beside.rename(path)
    return True


def _discovery(*resources: Json) -> str:
    return _text({"resources": list(resources)})


def _text(value: Json) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode()

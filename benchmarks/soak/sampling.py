"""How much a system takes: memory and open files of its owners, sizes of its files."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.local.processes import GATEWAY, MAINTAINER, REPLICA, SUPERVISOR, cpu_s, own_bytes, pss_bytes
from benchmarks.soak.site import Site

OWNERS = (MAINTAINER, SUPERVISOR, GATEWAY)
STORES = ("recording", "ledger")


def look(site: Site) -> dict[str, Any]:
    """Return one sample: each owner's process, how many replicas there are, and the sizes on disk."""
    processes = [each for each in site.processes() if each.leads]
    owners = [_process(each.pid, each.role) for each in processes if each.role in OWNERS]
    return {
        "owners": [each for each in owners if each],
        "replicas": sum(each.role == REPLICA for each in processes),
        **_files(site.state),
    }


def _process(pid: int, role: str) -> dict[str, Any]:
    with suppress(OSError, AssertionError, StopIteration):
        return {
            "role": role,
            "pid": pid,
            "age_s": round(_age_s(pid), 1),
            "pss_bytes": pss_bytes(pid),
            "own_bytes": own_bytes(pid),
            "files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
            "cpu_s": cpu_s(pid),
        }
    return {}


def _age_s(pid: int) -> float:
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    began = int(text[text.rindex(")") + 2 :].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


def _files(state: Path) -> dict[str, Any]:
    logs = {each.name: _size(each) for each in (state / "logs").glob("*") if each.is_file()}
    return {
        **{f"{name}_bytes": sum(map(_size, state.glob(f"{name}.sqlite*"))) for name in STORES},
        "logs_bytes": sum(logs.values()),
        "log_most_bytes": max(logs.values(), default=0),
        "logs": len(logs),
        "releases": len(list((state / "releases" / "trees").glob("*"))),
        "failure_log_bytes": _size(state / "gateway" / "failures.log"),
    }


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0

"""The system that is soaked: two services, one of them awkward, on a small disk of its own if possible."""

import asyncio
import ctypes
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.local.processes import end_all, prefer
from benchmarks.local.spec import SERVICE, Wish, spec
from benchmarks.local.stand import Ran, Stand
from benchmarks.soak.plan import LEAST, MOST, SLOTS

AWKWARD = "awkward"
DISK_BYTES = 1 << 30
RECORDING_KIB, RECORDING_QUICK_KIB = 1024, 160
"""Small, so that the bound is reached within a run."""
WISH = Wish(replicas=(LEAST, MOST), slots=SLOTS, goal=3.0, window_s=30.0, steps=("50%", "100%"), bake_s=3.0)
TRY_S = 0.9
"""A try without an answer for so long is made on another replica: the app itself takes at most 0.5 s.
Once only: two tries fit into the 2 s after which a request has failed."""
HARDLY_EVER = 1000
"""Repairs before a person is asked: here the failures are meant."""
_CLONE_NEWNS, _MS_REC, _MS_PRIVATE = 0x20000, 0x4000, 1 << 18


class Site(Stand):
    """A stand whose spec has an awkward service beside the one that is asked."""

    small_disk = False
    recording_kib = RECORDING_KIB

    async def up(self, wish: Wish) -> Ran:
        """Write the spec and bring the system to it."""
        self.write(wish)
        return await self.must("up", "-d", "-y")

    def write(self, wish: Wish) -> None:
        """Write the spec."""
        env = {"WORK_INFLIGHT_DIR": str(self.project.parent / "inflight")}
        whole: dict[str, Any] = json.loads(spec(replace(wish, env=env), self.port))
        whole["services"][SERVICE] |= {
            "resilience": {"timeout": f"{TRY_S * 1000:.0f}ms", "retries": 1},
            "repair": {"attempts": HARDLY_EVER},
        }
        whole["services"][AWKWARD] = {
            "command": "python awkward.py",
            "resources": {"memory": "96Mi"},
            "drain": "1s",
            "repair": {"attempts": HARDLY_EVER},
        }
        whole["guards"] = {"actions": 100_000}
        (self.project / "lamp.yaml").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """The environment of every command, with a small recording."""
        return {**super().environment(), "LAMP_RECORDING_SIZE": f"{self.recording_kib}Ki"}

    @property
    def hog(self) -> Path:
        """The file that fills the disk."""
        return self.state_root / "hog"


@asynccontextmanager
async def site(keep: Path) -> AsyncIterator[Site]:
    """Give a site with nothing up; leave no process and no file behind but a copy of its stores in `keep`."""
    folder = Path(tempfile.mkdtemp(prefix="lamp-soak-"))
    mounted = False
    try:
        made = Site(folder)
        shutil.copy(Path(__file__).with_name("awkward.py"), made.project)
        mounted = await asyncio.to_thread(_mounted, made.state_root)
        made.small_disk = mounted
        yield made
    finally:
        await asyncio.to_thread(end_all, made.temporary)
        await asyncio.to_thread(_kept, made, keep)
        gateway = made.state / "gateway"
        if gateway.is_symlink():
            shutil.rmtree(gateway.readlink(), ignore_errors=True)
        if mounted:
            await asyncio.to_thread(subprocess.run, ["umount", "-l", str(made.state_root)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def apart() -> bool:
    """Give this process mounts of its own, which go with it; False where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        return False
    return bool(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) == 0)


def _mounted(folder: Path) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "lamp-soak", str(folder)]
    try:
        return subprocess.run(words, check=False, capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _kept(made: Site, keep: Path) -> None:
    """Keep ledger, recording and the owners' logs: what explains a failure."""
    made.hog.unlink(missing_ok=True)
    (keep / "logs").mkdir(parents=True, exist_ok=True)
    names = ("maintainer", "supervisor", "gateway", "gateway-failures")
    owners = [made.state / "logs" / f"{each}.log" for each in names]
    files = [*made.state.glob("*.sqlite*"), *made.state.glob("ledger.anchors")]
    for each in [*files, *owners, made.state / "logs" / "maintainer.out", made.project / "lamp.yaml"]:
        with suppress(OSError):
            shutil.copy(each, keep / ("logs" if each.parent.name == "logs" else ".") / each.name)


def priority(nice: int) -> int:
    """Ask for a priority for this process and all that it starts; return the one it has then."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    prefer([os.getpid()], nice)
    return os.getpriority(os.PRIO_PROCESS, 0)

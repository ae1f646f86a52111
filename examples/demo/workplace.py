"""The demo's temporary home: the prototype with its spec, the state folder, a free port, the `lamp` command.

Everything stands below one new folder, which also marks every process that is started from here: its path is
in their environment (TMPDIR, which replicas, gateway and supervisor are handed on).
"""

import asyncio
import os
import shutil
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from examples.demo.record import NotHeldError

EXAMPLE = Path(__file__).resolve().parent.parent / "library"
SYSTEM, SERVICE, SWARM = "library", "search", "swarm"
LAMP = Path(sys.executable).with_name("lamp")
END_S = 5.0
COMMAND_S = 90.0
"""No command of the story takes this long, even on a busy machine."""

PRAISE = ('"en": "Ask the library"', '"en": "Ask the library, by lamplight"')
"""The change that makes a new release: the greeting in every answer, in the prototype's own source."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What the demo sets differently from the example's own spec, so that it is over in a minute and a half.

    Args:
        window_s, panic_window_s: of the autoscaler; the example has 60 and 6.
        bake_s: of each rollout step; the example has 10.
    """

    window_s: float = 9.0
    panic_window_s: float = 3.0
    bake_s: float = 3.0


class Ran(NamedTuple):
    """What came of a command."""

    out: str
    took_s: float


class Workplace:
    """A folder of its own with everything in it; made by `make`, removed by whoever made it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.swarm_port = _free_port()
        self.prototype = folder / "library"
        self.states = folder / "state"
        self.state = self.states / SYSTEM
        self._env = self._environment()

    @classmethod
    def make(cls) -> "Workplace":
        """Make an empty one. Raises OSError where temporary files cannot be written."""
        return cls(Path(tempfile.mkdtemp(prefix="lamp-demo-")).resolve(), _free_port())

    def furnish(self, tuning: Tuning) -> None:
        """Copy the prototype here and write its spec. Raises OSError if that cannot be done."""
        for each in ("tmp", "cache", "state"):
            (self.folder / each).mkdir()
        shutil.copytree(EXAMPLE, self.prototype, ignore=shutil.ignore_patterns("__pycache__"))
        spec = (EXAMPLE / "lamp.yaml").read_text(encoding="utf-8")
        changed = tuned(spec, self.port, self.folder / "cache", tuning)
        (self.prototype / "lamp.yaml").write_text(changed, encoding="utf-8")
        swarm = self.prototype / "swarm.yaml"
        spec = swarm.read_text(encoding="utf-8")
        swarm.write_text(spec.replace("port: 8090", f"port: {self.swarm_port}"), encoding="utf-8")

    def edit(self, *, back: bool = False) -> None:
        """Change a line of the prototype's source, or change it back."""
        place = self.prototype / "library" / "settings.py"
        was, becomes = reversed(PRAISE) if back else PRAISE
        source = place.read_text(encoding="utf-8")
        assert was in source, f"the prototype has the line {was}"
        place.write_text(source.replace(was, becomes), encoding="utf-8")

    async def lamp(self, *words: str) -> Ran:
        """Run `lamp` in the prototype's folder and return what it printed.

        Raises:
            NotHeldError: it did not end with 0; the message has the end of what it said.
        """
        return await self.run(str(LAMP), *words)

    async def run(self, *command: str) -> Ran:
        """Run a command in the prototype's folder, in a session of its own (Ctrl-C is for the demo alone).

        Raises:
            NotHeldError: it did not end with 0 within `COMMAND_S`.
        """
        began = asyncio.get_running_loop().time()
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.prototype,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(COMMAND_S):
                out, err = await process.communicate()
        except TimeoutError:
            raise NotHeldError(f"`{_short(command)}` ends within {COMMAND_S:.0f} s") from None
        finally:
            await _end(process)
        if process.returncode:
            said = (err or out).decode(errors="replace").strip()
            raise NotHeldError(f"`{_short(command)}` succeeds (it ended with {process.returncode})", said)
        return Ran(out.decode(), asyncio.get_running_loop().time() - began)

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LAMP_", "LIBRARY_"))
        }
        return kept | {
            "LAMP_STATE_DIR": str(self.states),
            "TMPDIR": str(self.folder / "tmp"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "GIT_CEILING_DIRECTORIES": str(self.folder.parent),
            "NO_COLOR": "1",
        }


def tuned(spec: str, port: int, cache: Path, tuning: Tuning) -> str:
    """Return the example's spec as the demo runs it; each change says why.

    Args:
        spec: the example's lamp.yaml.
        port: where the gateway listens.
        cache: the folder that keeps built indexes.
        tuning: windows and bake time.
    """
    changes = {
        "gateway: {port: 8080}": f"gateway: {{port: {port}}}    # demo: a free port",
        "      # LIBRARY_THINK_MS: 20-500 ": (
            "      LIBRARY_THINK_MS: 200-400         # demo: load without much processor time\n"
            "      # LIBRARY_THINK_MS: 20-500 "
        ),
        "      # LIBRARY_CACHE: ~/.cache/library ": (
            f"      LIBRARY_CACHE: {cache}    # demo: a folder that goes away\n"
            "      # LIBRARY_CACHE: ~/.cache/library "
        ),
        "scale: {on: in_flight, goal: 8}": (
            f"scale: {{on: in_flight, goal: 5, window: {tuning.window_s:g}s, "
            f"panic_window: {tuning.panic_window_s:g}s}}    # demo: seconds instead of a minute"
        ),
        "bake: 10s, surge: 1}": f"bake: {tuning.bake_s:g}s, surge: 1}}    # demo: the example has 10s",
    }
    for was, becomes in changes.items():
        assert spec.count(was) == 1, f"the example's spec has {was!r} once"
        spec = spec.replace(was, becomes)
    return spec


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave no process and no open pipe behind, however the wait for it ended."""
    if process.returncode is None:
        with suppress(ProcessLookupError, TimeoutError):
            process.kill()
            async with asyncio.timeout(END_S):
                await process.communicate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _short(command: tuple[str, ...]) -> str:
    return " ".join((Path(command[0]).name, *command[1:]))

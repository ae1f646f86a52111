"""A prototype in a folder of its own, and the real `lamp` command to run on it."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LAMP = Path(sys.executable).with_name("lamp")

APP = """
import os

WORD = os.environ.get("WORD", "one")


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    print("asked for", scope["path"], flush=True)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": WORD.encode()})
"""

SPEC = """version: 1
system: NAME
gateway: {port: PORT}
services:
  web:
    app: app:app
    env: {WORD: one}
    replicas: {min: 2, max: 4}
    health: {path: /, start_timeout: 30s}
    route: /
    drain: 5s
    rollout: {steps: [50%, 100%], bake: 200ms}
"""


@dataclass(frozen=True)
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the output as JSON."""
        return json.loads(self.out)


class Prototype:
    """A folder with an app and a spec, and its own state folder."""

    def __init__(self, folder: Path) -> None:
        """Write the app and the spec; start nothing."""
        self.folder = folder / "prototype"
        self.state = folder / "state"
        self.folder.mkdir()
        self.port = free_port()
        (self.folder / "app.py").write_text(APP)
        self.write_spec(SPEC)

    def write_spec(self, text: str) -> None:
        """Write lamp.yaml."""
        text = text.replace("PORT", str(self.port)).replace("NAME", f"cli-{self.port}")
        (self.folder / "lamp.yaml").write_text(text)

    def edit(self, old: str, new: str) -> None:
        """Change lamp.yaml."""
        place = self.folder / "lamp.yaml"
        text = place.read_text()
        assert old in text
        place.write_text(text.replace(old, new))

    def lamp(self, *words: str, timeout_s: float = 120, **env: str) -> Ran:
        """Run the command in the prototype's folder."""
        whole = {**os.environ, "LAMP_STATE_DIR": str(self.state), "NO_COLOR": "1", **env}
        ran = subprocess.run(
            [LAMP, *words],
            cwd=self.folder,
            env=whole,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert "Traceback" not in ran.stderr, ran.stderr
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    @contextmanager
    def lamp_beside(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Run the command beside the test; what lives of it is ended."""
        whole = {**os.environ, "LAMP_STATE_DIR": str(self.state), "NO_COLOR": "1"}
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [LAMP, *words], cwd=self.folder, env=whole, stdout=pipe, stderr=pipe, text=True
        ) as process:
            yield process
            process.kill()

    def status(self) -> Any:
        """Return the status as programs see it."""
        return self.lamp("status", "--json").json

    def pids(self) -> list[int]:
        """Return the pids of the replicas that live."""
        return sorted(each["pid"] for each in self.status()["replicas"] if each["phase"] == "running")

    def get(self, path: str = "/") -> str:
        """Ask the gateway."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def prototype(tmp_path: Path) -> Iterator[Prototype]:
    """Yield a prototype; take down whatever the test left running."""
    made = Prototype(tmp_path)
    yield made
    if (made.state).exists():
        made.lamp("down", "--system", f"cli-{made.port}", "--wait", "60")

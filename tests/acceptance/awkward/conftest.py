"""One system of many odd services, and one of services that never come up."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.acceptance.faults.rig import Rig

APP = Path(__file__).with_name("app.py")
HEAD = """version: 1
system: NAME
gateway: {port: PORT}
secrets: {key: {from: env}}
services:
"""
SERVICE = """  SERVICE:
    command: exec PYTHON app.py COMMAND
    replicas: {min: 1, max: 3}
    health: {start_timeout: START, unhealthy_after: 5s}
    route: /SERVICE
    drain: 1s
    rollout: {steps: [100%], bake: 0s}
"""
SECRET = "hunter2-is-secret"  # noqa: S105 - it is looked for where it must not be
ODD = {
    "late": "late 5",
    "deaf": "deaf",
    "closed": "closed",
    "spawn": "spawn",
    "writer": "writer",
    "greedy": "greedy",
    "leak": "leak 12",
    "brief": "brief 6",
    "crash": "crash 6",
    "plain": "plain",
}
MORE = {"plain": "    secrets: [key]\n", "leak": "    resources: {memory: 80Mi}\n"}


def spec(commands: Mapping[str, str], start: str = "30s") -> str:
    """Return a spec with a service for each command."""
    text = HEAD
    for name, command in commands.items():
        service = SERVICE.replace("SERVICE", name).replace("COMMAND", command).replace("START", start)
        text += service + MORE.get(name, "")
    return text


@contextmanager
def odd_rig(folder: Path, text: str) -> Iterator[Rig]:
    """Give a rig with the odd program in it, not up yet; nothing of it is left."""
    rig = Rig(folder, text)
    shutil.copy(APP, rig.folder / "app.py")
    try:
        yield rig
    finally:
        rig.kill_all()


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A system in which every service is odd in its own way, and all are up."""
    with odd_rig(tmp_path_factory.mktemp("odd"), spec(ODD)) as rig:
        rig.up("--wait", "100", KEY=SECRET)
        yield rig

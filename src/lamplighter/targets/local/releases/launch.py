"""From a release to a command: argv, working folder and environment of one replica.

A replica sees a small, named part of the user's environment, never all of it, so that it starts the same
whoever starts it. Secret values go into the environment and nowhere else.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from lamplighter.model.release import Release
from lamplighter.model.value import Value

PASSED_ON = ("HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "PATH", "LD_LIBRARY_PATH", "XDG_CACHE_HOME")
PASSED_ON_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "SSL_CERT_", "HF_HOME")

KEEP_ALIVE_S = 75
"""Longer than the gateway keeps an idle connection, so that the gateway is the one to close it."""


class Launch(Value):
    """What to start: `argv` holds no secret; `env` may, and is never written down."""

    argv: list[str]
    cwd: str
    env: dict[str, str]


def launch(
    root: Path, release: Release, *, port: int, secrets: Mapping[str, str], extra: Mapping[str, str]
) -> Launch:
    """Return how to start a replica of `release`.

    Args:
        root: the release store's folder.
        release: which release.
        port: where it must listen (127.0.0.1), as `$PORT`.
        secrets: values by secret name; each becomes an environment variable in upper case.
        extra: more environment, such as LAMP_REPLICA and LAMP_URL_*; it wins over the release's own.
    """
    tree = root / "trees" / release.tree
    binaries = binaries_of(root, release.environment)
    env = {name: value for name, value in os.environ.items() if _passed_on(name)}
    env["PATH"] = f"{binaries}{os.pathsep}{env.get('PATH', os.defpath)}"
    env |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    env |= release.env
    env |= {name.upper(): value for name, value in secrets.items()}
    env |= {**extra, "PORT": str(port), "LAMP_RELEASE": release.id}
    return Launch(argv=_argv(root, release, binaries, port), cwd=str(tree), env=env)


def _argv(root: Path, release: Release, binaries: Path, port: int) -> list[str]:
    assert release.run.kind != "image", "images are refused before anything is started"
    if release.run.kind == "command":
        return ["/bin/sh", "-c", release.run.value]
    if release.run.kind == "agents":
        host = [str(binaries / "python"), "-m", "lamplighter.runtime", "host", "--port", str(port)]
        return [*host, "--folder", str(agents_of(root, release.workload)), *release.run.value.split()]
    serve = [str(binaries / "python"), "-m", "uvicorn", release.run.value, "--app-dir", "."]
    serve += ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--no-server-header"]
    serve += [
        "--timeout-keep-alive",
        str(KEEP_ALIVE_S),
        "--proxy-headers",
        "--forwarded-allow-ips",
        "127.0.0.1",
    ]
    return serve


def agents_of(root: Path, pool: str) -> Path:
    """Return the folder of a pool's agents: beside the releases, so that it outlives each of them.

    Args:
        root: the release store's folder.
        pool: its name.
    """
    return root.parent / "agents" / pool


def _passed_on(name: str) -> bool:
    return name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES) or name.lower().endswith("_proxy")


def binaries_of(root: Path, environment: str) -> Path:
    """Return the folder of the interpreter of an environment; of our own where there is none."""
    return root / "environments" / environment / "bin" if environment else Path(sys.executable).parent

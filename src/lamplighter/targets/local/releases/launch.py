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


BYTECODE = "bytecode"
"""Compiled Python stands beside trees and environments, which stay as they were made."""


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
    binaries = root / "environments" / release.environment / "bin" if release.environment else _own_binaries()
    env = {name: value for name, value in os.environ.items() if _passed_on(name)}
    env["PATH"] = f"{binaries}{os.pathsep}{env.get('PATH', os.defpath)}"
    bytecode = root / BYTECODE / (release.environment or release.tree)
    env |= {"PYTHONUNBUFFERED": "1", "PYTHONPYCACHEPREFIX": str(bytecode)}
    env |= release.env
    env |= {name.upper(): value for name, value in secrets.items()}
    env |= {**extra, "PORT": str(port), "LAMP_RELEASE": release.id}
    return Launch(argv=_argv(release, binaries, port), cwd=str(tree), env=env)


def _argv(release: Release, binaries: Path, port: int) -> list[str]:
    assert release.run.kind in ("app", "command"), "images are refused before anything is started"
    if release.run.kind == "command":
        return ["/bin/sh", "-c", release.run.value]
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


def _passed_on(name: str) -> bool:
    return name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES) or name.lower().endswith("_proxy")


def _own_binaries() -> Path:
    return Path(sys.executable).parent

"""A small disk of its own for one command: a tmpfs in a mount namespace, which needs no root."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def on_a_small_disk(
    folder: Path, size: str, *command: str | Path, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command that sees an empty disk of `size` at `folder`; skip the test where none can be made."""
    namespace = ("unshare", "--user", "--map-root-user", "--mount")
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed here, so no small disk can be made")
    mount = 'mount -t tmpfs -o "size=$2" tmpfs "$1" || exit 99; shift 2; exec "$@"'
    ran = subprocess.run(
        [*namespace, "sh", "-c", mount, "sh", folder, size, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    if ran.returncode == 99:
        pytest.skip(f"no small disk can be made here: {ran.stderr}")
    return ran

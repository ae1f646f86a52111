"""The demo as `make demo` runs it, whole; the shortened story runs before each commit."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.heavy
@pytest.mark.timeout(400)
def test_whole_demo_holds() -> None:
    """Every promise of the whole story is kept, and it ends with 0."""
    ran = subprocess.run(
        [sys.executable, "-m", "examples.demo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (0, True) == (ran.returncode, "Everything held" in ran.stdout), ran.stdout + ran.stderr

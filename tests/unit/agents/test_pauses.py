"""Python's collector in a process that is a host."""

import gc
import subprocess
import sys

from lamplighter.runtime.agents.pauses import THRESHOLDS

SCRIPT = """
import gc
from lamplighter.runtime.agents.pauses import steady
kept = [[] for _ in range(1000)]
steady()
print(*gc.get_threshold(), gc.get_freeze_count() >= 1000)
"""


def test_what_is_there_is_not_looked_at_again() -> None:
    """A steady process takes what there is for lasting, and collects in the small steps that are stated."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert [*map(str, THRESHOLDS), "True"] == done.stdout.split()
    assert THRESHOLDS != gc.get_threshold()

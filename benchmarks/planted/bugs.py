"""Bugs that might have been written: each a change of what decides, in words and as text.

A bug is told by what it does to the world, by a checker that knows nothing of it.
"""

from benchmarks.planted.controller_bugs import CONTROLLER_BUGS
from benchmarks.planted.engine_bugs import ENGINE_BUGS
from benchmarks.planted.kinds import Bug, Change
from benchmarks.planted.promise_bugs import PROMISE_BUGS

__all__ = ["BUGS", "Bug", "Change"]

BUGS: tuple[Bug, ...] = (*ENGINE_BUGS, *CONTROLLER_BUGS, *PROMISE_BUGS)

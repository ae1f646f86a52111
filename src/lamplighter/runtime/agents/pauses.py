"""Short pauses: how Python's collector and threads are set in a process that is a host of agents.

A collection of everything stops all turns. With 200,000 states in the cache one takes 25 to 38 ms (measured
on CPython 3.11), and by default it comes again whenever what lives has grown by a quarter.
"""

import gc
import sys

THRESHOLDS = (5_000, 20, 500)
"""New containers until the youngest are collected (a millisecond or two), and how many such rounds the next
two generations wait. A collection of everything comes after some 50 million; cyclic garbage that has outlived
two rounds stays until then."""

SWITCH_S = 0.0005
"""How long the thread of a sync that has ended waits for the interpreter while turns run; by default it is
5 ms, more than the sync itself takes. The turns cost no more for it (`benchmarks agents --only turns`)."""


def steady() -> None:
    """Take everything that is there by now for lasting, and collect the young in small steps.

    For a process of its own, once its agents are recovered; it changes the collector and the switching of
    threads of the whole process.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)

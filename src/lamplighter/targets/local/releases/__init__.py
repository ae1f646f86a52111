"""Releases on this machine: cut from a working folder, kept, and turned into something to start.

Knows nothing of replicas, of the gateway or of why a release is wanted.
"""

from lamplighter.targets.local.releases.cut import cut, identify
from lamplighter.targets.local.releases.launch import Launch, launch
from lamplighter.targets.local.releases.store import ReleaseStore
from lamplighter.targets.local.releases.tree import PLAN_FORMAT

__all__ = ["PLAN_FORMAT", "Launch", "ReleaseStore", "cut", "identify", "launch"]

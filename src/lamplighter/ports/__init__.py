"""Ports: what the engine needs of the world, each as small as can be."""

from lamplighter.ports.world import (
    Clock,
    Hints,
    Lease,
    LeaseStore,
    Ledger,
    LedgerEntry,
    LogLine,
    Previews,
    Recorded,
    Recordings,
    Scope,
    Secrets,
    Signals,
    Streams,
    Target,
)

__all__ = [
    "Clock",
    "Hints",
    "Lease",
    "LeaseStore",
    "Ledger",
    "LedgerEntry",
    "LogLine",
    "Previews",
    "Recorded",
    "Recordings",
    "Scope",
    "Secrets",
    "Signals",
    "Streams",
    "Target",
]

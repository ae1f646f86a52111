"""Faults: for people with place and mend, for programs as JSON."""

import msgspec

from lamplighter.model.errors import Fault
from lamplighter.model.rendering import render_fault


def fault_text(fault: Fault, *, warning: bool = False) -> str:
    """Return a fault as a person reads it."""
    return render_fault(fault, warning=warning)


def fault_json(fault: Fault) -> dict[str, object]:
    """Return a fault as plain JSON values."""
    plain: dict[str, object] = msgspec.to_builtins(fault)
    return plain

"""Printing a system back as a spec that reads back as the same system."""

from typing import Any

import yaml

from lamplighter.model.system import System
from lamplighter.spec.fields import SYSTEM


def tree(system: System) -> dict[str, Any]:
    """Return the spec of a system as dicts, lists, text and numbers; what is the default is left out."""
    plain: dict[str, Any] = SYSTEM.plain(system)
    return plain


def dump(system: System) -> str:
    """Return the spec of a system as YAML."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(
        tree(system), Dumper=dumper, sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
    )
    return text

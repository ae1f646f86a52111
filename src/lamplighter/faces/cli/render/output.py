"""Output for programs: JSON on standard output, with every field, so that a key is always there."""

import sys
from typing import Any

import msgspec

from lamplighter.model.value import whole


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    text = msgspec.json.format(msgspec.json.encode(whole(value)), indent=2)
    sys.stdout.write(text.decode() + "\n")


def print_json_line(value: Any) -> None:
    """Print a value as one line of JSON, at once."""
    sys.stdout.write(msgspec.json.encode(whole(value)).decode() + "\n")
    sys.stdout.flush()

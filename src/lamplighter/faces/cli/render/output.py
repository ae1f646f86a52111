"""Output for programs: JSON on standard output, with every field, so that a key is always there."""

import sys
from enum import Enum
from typing import Any

import msgspec


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    text = msgspec.json.format(msgspec.json.encode(whole(value)), indent=2)
    sys.stdout.write(text.decode() + "\n")


def print_json_line(value: Any) -> None:
    """Print a value as one line of JSON, at once."""
    sys.stdout.write(msgspec.json.encode(whole(value)).decode() + "\n")
    sys.stdout.flush()


def whole(value: Any) -> Any:
    """Return a value as plain data, fields at their defaults included (the stored form leaves them out)."""
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        tag = {config.tag_field: config.tag} if config.tag_field else {}
        return tag | {name: whole(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): whole(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [whole(each) for each in value]
    return value.value if isinstance(value, Enum) else value

"""How an agent's kind is named after its class: one rule, for who runs it and for who routes to it."""

import re

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def kind_name(class_name: str) -> str:
    """Return the kind's name: the class's in kebab case (`LineReader`: `line-reader`)."""
    return _WORD.sub("-", class_name).lower().strip("_")

"""What is kept of a framework's agent between its turns: what it saves itself, else its attributes.

One that has `save_state` and `load_state` of its own is asked. Of one that has not, attributes that differ
from those of an agent just made are kept by pickle; those that cannot be (clients, locks) are made anew.
"""

import json
import pickle
from typing import Any

_OWN = b"j"
_ATTRIBUTES = b"p"
_FRAMEWORK = ("_runtime", "_id", "_description", "_handlers")
"""Attributes that the framework's base classes set."""


def saves_itself(agent: Any) -> bool:
    """Whether an agent has its own way of saving its state."""
    base = next((each for each in type(agent).__mro__ if each.__name__ == "BaseAgent"), None)
    return base is not None and type(agent).save_state is not base.save_state  # type: ignore[attr-defined]  # it is the framework's


def attributes(agent: Any) -> dict[str, bytes]:
    """Return an agent's own attributes, as far as they can be written down."""
    found = {}
    for name, value in vars(agent).items():
        if name not in _FRAMEWORK:
            try:
                found[name] = pickle.dumps(value)
            except Exception:  # noqa: BLE001, S112 - any class may refuse in its own way; it is then made anew
                continue
    return found


async def kept(agent: Any, fresh: dict[str, bytes]) -> bytes:
    """Return what to keep of an agent; `fresh` are the attributes of one just made."""
    if saves_itself(agent):
        return _OWN + json.dumps(await agent.save_state()).encode()
    changed = {name: packed for name, packed in attributes(agent).items() if fresh.get(name) != packed}
    return _ATTRIBUTES + pickle.dumps(changed) if changed else b""


async def restore(agent: Any, packed: bytes) -> None:
    """Give an agent that was just made what was kept of it."""
    if packed.startswith(_OWN):
        await agent.load_state(json.loads(packed[1:]))
    elif packed:
        for name, value in pickle.loads(packed[1:]).items():  # noqa: S301 - it is from our own store
            setattr(agent, name, pickle.loads(value))  # noqa: S301 - likewise

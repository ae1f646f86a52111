"""The agents' classes, by the names that a command line or a spec gives."""

import importlib
import traceback
from collections.abc import Iterable
from types import ModuleType

from lamplighter.model.errors import UserError
from lamplighter.runtime.agents.agent import Agent


def loaded(names: Iterable[str]) -> list[type[Agent]]:
    """Return the agents that names stand for, each once.

    Args:
        names: `module:Class`, or `module` for every agent that is defined in it.

    Raises:
        UserError: there is no such module or class, it cannot be imported, or it is no agent.
    """
    found: dict[type[Agent], None] = {}
    for name in names:
        module, colon, attribute = name.partition(":")
        source = _module(module, name)
        for cls in [_agent(source, attribute, name)] if colon else _agents(source, name):
            found[cls] = None
    return list(found)


def _module(name: str, asked: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"{asked!r} cannot be imported: {type(error).__name__}: {error} ({last.filename}:{last.lineno})",
            mend="name a module that Python finds from here, and see that it can be imported",
            code="agents-unloadable",
        ) from error


def _agent(module: ModuleType, attribute: str, asked: str) -> type[Agent]:
    found = getattr(module, attribute, None)
    if isinstance(found, type) and issubclass(found, Agent) and found is not Agent:
        return found
    what = "is no agent" if found is not None else "is not in it"
    known = ", ".join(cls.__name__ for cls in _defined(module)) or "no agents"
    raise UserError(
        f"{asked!r}: {attribute or 'an empty name'} {what}",
        mend=f"{module.__name__} defines {known}",
        code="agents-unloadable",
    )


def _agents(module: ModuleType, asked: str) -> list[type[Agent]]:
    agents = _defined(module)
    if not agents:
        raise UserError(
            f"{asked!r} defines no agents",
            mend="name a module with subclasses of lamplighter.runtime.Agent, or module:Class",
            code="agents-unloadable",
        )
    return agents


def _defined(module: ModuleType) -> list[type[Agent]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Agent)
        and value is not Agent
        and value.__module__ == module.__name__
    ]

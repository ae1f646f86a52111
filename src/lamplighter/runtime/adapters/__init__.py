"""Prototypes as durable agents: plain functions, LangGraph graphs, pydantic-ai and autogen-core agents.

    Answering = agent_of(answer)                     an agent class like any other
    async with Runtime(folder, [Answering]) as runtime:
        await runtime.ask("answering/7", Answering.message(question="?"))

Nothing of a framework is imported unless one of its parts is handed in.
"""

import inspect
from importlib import import_module
from typing import Any

from lamplighter.runtime.adapters.function import of_function
from lamplighter.runtime.agents.agent import Agent
from lamplighter.runtime.agents.errors import AgentDefinitionError

__all__ = ["agent_of"]

_FRAMEWORKS = {
    "langgraph": ("langgraph", "Pregel", "of_graph"),
    "pydantic_ai": ("pydantic_ai", "AbstractAgent", "of_agent"),
    "autogen": ("autogen_core", "BaseAgent", "of_class"),
}
"""Our module to the framework's package and class, and what adapts it."""


def agent_of(prototype: Any, *, name: str = "", **more: Any) -> type[Agent]:
    """Make a prototype a kind of agent.

    Args:
        prototype: a function, a compiled LangGraph graph, a pydantic-ai agent, or an autogen-core agent
            class.
        name: of the kind, in addresses; by default it follows from the prototype's own name.
        more: what the adapter of that framework takes besides; see docs/howto/bring-an-agent.md.

    Returns:
        An agent class. Its attribute `message` is the message that it takes (the first, where there are
        several; `messages` has them by name).

    Raises:
        AgentDefinitionError: it is none of these, or it cannot be kept durably; the message says why.
    """
    cls = prototype if isinstance(prototype, type) else type(prototype)
    for base in cls.__mro__:
        for module, (framework, named, adapt) in _FRAMEWORKS.items():
            if base.__name__ == named and base.__module__.partition(".")[0] == framework:
                adapter = import_module(f"lamplighter.runtime.adapters.{module}")
                made: type[Agent] = getattr(adapter, adapt)(prototype, name=name, **more)
                return made
    if inspect.isroutine(prototype):
        return of_function(prototype, name=name, **more)
    raise AgentDefinitionError(
        f"{prototype!r} is no prototype that can be adapted",
        mend="give a function, a compiled LangGraph graph, a pydantic-ai agent or an autogen-core class",
    )
